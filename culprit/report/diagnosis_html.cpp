#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "culprit/report/diagnosis_lines.h"
#include "culprit/report/diagnosis_report.h"
#include "culprit/report/downsample.h"
#include "culprit/report/evidence_text.h"
#include "culprit/report/html_page.h"
#include "culprit/report/quantity_text.h"

namespace culprit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t services_with_series = 10;
constexpr std::size_t series_max = 120;
constexpr std::size_t buckets_per_series = 250;

// Six digits are more than a chart can show, and a third of the file.
double six_digits(double value) {
    return std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);
}

// Seconds since the alert; the page adds the alert's time for clocks.
double since_alert(TimePoint t, const Incident& incident) {
    return six_digits(to_seconds(t - incident.alert));
}

struct Timing {
    const Incident& incident;
    Json& json;
    void operator()(const ShiftEvidence& e) const {
        json["at"] = since_alert(e.onset, incident);
        json["uncertainty"] = to_seconds(e.onset_uncertainty);
    }
    void operator()(const LogEvidence& e) const { begin(e.first_seen); }
    void operator()(const SpanEvidence& e) const { begin(e.onset); }
    void operator()(const EdgeEvidence& e) const { json["score"] = e.strength; }
    // What nobody measured has no place on the time line.
    void begin(TimePoint when) const {
        if (when != TimePoint{}) json["at"] = since_alert(when, incident);
    }
};

Json page_evidence(const Evidence& evidence, const Suspect& suspect, const Incident& incident) {
    Json json = evidence_json(evidence);
    const EvidenceText words = evidence_text(evidence, suspect.service);
    json["text"] = {
        {"when", words.when}, {"what", words.what}, {"moved", words.moved}, {"score", words.score}};
    std::visit(Timing{incident, json}, evidence);
    return json;
}

Json page_points(std::span<const double> values, const Incident& incident) {
    Json points = Json::array();
    for (const auto& [row, value] : downsample(values, buckets_per_series)) {
        const double at = since_alert(incident.metrics.times()[row], incident);
        points.push_back(
            Json::array({at, std::isfinite(value) ? Json(six_digits(value)) : Json(nullptr)}));
    }
    return points;
}

Json page_step(const FindingStep& step, const Incident& incident) {
    Json json = {{"when", when_text(step.when, step.uncertainty)},
                 {"text", step.text},
                 {"remark", step.remark}};
    if (step.when != TimePoint{}) json["at"] = since_alert(step.when, incident);
    json["uncertainty"] = to_seconds(step.uncertainty);
    if (step.series.empty()) return json;
    json["unit"] = step.unit;
    if (step.baseline) json["baseline"] = six_digits(*step.baseline);
    json["series"] = Json::array();
    for (const SignalSeries& series : step.series)
        json["series"].push_back(
            {{"component", series.component}, {"points", page_points(series.values, incident)}});
    return json;
}

Json page_advice(const Advice& advice) {
    return {{"action", advice.action}, {"command", advice.command}};
}

Json page_findings(const Diagnosis& diagnosis, const Incident& incident) {
    Json findings = Json::array();
    for (const Finding& finding : diagnosis.findings) {
        Json json = {{"component", finding.component},
                     {"name", finding.name},
                     {"layer", finding.layer},
                     {"probability", finding.probability},
                     {"percent", percent(finding.probability)},
                     {"is_told", findings.empty() || finding.probability >= told_probability_min},
                     {"chain", Json::array()},
                     {"beside", finding.beside},
                     {"where", finding.where},
                     {"new_lines", new_log_lines(diagnosis, finding)},
                     {"against", finding.against},
                     {"ruled_out", finding.ruled_out},
                     {"advice", Json::array()}};
        for (const FindingStep& step : finding.chain)
            json["chain"].push_back(page_step(step, incident));
        for (const Advice& advice : finding.advice) json["advice"].push_back(page_advice(advice));
        if (finding.meanwhile) json["meanwhile"] = page_advice(*finding.meanwhile);
        findings.push_back(std::move(json));
    }
    return findings;
}

Json page_answer(const MethodAnswer& answer, const Incident& incident,
                 std::set<std::string>& columns) {
    Json json;
    json["method"] = answer.method;
    json["variant"] = to_string(answer.variant);
    json["status"] = answer.status();
    json["reason"] = answer.reason();
    json["notes"] = answer.diagnosis.notes;
    json["findings"] = page_findings(answer.diagnosis, incident);
    json["doubt"] = doubt_line(answer.diagnosis);
    json["blind_spots"] = answer.diagnosis.blind_spots;
    json["seconds_text"] = format_quantity(answer.seconds, "s");
    json["suspects"] = Json::array();
    std::set<std::string> services;
    for (const Suspect& suspect : answer.diagnosis.ranking.suspects()) {
        services.insert(suspect.service);
        Json evidence = Json::array();
        if (services.size() <= services_with_series) {
            for (const Evidence& piece : suspect.evidence) {
                evidence.push_back(page_evidence(piece, suspect, incident));
                const auto* shift = std::get_if<ShiftEvidence>(&piece);
                if (shift && columns.size() < series_max) columns.insert(shift->column);
            }
        }
        json["suspects"].push_back({{"name", suspect.name},
                                    {"service", suspect.service},
                                    {"score", six_digits(suspect.score)},
                                    {"score_text", format_number(suspect.score)},
                                    {"evidence", std::move(evidence)}});
    }
    return json;
}

Json page_series(const Incident& incident, const std::set<std::string>& columns) {
    Json json = Json::object();
    for (const std::string& name : columns) {
        const auto column = incident.metrics.find(name);
        if (!column) continue;
        json[name] = {{"unit", incident.metrics.column(*column).unit},
                      {"points", page_points(incident.metrics.values(*column), incident)}};
    }
    return json;
}

std::string_view kind_text(EdgeKind kind) {
    switch (kind) {
        case EdgeKind::calls:
            return "calls";
        case EdgeKind::runs_on:
            return "runs_on";
        case EdgeKind::part_of:
            return "part_of";
    }
    return "calls";
}

Json page_graph(const Incident& incident) {
    Json edges = Json::array();
    if (incident.topology)
        for (const TopologyEdge& edge : incident.topology->edges)
            edges.push_back({{"from", edge.from}, {"to", edge.to}, {"kind", kind_text(edge.kind)}});
    return {{"edges", std::move(edges)}};
}

Json page_range(TimeRange range, const Incident& incident) {
    return Json::array({since_alert(range.begin, incident), since_alert(range.end, incident)});
}

}  // namespace

std::string diagnosis_html(const DiagnosisReport& report) {
    const Case& found = *report.found;
    const Incident& incident = found.incident;
    const Coverage coverage = coverage_of(incident);
    std::set<std::string> columns;
    Json json;
    json["id"] = found.id;
    json["alert"] = to_unix_seconds(incident.alert);
    json["symptom"] = symptom_line(report.answers);
    json["alert_text"] = format_time(incident.alert, 0);
    json["baseline"] = page_range(incident.baseline, incident);
    json["suspect"] = page_range(incident.suspect, incident);
    json["baseline_text"] = format_duration(incident.baseline.length());
    json["suspect_text"] = format_duration(incident.suspect.length());
    json["num_shown"] = report.top.value_or(services_shown);
    json["seen"] = coverage.seen;
    json["missing"] = coverage.missing;
    json["answers"] = Json::array();
    for (const MethodAnswer& answer : report.answers)
        json["answers"].push_back(page_answer(answer, incident, columns));
    json["series"] = page_series(incident, columns);
    json["graph"] = page_graph(incident);
    json["problems"] = Json::array();
    for (const DataProblem& problem : found.problems)
        json["problems"].push_back(
            {{"place", problem.place}, {"message", problem.message}, {"count", problem.count}});
    return html_page("Incident " + found.id, PageScript::incident, json);
}

}  // namespace culprit
