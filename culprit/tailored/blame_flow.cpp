#include "culprit/tailored/blame_flow.h"

#include <algorithm>
#include <cmath>

#include "culprit/base/check.h"

namespace culprit::tailored {
namespace {

constexpr int depth_max = 32;
constexpr double mass_min = 1e-6;  // below it the walk changes nothing that anybody ranks by

struct Calls {
    std::vector<std::vector<std::size_t>> callees;
    std::vector<std::vector<std::size_t>> callers;
};

std::vector<double> entries(std::span<const FlowNode> nodes, const Calls& calls) {
    std::vector<double> mass(nodes.size(), 0.0);
    for (std::size_t v = 0; v < nodes.size(); ++v) {
        if (nodes[v].excess <= 0.0) continue;
        bool shared = false;
        double hidden = 0.0;
        for (const std::size_t u : calls.callers[v]) {
            shared = shared || nodes[u].excess > 0.0;
            hidden += nodes[u].noise;
        }
        if (shared) continue;
        const double sure = 1.0 - std::exp(-(nodes[v].deviations * nodes[v].deviations) / 9.0);
        mass[v] = nodes[v].requests * sure * nodes[v].excess / (nodes[v].excess + hidden);
    }
    return mass;
}

/// Every node is in a cycle of nodes with an excess: blame enters at the one with most requests.
void enter_at_busiest(std::span<const FlowNode> nodes, std::vector<double>& mass) {
    std::size_t best = nodes.size();
    for (std::size_t v = 0; v < nodes.size(); ++v)
        if (nodes[v].excess > 0.0 &&
            (best == nodes.size() || nodes[v].requests > nodes[best].requests))
            best = v;
    if (best < nodes.size()) mass[best] = std::max(nodes[best].requests, 1e-3);
}

}  // namespace

std::vector<double> blame_flow(std::span<const FlowNode> nodes,
                               std::span<const std::pair<std::size_t, std::size_t>> calls) {
    Calls graph{.callees = std::vector<std::vector<std::size_t>>(nodes.size()),
                .callers = std::vector<std::vector<std::size_t>>(nodes.size())};
    for (const auto& [u, v] : calls) {
        CULPRIT_CHECK(u < nodes.size() && v < nodes.size());
        if (u == v) continue;
        graph.callees[u].push_back(v);
        graph.callers[v].push_back(u);
    }
    std::vector<double> mass = entries(nodes, graph);
    if (std::ranges::all_of(mass, [](double m) { return m <= 0.0; })) enter_at_busiest(nodes, mass);
    std::vector<double> blame(nodes.size(), 0.0);
    for (int depth = 0; depth < depth_max; ++depth) {
        std::vector<double> next(nodes.size(), 0.0);
        bool moving = false;
        for (std::size_t u = 0; u < nodes.size(); ++u) {
            if (mass[u] <= 0.0) continue;
            double below = 0.0;
            for (const std::size_t v : graph.callees[u]) below += nodes[v].excess;
            const double passed =
                mass[u] < mass_min || below <= 0.0 ? 0.0 : std::min(1.0, below / nodes[u].excess);
            blame[u] += mass[u] * (1.0 - passed);
            for (const std::size_t v : graph.callees[u])
                if (passed > 0.0 && nodes[v].excess > 0.0) {
                    next[v] += mass[u] * passed * nodes[v].excess / below;
                    moving = true;
                }
        }
        mass.swap(next);
        if (!moving) return blame;
    }
    for (std::size_t u = 0; u < nodes.size(); ++u) blame[u] += mass[u];
    return blame;
}

}  // namespace culprit::tailored
