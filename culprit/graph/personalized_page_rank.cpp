#include "culprit/graph/personalized_page_rank.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "culprit/base/check.h"

namespace culprit::graph {
namespace {

/// The graph by places, its steps normalised.
struct Steps {
    std::vector<std::vector<WeightedDigraph::Edge>> out;
    std::vector<bool> is_dangling;
};

Result<Steps> normalised(const WeightedDigraph& graph) {
    std::unordered_map<std::size_t, std::size_t> place;
    for (std::size_t i = 0; i < graph.num_nodes(); ++i) place[graph.nodes()[i]] = i;
    Steps steps;
    for (const std::size_t node : graph.nodes()) {
        double sum = 0.0;
        for (const auto& edge : graph.out_edges(node)) sum += edge.weight;
        if (!std::isfinite(sum))
            return fail(ErrorCode::numerical,
                        fmt::format("node {} has a step of weight {}", node, sum));
        std::vector<WeightedDigraph::Edge> out;
        double share = 0.0;
        for (const auto& edge : graph.out_edges(node)) {
            out.push_back({place.at(edge.to), sum == 0.0 ? 0.0 : edge.weight / sum});
            share += out.back().weight;
        }
        steps.out.push_back(std::move(out));
        steps.is_dangling.push_back(share == 0.0);
    }
    return steps;
}

Result<std::vector<double>> distribution(const std::vector<double>& preference, std::size_t n) {
    if (preference.empty()) return std::vector<double>(n, 1.0 / static_cast<double>(n));
    CULPRIT_CHECK(preference.size() == n);
    const double sum = std::accumulate(preference.begin(), preference.end(), 0.0);
    if (sum == 0.0 || !std::isfinite(sum))
        return fail(ErrorCode::invalid_input,
                    fmt::format("preferences must have a sum other than 0, got {}", sum));
    std::vector<double> p;
    p.reserve(preference.size());
    for (const double value : preference) p.push_back(value / sum);
    return p;
}

}  // namespace

Result<std::vector<double>> personalized_page_rank(const WeightedDigraph& graph,
                                                   const std::vector<double>& preference,
                                                   const PersonalizedPageRankOptions& options,
                                                   const Stop& stop) {
    const std::size_t n = graph.num_nodes();
    if (n == 0) return std::vector<double>{};
    CULPRIT_TRY(const Steps steps, normalised(graph));
    CULPRIT_TRY(const std::vector<double> p, distribution(preference, n));
    const double d = options.damping;
    std::vector<double> x(n, 1.0 / static_cast<double>(n));
    for (int i = 0; i < options.iterations_max; ++i) {
        CULPRIT_TRY_STATUS(stop.check());
        std::vector<double> next(n, 0.0);
        double dangling = 0.0;
        for (std::size_t u = 0; u < n; ++u) dangling += steps.is_dangling[u] ? x[u] : 0.0;
        dangling *= d;
        for (std::size_t u = 0; u < n; ++u) {
            for (const auto& edge : steps.out[u]) next[edge.to] += d * x[u] * edge.weight;
            next[u] += dangling * p[u] + (1.0 - d) * p[u];
        }
        double change = 0.0;
        for (std::size_t u = 0; u < n; ++u) change += std::abs(next[u] - x[u]);
        x = std::move(next);
        if (change < static_cast<double>(n) * options.tolerance) return x;
        if (!std::isfinite(change)) break;
    }
    return fail(
        ErrorCode::not_converged,
        fmt::format("PageRank did not converge within {} iterations", options.iterations_max));
}

}  // namespace culprit::graph
