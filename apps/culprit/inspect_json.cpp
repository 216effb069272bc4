#include <nlohmann/json.hpp>

#include "apps/culprit/inspect_text.h"

namespace culprit::cli {
namespace {

using Json = nlohmann::ordered_json;

Json time_json(const std::optional<TimePoint>& time) {
    return time ? Json(format_rfc3339(*time)) : Json(nullptr);
}

Json metrics_json(const CaseSummary& summary) {
    const FrameSummary& metrics = summary.metrics;
    return {{"rows", metrics.num_rows},
            {"columns", metrics.num_columns},
            {"text_columns", summary.text_columns},
            {"first", time_json(metrics.first)},
            {"last", time_json(metrics.last)},
            {"step_s", to_seconds(metrics.step)},
            {"gaps", metrics.num_gaps},
            {"longest_gap_s", to_seconds(metrics.longest_gap)},
            {"missing_values", metrics.num_missing},
            {"constant_columns", metrics.num_constant}};
}

Json logs_json(const LogSummary& logs) {
    Json templates = Json::array();
    for (const LogTemplates::Entry& entry : logs.templates)
        templates.push_back({{"count", entry.count}, {"template", entry.text}});
    return {{"records", logs.num_records},
            {"sources", logs.num_sources},
            {"first", time_json(logs.first)},
            {"last", time_json(logs.last)},
            {"templates", std::move(templates)}};
}

Json spans_json(const SpanSummary& spans) {
    return {{"spans", spans.num_spans},        {"traces", spans.num_traces},
            {"services", spans.num_services},  {"operations", spans.num_operations},
            {"edges", spans.num_edges},        {"roots", spans.num_roots},
            {"orphans", spans.num_orphans},    {"errors", spans.num_errors},
            {"first", time_json(spans.first)}, {"last", time_json(spans.last)}};
}

Json topology_json(const TopologySummary& topology) {
    return {{"nodes", topology.num_nodes},
            {"hosts", topology.num_hosts},
            {"calls", topology.num_calls},
            {"placements", topology.num_placements}};
}

Json truth_json(const GroundTruth& truth) {
    Json json = {{"services", truth.services}, {"metrics", truth.metrics}, {"fault", truth.fault}};
    if (!truth.location.empty()) json["location"] = truth.location;
    return json;
}

Json case_json(const InspectedCase& inspected) {
    const CaseSummary& summary = inspected.summary;
    Json json = {{"id", summary.id}, {"dataset", summary.dataset}, {"path", summary.path}};
    if (!inspected.error.empty()) {
        json["error"] = inspected.error;
        return json;
    }
    json["alert"] = format_rfc3339(summary.alert);
    json["rows_before"] = summary.rows_before;
    json["rows_after"] = summary.rows_after;
    json["symptom"] = summary.symptom ? Json(*summary.symptom) : Json(nullptr);
    json["truth"] = summary.truth ? truth_json(*summary.truth) : Json(nullptr);
    json["metrics"] = metrics_json(summary);
    json["logs"] = summary.logs ? logs_json(*summary.logs) : Json(nullptr);
    json["spans"] = summary.spans ? spans_json(*summary.spans) : Json(nullptr);
    json["topology"] = summary.topology ? topology_json(*summary.topology) : Json(nullptr);
    json["changes"] = summary.num_changes;
    json["services"] = Json::array();
    for (const ServiceSummary& service : summary.services)
        json["services"].push_back({{"name", service.name},
                                    {"metrics", service.num_metrics},
                                    {"log_records", service.num_logs},
                                    {"spans", service.num_spans}});
    json["problems"] = Json::array();
    for (const DataProblem& problem : summary.problems)
        json["problems"].push_back(
            {{"place", problem.place}, {"message", problem.message}, {"count", problem.count}});
    return json;
}

}  // namespace

std::string cases_json(std::span<const InspectedCase> cases, bool as_array) {
    Json json = Json::array();
    for (const InspectedCase& inspected : cases) json.push_back(case_json(inspected));
    // A path or a message may hold bytes that are no UTF-8: replaced rather than refused.
    return (as_array ? json : json.at(0)).dump(2, ' ', false, Json::error_handler_t::replace) +
           "\n";
}

}  // namespace culprit::cli
