#include "culprit/methods/call_anomalies.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "culprit/stats/birch.h"
#include "culprit/stats/correlation.h"
#include "culprit/stats/rolling_mean.h"

namespace culprit {
namespace {

constexpr std::size_t smoothing_rows = 10;
constexpr double birch_threshold = 0.045;

bool is_call_column(const std::string& name) {
    for (const char* other : {"unknown", "timestamp", "time", "index"})
        if (name.find(other) != std::string::npos) return false;
    return true;
}

std::vector<std::string> parts_of(std::string_view name) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0;;) {
        const std::size_t end = name.find('_', begin);
        parts.emplace_back(name.substr(begin, end - begin));
        if (end == std::string_view::npos) return parts;
        begin = end + 1;
    }
}

}  // namespace

CallGraph CallGraph::of(const Topology& topology) {
    CallGraph result;
    for (const TopologyEdge& edge : topology.edges) {
        const std::size_t from = result.names.intern(edge.from);
        const std::size_t to = result.names.intern(edge.to);
        result.is_host.resize(result.names.size());
        const bool to_host = edge.kind == EdgeKind::runs_on;
        if (to_host) result.is_host[to] = true;
        result.all.set_edge(from, to, 1.0);
        if (!to_host) result.services.set_edge(from, to, 1.0);
    }
    return result;
}

std::vector<AnomalousCall> anomalous_calls(const Frame& edge_latency) {
    std::vector<AnomalousCall> calls;
    for (std::size_t c = 0; c < edge_latency.num_columns(); ++c) {
        const std::string& name = edge_latency.column(c).name;
        if (!is_call_column(name)) continue;
        std::vector<double> smooth = stats::rolling_mean(edge_latency.values(c), smoothing_rows);
        for (double& v : smooth)
            if (!std::isfinite(v)) v = 0.0;
        const auto clusters = stats::birch(stats::unit_length(std::move(smooth)), birch_threshold);
        if (clusters.num_used() < 2) continue;
        const std::vector<std::string> parts = parts_of(name);
        calls.push_back({c, parts[0], parts.size() > 1 ? parts[1] : std::string()});
    }
    return calls;
}

std::vector<std::string> callees_of(const std::vector<AnomalousCall>& calls) {
    std::vector<std::string> callees;
    for (const AnomalousCall& call : calls)
        if (std::find(callees.begin(), callees.end(), call.callee) == callees.end())
            callees.push_back(call.callee);
    return callees;
}

std::optional<std::vector<double>> latency_of(const Frame& edge_latency, std::string_view name) {
    std::optional<std::vector<double>> sum;
    for (std::size_t c = 0; c < edge_latency.num_columns(); ++c) {
        const std::vector<std::string> parts = parts_of(edge_latency.column(c).name);
        if (std::find(parts.begin(), parts.end(), name) == parts.end()) continue;
        if (!sum) sum.emplace(edge_latency.num_rows(), 0.0);
        const auto values = edge_latency.values(c);
        for (std::size_t r = 0; r < values.size(); ++r)
            (*sum)[r] += std::isnan(values[r]) ? 0.0 : values[r];
    }
    return sum;
}

double row_correlation(std::span<const double> x, std::span<const double> y) {
    std::vector<double> both_x;
    std::vector<double> both_y;
    for (std::size_t r = 0; r < std::min(x.size(), y.size()); ++r) {
        if (!std::isfinite(x[r]) || !std::isfinite(y[r])) continue;
        both_x.push_back(x[r]);
        both_y.push_back(y[r]);
    }
    return stats::correlation(both_x, both_y);
}

double thousandth(double value) { return std::rint(value * 1000.0) / 1000.0; }

Status check_calls(const Incident& incident, std::string_view method) {
    if (incident.topology && incident.edge_latency) return {};
    return fail(ErrorCode::missing_input,
                fmt::format("{} needs a call graph and the latency of its calls, got no {}", method,
                            incident.topology ? "latency" : "call graph"));
}

}  // namespace culprit
