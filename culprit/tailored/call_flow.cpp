#include "culprit/tailored/call_flow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "culprit/tailored/blame_flow.h"
#include "culprit/tailored/metric_family.h"

namespace culprit::tailored {
namespace {

constexpr double deviations_min = 2.0;

/// The columns of one service that take part.
struct FlowColumns {
    std::optional<std::size_t> latency;
    std::optional<std::size_t> requests;
    std::optional<std::size_t> availability;
    std::optional<std::size_t> errors;
    int latency_quality = 0;
};

bool is_client_side(std::string_view metric) { return metric.find("client") != metric.npos; }

/// Of two columns that would serve alike, always the same one, whatever their order.
std::size_t first_by_name(const Frame& frame, std::optional<std::size_t> current,
                          std::size_t candidate) {
    return current && frame.column(*current).name <= frame.column(candidate).name ? *current
                                                                                  : candidate;
}

std::map<std::string, FlowColumns> flow_columns(const Frame& frame) {
    std::map<std::string, FlowColumns> services;
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const Column& column = frame.column(c);
        const std::string& metric = column.metric.empty() ? column.name : column.metric;
        const std::string service =
            column.service.empty() ? service_of_name(column.name) : column.service;
        const FamilyRole role = family_of(metric).role;
        if (service.empty() || role == FamilyRole::own) continue;
        FlowColumns& found = services[service];
        const int quality = latency_rank(metric);
        if (role == FamilyRole::latency) {
            if (is_client_side(metric) || (found.latency && found.latency_quality < quality))
                continue;
            if (!found.latency || quality < found.latency_quality) found.latency = c;
            found.latency = first_by_name(frame, found.latency, c);
            found.latency_quality = quality;
        } else if (role == FamilyRole::availability) {
            found.availability = first_by_name(frame, found.availability, c);
        } else if (role == FamilyRole::errors) {
            found.errors = first_by_name(frame, found.errors, c);
        } else if (role == FamilyRole::traffic) {
            found.requests = first_by_name(frame, found.requests, c);
        }
    }
    return services;
}

struct Weighted {
    double mean = 0.0;
    double weight = 0.0;
};

/// Mean of the values weighted by requests, over rows in which both exist and there were requests.
Weighted weighted_mean(std::span<const double> values, std::span<const double> requests,
                       RowRange rows) {
    double sum = 0.0;
    Weighted out;
    for (std::size_t r = rows.first; r < rows.last; ++r)
        if (std::isfinite(values[r]) && std::isfinite(requests[r]) && requests[r] > 0.0) {
            sum += values[r] * requests[r];
            out.weight += requests[r];
        }
    out.mean = out.weight > 0.0 ? sum / out.weight : 0.0;
    return out;
}

/// Standard deviation of the weighted mean over reference blocks as long as the suspect window, or
/// an eighth of the reference if that is shorter.
double block_spread(std::span<const double> values, std::span<const double> requests,
                    RowRange reference, std::size_t suspect_rows) {
    const std::size_t length = std::min(std::max<std::size_t>(suspect_rows, 1),
                                        std::max<std::size_t>(reference.size() / 8, 1));
    double sum = 0.0;
    double squares = 0.0;
    double count = 0.0;
    for (std::size_t first = reference.first; first + length <= reference.last; first += length) {
        const Weighted block = weighted_mean(values, requests, {first, first + length});
        if (block.weight <= 0.0) continue;
        sum += block.mean;
        squares += block.mean * block.mean;
        count += 1.0;
    }
    if (count < 2.0) return 0.0;
    return std::sqrt(std::max(0.0, squares / count - (sum / count) * (sum / count)));
}

class Measure {
public:
    Measure(const Frame& frame, const Windows& windows)
        : frame_(frame),
          reference_(rows_in(frame, windows.reference)),
          suspect_(rows_in(frame, windows.suspect)) {}

    double requests_now(const FlowColumns& columns) const {
        if (!columns.requests || suspect_.size() == 0) return 0.0;
        double sum = 0.0;
        for (const double r :
             frame_.values(*columns.requests).subspan(suspect_.first, suspect_.size()))
            if (std::isfinite(r)) sum += r;
        return sum / static_cast<double>(suspect_.size());
    }

    FlowNode latency(const FlowColumns& columns, double requests) const {
        FlowNode node{.requests = requests};
        if (!columns.latency || !columns.requests) return node;
        const auto values = frame_.values(*columns.latency);
        const auto weights = frame_.values(*columns.requests);
        const Weighted before = weighted_mean(values, weights, reference_);
        const Weighted now = weighted_mean(values, weights, suspect_);
        if (before.weight <= 0.0 || now.weight <= 0.0) return node;
        const double scale = block_spread(values, weights, reference_, suspect_.size()) +
                             0.05 * std::abs(before.mean);
        set(node, (now.mean - before.mean) * requests, scale * requests);
        return node;
    }

    FlowNode failures(const FlowColumns& columns, double requests) const {
        FlowNode node{.requests = requests};
        if (!columns.requests || (!columns.availability && !columns.errors)) return node;
        const auto weights = frame_.values(*columns.requests);
        const std::vector<double> share = failure_share(columns, weights);
        const Weighted before = weighted_mean(share, weights, reference_);
        const Weighted now = weighted_mean(share, weights, suspect_);
        if (before.weight <= 0.0 || now.weight <= 0.0) return node;
        const auto rows = static_cast<double>(suspect_.size());
        const double spread =
            block_spread(share, weights, reference_, suspect_.size()) * requests * rows;
        const double poisson = std::max(0.0, before.mean * requests * rows) + 1.0;
        set(node, (now.mean - before.mean) * requests, std::sqrt(spread * spread + poisson) / rows);
        return node;
    }

private:
    static void set(FlowNode& node, double excess, double scale) {
        node.noise = scale;
        if (!(scale > 0.0) || !std::isfinite(excess)) return;
        node.deviations = excess / scale;
        if (node.deviations >= deviations_min) node.excess = excess;
    }

    std::vector<double> failure_share(const FlowColumns& columns,
                                      std::span<const double> requests) const {
        const auto source =
            frame_.values(columns.availability ? *columns.availability : *columns.errors);
        double largest = 0.0;
        for (const double v : source)
            if (std::isfinite(v)) largest = std::max(largest, v);
        const double full = largest > 1.5 ? 100.0 : 1.0;  // percent or fraction
        std::vector<double> share(source.size(), std::numeric_limits<double>::quiet_NaN());
        for (std::size_t r = 0; r < source.size(); ++r) {
            if (!std::isfinite(source[r])) continue;
            if (columns.availability)
                share[r] = std::clamp(1.0 - source[r] / full, 0.0, 1.0);
            else if (requests[r] > 0.0)
                share[r] = source[r] / requests[r];
        }
        return share;
    }

    const Frame& frame_;
    RowRange reference_;
    RowRange suspect_;
};

}  // namespace

CallFlow call_flow(const Incident& incident, const Windows& windows) {
    CallFlow flow;
    if (!incident.topology) return flow;
    const auto columns = flow_columns(incident.metrics);
    std::map<std::string, std::size_t> index;
    std::vector<const FlowColumns*> services;
    for (const auto& [service, found] : columns)
        if (found.requests && (found.latency || found.availability || found.errors)) {
            index.emplace(service, services.size());
            services.push_back(&found);
        }
    std::vector<std::pair<std::size_t, std::size_t>> calls;
    for (const TopologyEdge& edge : incident.topology->edges) {
        const auto from = index.find(edge.from);
        const auto to = index.find(edge.to);
        if (edge.kind == EdgeKind::calls && from != index.end() && to != index.end())
            calls.emplace_back(from->second, to->second);
    }
    flow.available = services.size() >= 2 && !calls.empty();
    if (!flow.available) return flow;

    const Measure measure(incident.metrics, windows);
    std::vector<FlowNode> latency;
    std::vector<FlowNode> failures;
    for (const FlowColumns* found : services) {
        const double requests = measure.requests_now(*found);
        latency.push_back(measure.latency(*found, requests));
        failures.push_back(measure.failures(*found, requests));
    }
    const auto late = blame_flow(latency, calls);
    const auto failed = blame_flow(failures, calls);
    double total = 0.0;
    for (std::size_t i = 0; i < services.size(); ++i) total += late[i] + failed[i];
    for (const auto& [service, i] : index) {
        flow.share[service] = total > 0.0 ? (late[i] + failed[i]) / total : 0.0;
        flow.deviations[service] = std::max({0.0, latency[i].deviations, failures[i].deviations});
    }
    return flow;
}

}  // namespace culprit::tailored
