#include "culprit/report/diagnosis_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "culprit/report/evidence_text.h"
#include "culprit/report/quantity_text.h"

namespace culprit {
namespace {

using Json = nlohmann::ordered_json;

Json number_json(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json json_of(const FindingStep& step) {
    Json json = {
        {"when", step.when == TimePoint{} ? Json(nullptr) : Json(format_rfc3339(step.when))},
        {"uncertainty_s", to_seconds(step.uncertainty)},
        {"text", step.text},
        {"remark", step.remark}};
    if (step.signal.empty()) return json;
    json["signal"] = step.signal;
    json["unit"] = step.unit;
    json["baseline"] = number_json(step.baseline);
    json["now"] = number_json(step.now);
    json["siblings"] = number_json(step.siblings);
    return json;
}

Json json_of(const Advice& advice) {
    return {{"action", advice.action}, {"command", advice.command}};
}

Json json_of(const Finding& finding) {
    Json json;
    json["component"] = finding.component;
    json["fault"] = finding.fault;
    json["name"] = finding.name;
    json["layer"] = finding.layer;
    json["probability"] = finding.probability;
    json["chain"] = Json::array();
    for (const FindingStep& step : finding.chain) json["chain"].push_back(json_of(step));
    json["beside"] = finding.beside;
    json["where"] = finding.where;
    json["against"] = finding.against;
    json["ruled_out"] = finding.ruled_out;
    json["advice"] = Json::array();
    for (const Advice& advice : finding.advice) json["advice"].push_back(json_of(advice));
    json["meanwhile"] = finding.meanwhile ? json_of(*finding.meanwhile) : Json(nullptr);
    return json;
}

Json findings_json(const Diagnosis& diagnosis) {
    Json json = Json::array();
    for (const Finding& finding : diagnosis.findings) json.push_back(json_of(finding));
    return json;
}

Json json_of(const MethodAnswer& answer, std::optional<std::size_t> top) {
    Json json;
    json["method"] = answer.method;
    json["variant"] = to_string(answer.variant);
    json["status"] = answer.status();
    if (!answer.reason().empty()) json["reason"] = answer.reason();
    if (!answer.diagnosis.notes.empty()) json["notes"] = answer.diagnosis.notes;
    if (answer.diagnosis.symptom) json["symptom"] = json_of(*answer.diagnosis.symptom);
    if (!answer.diagnosis.findings.empty()) json["findings"] = findings_json(answer.diagnosis);
    if (!answer.diagnosis.blind_spots.empty()) json["blind_spots"] = answer.diagnosis.blind_spots;
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

std::string counted(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

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
         fmt::format("{} of {} every {}, {}", counted(metrics.num_columns(), "metric"),
                     counted(services_of(incident).size(), "service"),
                     format_duration(metrics.step()), counted(metrics.num_rows(), "row")),
         "metrics");
    const std::size_t num_logs = incident.logs ? incident.logs->size() : 0;
    note(num_logs > 0, counted(num_logs, "log line"), "logs");
    const std::size_t num_spans = incident.spans ? incident.spans->size() : 0;
    note(num_spans > 0,
         fmt::format("{} of {}", counted(num_spans, "span"),
                     counted(incident.spans ? incident.spans->traces.size() : 0, "trace")),
         "traces");
    const std::size_t num_edges = incident.topology ? incident.topology->edges.size() : 0;
    note(num_edges > 0, "call graph of " + counted(num_edges, "edge"), "call graph");
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

}  // namespace culprit
