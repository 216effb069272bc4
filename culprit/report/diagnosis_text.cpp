#include <fmt/format.h>

#include <algorithm>

#include "culprit/report/diagnosis_report.h"
#include "culprit/report/evidence_text.h"
#include "culprit/report/quantity_text.h"
#include "culprit/report/text_table.h"

namespace culprit {
namespace {

constexpr std::size_t services_shown = 5;
// A finding below it is named, but its chain is not told.
constexpr double told_probability_min = 0.15;

std::string percent(double share) {
    return share > 0 && share < 0.01 ? "< 1 %" : fmt::format("{:.0f} %", 100 * share);
}

/// The suspects of one service: the best first, with all that speaks for the service.
struct ServiceSuspects {
    std::string service;
    std::vector<const Suspect*> suspects;
};

std::vector<ServiceSuspects> by_service(const Ranking& ranking) {
    std::vector<ServiceSuspects> services;
    for (const Suspect& suspect : ranking.suspects()) {
        auto at = std::find_if(services.begin(), services.end(), [&](const ServiceSuspects& s) {
            return s.service == suspect.service;
        });
        if (at == services.end()) at = services.insert(at, {suspect.service, {}});
        at->suspects.push_back(&suspect);
    }
    return services;
}

std::string incident_line(const Case& found) {
    const Incident& incident = found.incident;
    return fmt::format("{}, alert {} UTC, {} before and {} after", printable(found.id),
                       format_time(incident.alert, 0), format_duration(incident.baseline.length()),
                       format_duration(incident.suspect.length()));
}

std::string method_line(const MethodAnswer& answer) {
    std::string text = fmt::format("{} ({}), {}", answer.method, to_string(answer.variant),
                                   format_quantity(answer.seconds, "s"));
    if (answer.status() != "ok") text += fmt::format(", {}", answer.status());
    return text;
}

std::string joined(const std::vector<std::string>& parts) {
    return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

std::size_t num_problems(const Case& found) {
    std::size_t count = 0;
    for (const DataProblem& problem : found.problems) count += problem.count;
    return count;
}

std::string findings_markdown(const Diagnosis& diagnosis) {
    std::string text;
    for (std::size_t i = 0; i < diagnosis.findings.size(); ++i) {
        const Finding& finding = diagnosis.findings[i];
        text += fmt::format("\n{}. **{}{}{}**, {}\n", i + 1, printable(finding.component),
                            finding.component.empty() ? "" : ": ", printable(finding.name),
                            percent(finding.probability));
        if (i > 0 && finding.probability < told_probability_min) continue;
        for (const FindingStep& step : finding.chain)
            text += fmt::format("   - {} {}{}{}\n", when_text(step.when, step.uncertainty),
                                printable(step.text), step.remark.empty() ? "" : ", ", step.remark);
        for (const std::string& words : finding.against)
            text += fmt::format("   - against: {}\n", printable(words));
        for (const Advice& advice : finding.advice)
            text += fmt::format(
                "   - do: {}{}\n", printable(advice.action),
                advice.command.empty() ? "" : fmt::format(" `{}`", printable(advice.command)));
    }
    for (const std::string& spot : diagnosis.blind_spots)
        text += fmt::format("\nBlind spot: {}\n", printable(spot));
    return text;
}

class Terminal {
public:
    Terminal(const DiagnosisReport& report, const Style& style) : report_(report), style_(style) {}

    std::string text() {
        const Coverage coverage = coverage_of(report_.found->incident);
        label("incident", style_.bold(incident_line(*report_.found)));
        label("seen", joined(coverage.seen));
        if (!coverage.missing.empty()) label("missing", joined(coverage.missing));
        if (const std::size_t problems = num_problems(*report_.found))
            label("problems", fmt::format("{} in the data; culprit inspect {} shows them", problems,
                                          printable(report_.found->path)));
        for (const MethodAnswer& answer : report_.answers) add(answer);
        if (!report_.report_path.empty()) label("report", report_.report_path);
        return text_;
    }

private:
    void label(std::string_view name, std::string_view value) {
        text_ += style_.dim(fmt::format("{:<12}", name));
        text_ += value;
        text_ += '\n';
    }

    void add(const MethodAnswer& answer) {
        label("method", method_line(answer));
        if (!answer.reason().empty())
            label("", answer.error ? style_.red(answer.reason()) : style_.yellow(answer.reason()));
        text_ += '\n';
        add_findings(answer.diagnosis);
        const auto services = by_service(answer.diagnosis.ranking);
        const std::size_t count = std::min(report_.top.value_or(services_shown), services.size());
        for (std::size_t rank = 0; rank < count; ++rank) add(services[rank], rank + 1);
        if (count < services.size())
            text_ += style_.dim(fmt::format("    and {} more; --top {} shows all",
                                            services.size() - count, services.size())) +
                     "\n";
        for (const std::string& note : answer.diagnosis.notes) label("note", note);
        text_ += '\n';
    }

    void add_findings(const Diagnosis& diagnosis) {
        if (diagnosis.findings.empty()) return;
        std::size_t component_width = 0;
        std::size_t name_width = 0;
        for (const Finding& finding : diagnosis.findings) {
            component_width =
                std::max(component_width, display_width(printable(finding.component)));
            name_width = std::max(name_width, display_width(printable(finding.name)));
        }
        for (std::size_t i = 0; i < diagnosis.findings.size(); ++i) {
            const Finding& finding = diagnosis.findings[i];
            std::string title = padded(printable(finding.component), component_width) +
                                (component_width > 0 ? "   " : "") +
                                padded(printable(finding.name), name_width);
            if (i == 0) title = style_.red(style_.bold(title));
            text_ += fmt::format("{:>2}  {}   {:>5}\n", i + 1, title, percent(finding.probability));
            if (i == 0 || finding.probability >= told_probability_min) tell(finding);
        }
        for (const std::string& spot : diagnosis.blind_spots) label("blind spot", printable(spot));
        text_ += '\n' + style_.dim("what moved, service by service") + "\n\n";
    }

    void tell(const Finding& finding) {
        TextTable steps({{""}, {""}, {""}});
        for (const FindingStep& step : finding.chain)
            steps.add_row({when_text(step.when, step.uncertainty), printable(step.text),
                           style_.dim(step.remark)});
        if (steps.num_rows() > 0) {
            const std::string lines = steps.to_text({}, "      ");
            text_ += lines.substr(lines.find('\n') + 1);
        }
        std::string_view lead = "against";
        for (const std::string& words : finding.against) {
            text_ += fmt::format("      {}{}\n", style_.dim(fmt::format("{:<9}", lead)),
                                 printable(words));
            lead = "";
        }
        lead = "do";
        for (const Advice& advice : finding.advice) {
            text_ += fmt::format("      {}{}\n", style_.dim(fmt::format("{:<9}", lead)),
                                 printable(advice.action));
            if (!advice.command.empty())
                text_ += fmt::format("               {}\n", style_.cyan(printable(advice.command)));
            lead = "";
        }
    }

    static std::string padded(std::string text, std::size_t width) {
        const std::size_t used = display_width(text);
        text.append(width > used ? width - used : 0, ' ');
        return text;
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
        const std::string lines = table.to_text({}, "      ");
        text_ += lines.substr(lines.find('\n') + 1);
    }

    std::size_t what_width() const {
        constexpr std::size_t others = 66;  // indent, time, numbers and score
        if (style_.width() == 0) return 76;
        const auto width = static_cast<std::size_t>(style_.width());
        return width > others + 24 ? width - others : 24;
    }

    const DiagnosisReport& report_;
    const Style& style_;
    std::string text_;
};

}  // namespace

std::string diagnosis_text(const DiagnosisReport& report, const Style& style) {
    return Terminal(report, style).text();
}

std::string diagnosis_markdown(const DiagnosisReport& report) {
    const Coverage coverage = coverage_of(report.found->incident);
    std::string text =
        fmt::format("# Incident {}\n\n- Seen: {}\n- Missing: {}\n", incident_line(*report.found),
                    joined(coverage.seen), joined(coverage.missing));
    for (const MethodAnswer& answer : report.answers) {
        text += fmt::format("\n## {}\n", method_line(answer));
        if (!answer.reason().empty()) text += fmt::format("\n{}\n", answer.reason());
        for (const std::string& note : answer.diagnosis.notes) text += fmt::format("\n{}\n", note);
        text += findings_markdown(answer.diagnosis);
        const auto services = by_service(answer.diagnosis.ranking);
        const std::size_t count = std::min(report.top.value_or(services_shown), services.size());
        for (std::size_t rank = 0; rank < count; ++rank) {
            const Suspect& best = *services[rank].suspects.front();
            text += fmt::format("\n### {}. {} (score {})\n\n", rank + 1,
                                printable(services[rank].service), format_number(best.score));
            TextTable table({{"since (UTC)"},
                             {"what"},
                             {"baseline → peak", Align::right},
                             {"deviations", Align::right}});
            for (const Evidence& piece : best.evidence) {
                const EvidenceText words = evidence_text(piece, services[rank].service);
                table.add_row({words.when, words.what, words.moved, words.score});
            }
            text += table.num_rows() > 0 ? table.to_markdown() : "No signal of it moved.\n";
        }
    }
    return text;
}

}  // namespace culprit
