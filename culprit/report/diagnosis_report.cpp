#include "culprit/report/diagnosis_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "culprit/report/evidence_text.h"
#include "culprit/report/quantity_text.h"
#include "culprit/report/text_table.h"

namespace culprit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t services_shown = 5;

Json json_of(const MethodAnswer& answer, std::optional<std::size_t> top) {
    Json json;
    json["method"] = answer.method;
    json["variant"] = to_string(answer.variant);
    json["status"] = answer.status();
    if (!answer.reason().empty()) json["reason"] = answer.reason();
    if (!answer.diagnosis.notes.empty()) json["notes"] = answer.diagnosis.notes;
    json["ranking"] = Json::array();
    const auto suspects = answer.diagnosis.ranking.suspects();
    const std::size_t count = std::min(top.value_or(suspects.size()), suspects.size());
    for (const Suspect& suspect : suspects.first(count)) {
        Json evidence = Json::array();
        for (const Evidence& piece : suspect.evidence) evidence.push_back(evidence_json(piece));
        json["ranking"].push_back({{"name", suspect.name},
                                   {"service", suspect.service},
                                   {"score", suspect.score},
                                   {"evidence", std::move(evidence)}});
    }
    return json;
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
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::size_t num_problems(const Case& found) {
    std::size_t count = 0;
    for (const DataProblem& problem : found.problems) count += problem.count;
    return count;
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
        if (style_.width() == 0) return 120;
        const auto width = static_cast<std::size_t>(style_.width());
        return width > others + 24 ? width - others : 24;
    }

    const DiagnosisReport& report_;
    const Style& style_;
    std::string text_;
};

}  // namespace

std::string_view MethodAnswer::status() const {
    return error ? "failed" : to_string(diagnosis.status);
}

std::string_view MethodAnswer::reason() const {
    return error ? std::string_view(error->message) : std::string_view(diagnosis.reason);
}

Coverage coverage_of(const Incident& incident) {
    Coverage coverage;
    const auto note = [&](bool is_there, std::string text, const char* name) {
        if (is_there)
            coverage.seen.push_back(std::move(text));
        else
            coverage.missing.emplace_back(name);
    };
    const Frame& metrics = incident.metrics;
    note(metrics.num_columns() > 0 && metrics.num_rows() > 0,
         fmt::format("{} metrics of {} services every {}, {} rows", metrics.num_columns(),
                     services_of(incident).size(), format_duration(metrics.step()),
                     metrics.num_rows()),
         "metrics");
    const std::size_t num_logs = incident.logs ? incident.logs->size() : 0;
    note(num_logs > 0, fmt::format("{} log lines", num_logs), "logs");
    const std::size_t num_spans = incident.spans ? incident.spans->size() : 0;
    note(num_spans > 0,
         fmt::format("{} spans of {} traces", num_spans,
                     incident.spans ? incident.spans->traces.size() : 0),
         "traces");
    const std::size_t num_edges = incident.topology ? incident.topology->edges.size() : 0;
    note(num_edges > 0, fmt::format("call graph of {} edges", num_edges), "call graph");
    note(!incident.changes.empty(), fmt::format("{} change events", incident.changes.size()),
         "change events");
    return coverage;
}

std::string diagnosis_json(const DiagnosisReport& report) {
    Json json;
    if (report.answers.size() == 1) {
        json = json_of(report.answers.front(), report.top);
    } else {
        json = Json::array();
        for (const MethodAnswer& answer : report.answers)
            json.push_back(json_of(answer, report.top));
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string diagnosis_text(const DiagnosisReport& report, const Style& style) {
    return Terminal(report, style).text();
}

std::string diagnosis_markdown(const DiagnosisReport& report) {
    const Coverage coverage = coverage_of(report.found->incident);
    std::string text = fmt::format("# Incident {}\n\n- Seen: {}\n- Missing: {}\n",
                                   incident_line(*report.found), joined(coverage.seen),
                                   coverage.missing.empty() ? "nothing" : joined(coverage.missing));
    for (const MethodAnswer& answer : report.answers) {
        text += fmt::format("\n## {}\n", method_line(answer));
        if (!answer.reason().empty()) text += fmt::format("\n{}\n", answer.reason());
        for (const std::string& note : answer.diagnosis.notes) text += fmt::format("\n{}\n", note);
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
