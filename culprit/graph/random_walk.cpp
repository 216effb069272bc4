#include "culprit/graph/random_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "culprit/base/check.h"
#include "culprit/graph/numpy_generator.h"

namespace culprit {

std::vector<std::size_t> uniform_draws_from_seed_zero(std::size_t num_nodes,
                                                      std::size_t num_steps) {
    CULPRIT_CHECK(num_nodes > 0);
    // The cumulative sums with their rounding errors, as Generator.choice forms them.
    std::vector<double> cumulative(num_nodes);
    const double share = 1.0 / static_cast<double>(num_nodes);
    double sum = 0.0;
    for (double& c : cumulative) c = sum += share;
    for (double& c : cumulative) c /= sum;
    NumpyGenerator generator;
    std::vector<std::size_t> draws(num_steps);
    for (std::size_t& draw : draws)
        draw = static_cast<std::size_t>(
            std::upper_bound(cumulative.begin(), cumulative.end(), generator.uniform()) -
            cumulative.begin());
    return draws;
}

std::vector<double> uniform_walk_from_seed_zero(std::size_t num_nodes, std::size_t num_steps) {
    std::vector<double> visits(num_nodes, 0.0);
    for (const std::size_t node : uniform_draws_from_seed_zero(num_nodes, num_steps))
        visits[node] += 1.0;
    for (double& v : visits) v /= static_cast<double>(std::max<std::size_t>(num_steps, 1));
    return visits;
}

Matrix cause_walk_weights(MatrixView causes, std::span<const double> scores, double rho) {
    const std::size_t n = causes.num_rows();
    CULPRIT_CHECK(n == causes.num_columns() && n == scores.size());
    Matrix weights(n, n);
    for (std::size_t v = 0; v < n; ++v) {
        double largest = 0.0;
        for (std::size_t u = 0; u < n; ++u) {
            if (u == v) continue;
            if (causes(v, u) != 0.0)
                weights(v, u) = scores[u];
            else if (causes(u, v) != 0.0)
                weights(v, u) = rho * scores[u];
            largest = std::max(largest, weights(v, u));
        }
        weights(v, v) = std::max(0.0, scores[v] - largest);
    }
    return weights;
}

Result<std::vector<double>> expected_visits(MatrixView weights, std::size_t start,
                                            std::size_t num_steps) {
    const std::size_t n = weights.num_rows();
    CULPRIT_CHECK(n == weights.num_columns() && start < n);
    struct Step {
        std::size_t from, to;
        double share;
    };
    std::vector<double> sums(n, 0.0);
    for (std::size_t j = 0; j < n; ++j)
        for (std::size_t i = 0; i < n; ++i) {
            if (!(weights(i, j) >= 0.0) || !std::isfinite(weights(i, j)))
                return fail(ErrorCode::invalid_input,
                            fmt::format("a walk needs finite weights >= 0, got {} on {} -> {}",
                                        weights(i, j), i, j));
            sums[i] += weights(i, j);
        }
    std::vector<Step> steps;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
            if (weights(i, j) > 0.0) steps.push_back({i, j, weights(i, j) / sums[i]});
    std::vector<double> here(n, 0.0);
    std::vector<double> next(n);
    std::vector<double> visits(n, 0.0);
    here[start] = 1.0;
    for (std::size_t t = 0; t < num_steps; ++t) {
        std::fill(next.begin(), next.end(), 0.0);
        for (const Step& step : steps) next[step.to] += here[step.from] * step.share;
        for (std::size_t i = 0; i < n; ++i) visits[i] += next[i];
        here.swap(next);
    }
    for (double& v : visits) v /= static_cast<double>(std::max<std::size_t>(num_steps, 1));
    return visits;
}

}  // namespace culprit
