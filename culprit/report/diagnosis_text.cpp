#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "culprit/report/diagnosis_lines.h"
#include "culprit/report/evidence_text.h"
#include "culprit/report/quantity_text.h"
#include "culprit/report/text_table.h"

namespace culprit {
namespace {

constexpr std::size_t label_width = 12;
constexpr std::size_t finding_indent = 6;
constexpr std::size_t lead_width = 11;

std::size_t num_problems(const Case& found) {
    std::size_t count = 0;
    for (const DataProblem& problem : found.problems) count += problem.count;
    return count;
}

std::string padded(std::string text, std::size_t width) {
    const std::size_t used = display_width(text);
    text.append(width > used ? width - used : 0, ' ');
    return text;
}

class Terminal {
public:
    Terminal(const DiagnosisReport& report, const Style& style)
        : report_(report), style_(style), width_(static_cast<std::size_t>(style.width())) {}

    std::string text() {
        const std::string symptom = symptom_line(report_.answers);
        const bool is_single = report_.answers.size() == 1;
        label("incident", symptom.empty() ? incident_line(*report_.found) : symptom, true);
        if (!is_single) add_circumstances(symptom);
        for (const MethodAnswer& answer : report_.answers) add(answer, is_single);
        if (is_single) {
            add_circumstances(symptom);
            label("method", method_line(report_.answers.front()));
        }
        if (!report_.report_path.empty()) label("report", report_.report_path);
        if (!report_.again.empty()) label("again", report_.again);
        return text_;
    }

private:
    void label(std::string_view name, std::string_view value, bool is_bold = false) {
        const std::string lines = wrapped(value, width_, label_width);
        text_ += style_.dim(fmt::format("{:<{}}", name, label_width));
        text_ += is_bold ? style_.bold(lines) : lines;
        text_ += '\n';
    }

    void add_circumstances(const std::string& symptom) {
        const Coverage coverage = coverage_of(report_.found->incident);
        if (!symptom.empty()) label("case", incident_line(*report_.found));
        label("seen", joined(coverage.seen));
        if (!coverage.missing.empty()) label("missing", joined(coverage.missing));
        if (const std::size_t problems = num_problems(*report_.found))
            label("problems", fmt::format("{} in the data; culprit inspect {} shows them", problems,
                                          printable(report_.found->path)));
    }

    void add(const MethodAnswer& answer, bool is_single) {
        if (!is_single) label("method", method_line(answer));
        if (!answer.reason().empty()) {
            const std::string reason = wrapped(answer.reason(), width_, label_width);
            text_ += std::string(label_width, ' ') +
                     (answer.error ? style_.red(reason) : style_.yellow(reason)) + '\n';
        }
        text_ += '\n';
        add_findings(answer.diagnosis);
        // Who moved by how much is for those who doubt the findings.
        const bool has_findings = !answer.diagnosis.findings.empty();
        if (!has_findings || report_.top) add_services(answer.diagnosis.ranking, has_findings);
        for (const std::string& note : answer.diagnosis.notes) label("note", note);
        if (has_findings && !report_.top)
            label("more",
                  report_.report_path.empty()
                      ? "what moved, service by service: --top 5"
                      : "what moved, service by service, with plots: the report, or --top 5");
    }

    void add_services(const Ranking& ranking, bool after_findings) {
        const auto services = by_service(ranking);
        if (after_findings) text_ += '\n' + style_.dim("what moved, service by service") + "\n\n";
        const std::size_t count = std::min(report_.top.value_or(services_shown), services.size());
        for (std::size_t rank = 0; rank < count; ++rank) add(services[rank], rank + 1);
        if (count < services.size())
            text_ += style_.dim(fmt::format("    and {} more; --top {} shows all",
                                            services.size() - count, services.size())) +
                     "\n";
        text_ += '\n';
    }

    void add_findings(const Diagnosis& diagnosis) {
        if (diagnosis.findings.empty()) return;
        const std::string doubt = doubt_line(diagnosis);
        if (!doubt.empty())
            text_ += style_.yellow(style_.bold(" ?  " + wrapped(doubt, width_, 4))) + "\n";
        std::size_t component_width = 0;
        std::size_t name_width = 0;
        for (const Finding& finding : diagnosis.findings) {
            component_width =
                std::max(component_width, display_width(printable(finding.component)));
            name_width = std::max(name_width, display_width(printable(finding.name)));
        }
        // On a narrow screen the names are not aligned, which keeps the numbers on it.
        if (width_ > 0 && component_width + name_width + 15 > width_)
            component_width = name_width = 0;
        for (std::size_t i = 0; i < diagnosis.findings.size(); ++i) {
            const Finding& finding = diagnosis.findings[i];
            const std::string component = padded(printable(finding.component), component_width);
            std::string title = component + (component.empty() ? "" : "   ") +
                                padded(printable(finding.name), name_width);
            if (i == 0 && doubt.empty()) title = style_.red(style_.bold(title));
            text_ += fmt::format("{:>2}  {}   {:>5}\n", i + 1, title, percent(finding.probability));
            if (i == 0 || finding.probability >= told_probability_min)
                tell(finding, new_log_lines(diagnosis, finding));
        }
        text_ += '\n';
        for (const std::string& spot : diagnosis.blind_spots)
            label(doubt.empty() ? "blind spot" : "to decide", printable(spot));
    }

    void tell(const Finding& finding, const std::vector<std::string>& new_lines) {
        add_chain(finding.chain);
        if (!finding.beside.empty()) line("also", printable(finding.beside));
        if (!finding.where.empty()) line("where", printable(finding.where));
        lines("new in log", new_lines);
        lines("against", finding.against);
        lines("not", finding.ruled_out);
        std::string_view lead = "do";
        for (const Advice& advice : finding.advice) add(std::exchange(lead, ""), advice);
        if (finding.meanwhile) add("meanwhile", *finding.meanwhile);
    }

    void add_chain(const std::vector<FindingStep>& chain) {
        std::size_t when_width = 0;
        std::size_t step_width = 0;
        for (const FindingStep& step : chain) {
            when_width =
                std::max(when_width, display_width(when_text(step.when, step.uncertainty)));
            step_width = std::max(step_width, display_width(printable(step.text)));
        }
        const std::size_t indent = finding_indent + when_width + 2;
        for (const FindingStep& step : chain) {
            std::string words = printable(step.text);
            const bool fits =
                width_ == 0 || indent + step_width + 2 + display_width(step.remark) <= width_;
            if (!step.remark.empty()) {
                words = fits ? padded(words, step_width) : words;
                words.append(fits ? "  " : ", ").append(step.remark);
            }
            if (!fits || step.remark.empty()) words = wrapped(words, width_, indent);
            text_ += fmt::format("{}{}  {}\n", std::string(finding_indent, ' '),
                                 padded(when_text(step.when, step.uncertainty), when_width), words);
        }
    }

    void line(std::string_view lead, std::string_view words) {
        text_ += std::string(finding_indent, ' ') +
                 style_.dim(fmt::format("{:<{}}", lead, lead_width)) +
                 wrapped(words, width_, finding_indent + lead_width) + '\n';
    }

    void lines(std::string_view lead, const std::vector<std::string>& all) {
        for (const std::string& words : all) line(std::exchange(lead, ""), printable(words));
    }

    void add(std::string_view lead, const Advice& advice) {
        line(lead, printable(advice.action));
        // A command is copied, so it is not broken.
        if (!advice.command.empty())
            text_ += std::string(finding_indent + lead_width, ' ') +
                     style_.cyan(printable(advice.command)) + '\n';
    }

    void add(const ServiceSuspects& service, std::size_t rank) {
        const Suspect& best = *service.suspects.front();
        std::string title = printable(service.service.empty() ? best.name : service.service);
        if (best.name != service.service) title += style_.dim("  by " + printable(best.name));
        text_ += fmt::format("{:>2}  {}  {}\n", rank,
                             rank == 1 ? style_.red(style_.bold(title)) : style_.bold(title),
                             style_.dim("score " + format_number(best.score)));
        TextTable table({{""}, {""}, {"", Align::right}, {"", Align::right}});
        for (const Evidence& piece : best.evidence) {
            const EvidenceText words = evidence_text(piece, service.service);
            table.add_row({words.when, shorten(words.what, what_width()), words.moved,
                           words.score.empty() ? "" : words.score + " dev"});
        }
        if (table.num_rows() == 0) return;
        // The headings are empty: their line goes.
        const std::string rows = table.to_text({}, "      ");
        text_ += rows.substr(rows.find('\n') + 1);
    }

    std::size_t what_width() const {
        constexpr std::size_t others = 66;  // indent, time, numbers and score
        if (width_ == 0) return 76;
        return width_ > others + 24 ? width_ - others : 24;
    }

    const DiagnosisReport& report_;
    const Style& style_;
    const std::size_t width_;
    std::string text_;
};

}  // namespace

std::string diagnosis_text(const DiagnosisReport& report, const Style& style) {
    return Terminal(report, style).text();
}

}  // namespace culprit
