#include "culprit/evaluation/chance.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace culprit {
namespace {

constexpr std::size_t nodes_max = 2000;

struct Node {
    double x = 0.0;  // in [0, 1]
    double weight = 0.0;
};

struct Legendre {
    double value = 0.0;
    double derivative = 0.0;
};

// P_n by the three-term recurrence and its derivative, |x| < 1.
Legendre legendre(std::size_t n, double x) {
    double before = 1.0;
    double value = x;
    for (std::size_t k = 2; k <= n; ++k) {
        const auto kd = static_cast<double>(k);
        const double next = ((2.0 * kd - 1.0) * x * value - (kd - 1.0) * before) / kd;
        before = value;
        value = next;
    }
    return {value, static_cast<double>(n) * (x * value - before) / (x * x - 1.0)};
}

// Nodes and weights of Gauss-Legendre quadrature on [0, 1]: Newton's iteration from Tricomi's
// starting points.
std::vector<Node> gauss_legendre(std::size_t n) {
    std::vector<Node> nodes(n);
    if (n == 1) return {{0.5, 1.0}};
    for (std::size_t i = 0; i < n; ++i) {
        double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) /
                            (static_cast<double>(n) + 0.5));
        Legendre p = legendre(n, x);
        for (int step = 0; step < 20; ++step) {
            const double move = p.value / p.derivative;
            x -= move;
            p = legendre(n, x);
            if (std::abs(move) < 1e-15) break;
        }
        nodes[i] = {0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * p.derivative * p.derivative)};
    }
    return nodes;
}

Score score_of(std::span<const double> probability_of_rank) {
    Score score;
    double sum = 0.0;
    for (std::size_t r = 0; r < probability_of_rank.size(); ++r) {
        sum += probability_of_rank[r];
        if (r < Score::k_max) score.hit[r] = std::min(1.0, sum);
        score.reciprocal_rank += probability_of_rank[r] / static_cast<double>(r + 1);
    }
    for (std::size_t r = probability_of_rank.size(); r < Score::k_max; ++r) score.hit[r] = 1.0;
    return score;
}

}  // namespace

Score chance_of_service(std::size_t num_truth_columns, std::span<const std::size_t> others) {
    if (num_truth_columns == 0) return {};
    const std::size_t num_columns =
        std::accumulate(others.begin(), others.end(), num_truth_columns);
    const auto truth = static_cast<double>(num_truth_columns);
    std::vector<double> probability(others.size() + 1, 0.0);
    std::vector<double> preceding(others.size() + 1);
    for (const Node& node : gauss_legendre(std::min(nodes_max, num_columns / 2 + 1))) {
        // preceding[j]: probability that exactly j of the services seen so far precede.
        std::fill(preceding.begin(), preceding.end(), 0.0);
        preceding[0] = 1.0;
        for (std::size_t s = 0; s < others.size(); ++s) {
            const double later = std::pow(node.x, static_cast<double>(others[s]));
            for (std::size_t j = s + 1; j > 0; --j)
                preceding[j] = preceding[j] * later + preceding[j - 1] * (1.0 - later);
            preceding[0] *= later;
        }
        const double density = truth * std::pow(node.x, truth - 1.0) * node.weight;
        for (std::size_t j = 0; j < preceding.size(); ++j) probability[j] += density * preceding[j];
    }
    return score_of(probability);
}

Score chance_of_metric(std::size_t num_true, std::size_t num_columns) {
    if (num_true == 0 || num_true > num_columns) return {};
    std::vector<double> probability;
    double none_yet = 1.0;  // C(N - t, k) / C(N, k), one factor at a time
    for (std::size_t k = 0; k + num_true <= num_columns; ++k) {
        const double left = static_cast<double>(num_columns - k);
        const double hit = static_cast<double>(num_true) / left;
        probability.push_back(none_yet * hit);
        none_yet *= 1.0 - hit;
    }
    return score_of(probability);
}

}  // namespace culprit
