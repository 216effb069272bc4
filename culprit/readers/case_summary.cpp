#include "culprit/readers/case_summary.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "culprit/frame/span_series.h"

namespace culprit {
namespace {

template <class Summary>
void set_extent(const std::vector<TimePoint>& times, Summary& summary) {
    if (times.empty()) return;
    const auto [first, last] = std::minmax_element(times.begin(), times.end());
    summary.first = *first;
    summary.last = *last;
}

LogSummary summarize_logs(const LogTable& logs) {
    LogSummary summary;
    summary.num_records = logs.size();
    summary.num_sources = logs.sources.size();
    set_extent(logs.time, summary);
    summary.templates = mine_templates(logs).templates;
    std::stable_sort(summary.templates.begin(), summary.templates.end(),
                     [](const auto& a, const auto& b) { return a.count > b.count; });
    return summary;
}

SpanSummary summarize_spans(const SpanTable& spans) {
    SpanSummary summary;
    summary.num_spans = spans.size();
    summary.num_traces = spans.traces.size();
    summary.num_services = spans.services.size();
    set_extent(spans.start, summary);
    const SpanTimes times = time_spans(spans);
    const SpanFailure failed(spans);
    std::unordered_set<std::uint64_t> operations;
    std::unordered_set<std::uint64_t> edges;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const std::uint64_t service = spans.service[i];
        operations.insert(service << 32U | spans.operation[i]);
        summary.num_errors += failed(spans.status[i]) ? 1 : 0;
        const std::uint32_t parent = times.parent[i];
        if (parent == SpanTimes::no_parent)
            ++(spans.parent_id[i] == 0 ? summary.num_roots : summary.num_orphans);
        else if (spans.service[parent] != spans.service[i])
            edges.insert(static_cast<std::uint64_t>(spans.service[parent]) << 32U | service);
    }
    summary.num_operations = operations.size();
    summary.num_edges = edges.size();
    return summary;
}

TopologySummary summarize_topology(const Topology& topology) {
    TopologySummary summary;
    summary.num_nodes = topology.nodes.size();
    for (const TopologyNode& node : topology.nodes)
        summary.num_hosts += node.kind == NodeKind::host ? 1 : 0;
    for (const TopologyEdge& edge : topology.edges)
        ++(edge.kind == EdgeKind::calls ? summary.num_calls : summary.num_placements);
    return summary;
}

std::vector<ServiceSummary> summarize_services(const Incident& incident) {
    std::vector<ServiceSummary> services;
    std::unordered_map<std::string_view, std::size_t> index;
    const std::vector<std::string> names = services_of(incident);
    services.reserve(names.size());
    for (const std::string& name : names) {
        index.emplace(name, services.size());
        services.push_back({name});
    }
    for (const Column& column : incident.metrics.columns())
        if (const auto at = index.find(column.service); at != index.end())
            ++services[at->second].num_metrics;
    if (incident.logs)
        for (const std::uint32_t source : incident.logs->source)
            if (const auto at = index.find(incident.logs->sources[source]); at != index.end())
                ++services[at->second].num_logs;
    if (incident.spans)
        for (const std::uint32_t service : incident.spans->service)
            if (const auto at = index.find(incident.spans->services[service]); at != index.end())
                ++services[at->second].num_spans;
    return services;
}

}  // namespace

FrameSummary summarize(const Frame& frame) {
    FrameSummary summary;
    summary.num_rows = frame.num_rows();
    summary.num_columns = frame.num_columns();
    summary.step = frame.step();
    const auto times = frame.times();
    if (!times.empty()) {
        summary.first = times.front();
        summary.last = times.back();
    }
    for (std::size_t i = 1; i < times.size(); ++i) {
        const Duration distance = times[i] - times[i - 1];
        if (distance * 2 <= summary.step * 3) continue;
        ++summary.num_gaps;
        summary.longest_gap = std::max(summary.longest_gap, distance);
    }
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const auto values = frame.values(c);
        std::size_t num_missing = 0;
        double first = std::numeric_limits<double>::quiet_NaN();
        bool constant = true;
        for (const double value : values) {
            if (std::isnan(value)) {
                ++num_missing;
                continue;
            }
            if (std::isnan(first)) first = value;
            constant = constant && value == first;
        }
        summary.num_missing += num_missing;
        summary.num_constant += constant ? 1 : 0;
    }
    return summary;
}

CaseSummary summarize(const Case& incident_case) {
    const Incident& incident = incident_case.incident;
    CaseSummary summary;
    summary.id = incident_case.id;
    summary.dataset = incident_case.dataset;
    summary.path = incident_case.path;
    summary.truth = incident_case.truth;
    summary.alert = incident.alert;
    summary.rows_before = incident.metrics.first_row_at(incident.alert);
    summary.rows_after = incident.metrics.num_rows() - summary.rows_before;
    summary.symptom = incident.symptom;
    summary.metrics = summarize(incident.metrics);
    summary.text_columns = incident.text_columns;
    summary.services = summarize_services(incident);
    if (incident.logs) summary.logs = summarize_logs(*incident.logs);
    if (incident.spans) summary.spans = summarize_spans(*incident.spans);
    if (incident.topology) summary.topology = summarize_topology(*incident.topology);
    summary.num_changes = incident.changes.size();
    summary.problems = incident_case.problems;
    return summary;
}

}  // namespace culprit
