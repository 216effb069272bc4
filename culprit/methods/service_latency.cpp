#include "culprit/methods/service_latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/methods/service_calls.h"
#include "culprit/stats/birch.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/rolling_mean.h"

namespace culprit {
namespace {

std::vector<double> filled(std::span<const double> values) {
    std::vector<double> result(values.begin(), values.end());
    double last = 0.0;
    for (double& v : result) {
        if (!std::isfinite(v)) v = last;
        last = v;
    }
    return result;
}

std::size_t num_reached(const graph::WeightedDigraph& calls, std::size_t start) {
    std::vector<std::size_t> open = {start};
    std::vector<std::size_t> seen = {start};
    while (!open.empty()) {
        const std::size_t node = open.back();
        open.pop_back();
        for (const auto& edge : calls.out_edges(node)) {
            if (std::find(seen.begin(), seen.end(), edge.to) != seen.end()) continue;
            seen.push_back(edge.to);
            open.push_back(edge.to);
        }
    }
    return seen.size();
}

std::size_t entry_of(const Incident& incident, const ServiceLatency& latency) {
    if (incident.symptom) {
        const auto column = incident.metrics.find(*incident.symptom);
        const std::string service = column && !incident.metrics.column(*column).service.empty()
                                        ? incident.metrics.column(*column).service
                                        : service_of_name(*incident.symptom);
        const auto known = latency.names.find(service);
        if (known) return *known;
    }
    std::size_t best = latency.calls.nodes()[0];
    std::size_t most = 0;
    for (const bool only_uncalled : {true, false}) {
        for (const std::size_t node : latency.calls.nodes()) {
            if (only_uncalled && !latency.calls.in_edges(node).empty()) continue;
            const std::size_t reached = num_reached(latency.calls, node);
            if (reached > most) {
                most = reached;
                best = node;
            }
        }
        if (most > 0) return best;  // else every service is called by another: a cycle
    }
    return best;
}

void add_measured_calls(const Frame& table, ServiceLatency& result) {
    for (const std::size_t caller : result.calls.nodes())
        for (const auto& edge : result.calls.out_edges(caller)) {
            const auto column =
                table.find(fmt::format("{}_{}", result.names[static_cast<std::uint32_t>(caller)],
                                       result.names[static_cast<std::uint32_t>(edge.to)]));
            if (column) result.measured.push_back({caller, edge.to, filled(table.values(*column))});
        }
    if (!result.measured.empty()) result.times.assign(table.times().begin(), table.times().end());
}

// Smaller is better; 3 is no latency at all.
int latency_class(const std::string& metric) {
    const bool is_latency =
        metric.find("latency") != std::string::npos || metric.find("duration") != std::string::npos;
    if (!is_latency) return 3;
    if (metric.find("client") != std::string::npos) return 2;
    return metric == "latency" ? 0 : 1;
}

void add_latency_metrics(const Frame& metrics, ServiceLatency& result) {
    std::vector<int> best(result.names.size(), 3);
    std::vector<std::size_t> column(result.names.size(), 0);
    for (std::size_t c = 0; c < metrics.num_columns(); ++c) {
        const Column& info = metrics.column(c);
        const auto service =
            result.names.find(info.service.empty() ? service_of_name(info.name) : info.service);
        if (!service) continue;
        const int rank = latency_class(info.metric.empty() ? info.name : info.metric);
        if (rank >= best[*service]) continue;
        best[*service] = rank;
        column[*service] = c;
    }
    for (const std::size_t callee : result.calls.nodes()) {
        if (best[callee] == 3) continue;
        const std::vector<double> latency = filled(metrics.values(column[callee]));
        for (const auto& edge : result.calls.in_edges(callee))
            result.measured.push_back({edge.to, callee, latency});
        if (result.calls.in_edges(callee).empty()) result.of_service[callee] = latency;
    }
    result.times.assign(metrics.times().begin(), metrics.times().end());
}

std::vector<double> mean_of(const std::vector<const ServiceLatency::Call*>& calls,
                            std::size_t num_rows) {
    std::vector<double> mean(num_rows, 0.0);
    for (const auto* call : calls)
        for (std::size_t r = 0; r < num_rows; ++r)
            mean[r] += call->latency[r] / static_cast<double>(calls.size());
    return mean;
}

void average_calls(ServiceLatency& result) {
    for (const std::size_t node : result.calls.nodes()) {
        if (!result.of_service[node].empty()) continue;
        std::vector<const ServiceLatency::Call*> in;
        std::vector<const ServiceLatency::Call*> out;
        for (const auto& call : result.measured) {
            if (call.callee == node) in.push_back(&call);
            if (call.caller == node) out.push_back(&call);
        }
        if (!in.empty() || !out.empty())
            result.of_service[node] = mean_of(in.empty() ? out : in, result.times.size());
    }
}

}  // namespace

Result<ServiceLatency> ServiceLatency::of(const Incident& incident, std::string_view method) {
    ServiceLatency result;
    for (const auto& [caller, callee] : service_calls(incident))
        result.calls.set_edge(result.names.intern(caller), result.names.intern(callee), 1.0);
    if (result.calls.num_nodes() == 0)
        return fail(ErrorCode::missing_input,
                    fmt::format("{} needs a call graph (topology or spans with parents), got none",
                                method));
    result.of_service.resize(result.names.size());
    if (incident.edge_latency) add_measured_calls(*incident.edge_latency, result);
    if (result.measured.empty()) add_latency_metrics(incident.metrics, result);
    average_calls(result);
    const bool is_measured =
        std::any_of(result.of_service.begin(), result.of_service.end(),
                    [](const std::vector<double>& series) { return !series.empty(); });
    if (!is_measured)
        return fail(ErrorCode::missing_input,
                    fmt::format("{} needs the latency of calls or services, got none for the {} "
                                "services of the call graph",
                                method, result.calls.num_nodes()));
    result.num_before = static_cast<std::size_t>(
        std::lower_bound(result.times.begin(), result.times.end(), incident.alert) -
        result.times.begin());
    if (result.num_before == 0 || result.num_before == result.times.size())
        return fail(
            ErrorCode::too_few_samples,
            fmt::format("{} needs latency on both sides of the alert, got {} rows before "
                        "and {} after",
                        method, result.num_before, result.times.size() - result.num_before));
    result.entry = entry_of(incident, result);
    return result;
}

const ServiceLatency::Call* ServiceLatency::find(std::size_t caller, std::size_t callee) const {
    for (const Call& call : measured)
        if (call.caller == caller && call.callee == callee) return &call;
    return nullptr;
}

bool is_above_three_sigma(std::span<const double> latency, std::size_t num_before) {
    if (latency.empty()) return false;
    const auto before = latency.first(num_before);
    const stats::Moments m = stats::moments(before);
    const double limit = m.mean + 3.0 * std::sqrt(m.variance);
    const double reached = stats::extremes(latency.subspan(num_before)).maximum;
    return reached > limit + 1e-12 * std::abs(limit);
}

bool enters_new_cluster(std::span<const double> latency, std::size_t num_before) {
    if (latency.empty()) return false;
    constexpr std::size_t smoothing_rows = 10;
    const double threshold = 0.045 * std::sqrt(120.0);
    std::vector<double> scaled = stats::unit_length(stats::rolling_mean(latency, smoothing_rows));
    for (double& v : scaled) v *= std::sqrt(static_cast<double>(scaled.size()));
    const stats::BirchClusters clusters = stats::birch(scaled, threshold);
    std::vector<bool> is_known(clusters.centroids.size());
    for (std::size_t r = 0; r < num_before; ++r) is_known[clusters.labels[r]] = true;
    for (std::size_t r = num_before; r < clusters.labels.size(); ++r)
        if (!is_known[clusters.labels[r]]) return true;
    return false;
}

std::vector<double> at_times(const Frame& metrics, std::size_t c,
                             std::span<const TimePoint> times) {
    std::vector<double> values;
    values.reserve(times.size());
    const auto grid = metrics.times();
    const auto column = metrics.values(c);
    std::size_t next = 0;
    double last = std::numeric_limits<double>::quiet_NaN();
    for (const TimePoint t : times) {
        for (; next < grid.size() && grid[next] <= t; ++next)
            if (std::isfinite(column[next])) last = column[next];
        values.push_back(last);
    }
    return values;
}

}  // namespace culprit
