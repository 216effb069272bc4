#include "culprit/stats/energy_distance.h"

#include <Eigen/Core>
#include <algorithm>
#include <cstdint>
#include <utility>

#include "culprit/base/check.h"

namespace culprit::stats {

namespace {

/// All values in order: the gaps between neighbours, which row each comes from (those of x first)
/// and to which sample it belongs.
struct Pooled {
    std::vector<double> gap;  // one less than values
    std::vector<std::uint32_t> row;
    std::vector<char> is_x;
};

Pooled pool(std::span<const double> x, std::span<const double> y) {
    std::vector<std::pair<double, std::uint32_t>> all;
    all.reserve(x.size() + y.size());
    for (const auto values : {x, y})
        for (const double v : values) all.emplace_back(v, static_cast<std::uint32_t>(all.size()));
    std::sort(all.begin(), all.end());
    Pooled pooled;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > 0) pooled.gap.push_back(all[i].first - all[i - 1].first);
        pooled.row.push_back(all[i].second);
        pooled.is_x.push_back(all[i].second < x.size() ? 1 : 0);
    }
    return pooled;
}

// Over each gap |X - Y| crosses with probability F (1 - G) + G (1 - F).
double inhomogeneity(const Pooled& pooled, double step_x, double step_y) {
    double f = 0.0;
    double g = 0.0;
    double between = 0.0;
    double excess = 0.0;
    for (std::size_t i = 0; i < pooled.gap.size(); ++i) {
        const double is_x = pooled.is_x[i];
        f += is_x * step_x;
        g += (1.0 - is_x) * step_y;
        between += pooled.gap[i] * (f * (1.0 - g) + g * (1.0 - f));
        excess += pooled.gap[i] * 2.0 * (f - g) * (f - g);
    }
    return between > 0.0 ? excess / (2.0 * between) : 0.0;
}

}  // namespace

double energy_inhomogeneity(std::span<const double> x, std::span<const double> y) {
    if (x.empty() || y.empty()) return 0.0;
    return inhomogeneity(pool(x, y), 1.0 / static_cast<double>(x.size()),
                         1.0 / static_cast<double>(y.size()));
}

RandomDivisions::RandomDivisions(std::size_t n, std::size_t m, std::size_t count, Random& random)
    : n_(n), m_(m), count_(count) {
    CULPRIT_CHECK(n > 0 && m > 0 && count > 0);
    weights_.resize(num_blocks() * (n + m));
    const auto all = static_cast<double>(n + m);
    const double first = static_cast<double>(m) / all;
    const double second = -static_cast<double>(n) / all;
    std::vector<double> weight(n + m, second);
    std::fill_n(weight.begin(), n, first);
    for (std::size_t d = 0; d < num_blocks() * lanes; ++d) {
        if (d < count) random.shuffle(weight);
        auto* const block = weights_.data() + d / lanes * (n + m);
        for (std::size_t row = 0; row < n + m; ++row) block[row][d % lanes] = weight[row];
    }
}

namespace {

/// H of a division against the observed h, as a quadratic form. With a = N/(N+M), b = M/(N+M),
/// P_k = (k+1)/(N+M) and F, G the two distribution functions below gap k, let U_k be the sum of the
/// division's weights of the k + 1 smallest values: F = P + U/N, G = P - U/M, hence with s = 1/N +
/// 1/M
///
///   (F - G)^2 = s^2 U^2
///   F (1 - G) + G (1 - F) = 2 P (1 - P) + U (1/N - 1/M)(1 - 2P) + 2 U^2 / (N M)
///   H >= h  iff  sum gap (F - G)^2 >= h sum gap (F (1 - G) + G (1 - F))
///           iff  sum U (A U + B) >= limit
struct Step {
    std::size_t row = 0;  // of the value below the gap
    double a = 0.0;
    double b = 0.0;
};

struct Comparison {
    std::vector<Step> steps;
    double limit = 0.0;
};

Comparison comparison_with(double h, const Pooled& pooled, std::size_t n, std::size_t m) {
    const auto nx = static_cast<double>(n);
    const auto ny = static_cast<double>(m);
    const double s = 1.0 / nx + 1.0 / ny;
    Comparison comparison;
    comparison.steps.reserve(pooled.gap.size());
    for (std::size_t k = 0; k < pooled.gap.size(); ++k) {
        const double gap = pooled.gap[k];
        const double p = static_cast<double>(k + 1) / (nx + ny);
        comparison.steps.push_back({pooled.row[k], gap * (s * s - 2.0 * h / (nx * ny)),
                                    -h * gap * (1.0 / nx - 1.0 / ny) * (1.0 - 2.0 * p)});
        comparison.limit += h * gap * 2.0 * p * (1.0 - p);
    }
    return comparison;
}

// How many of a block's first `num_used` divisions reach the limit.
std::size_t count_reached(const Comparison& comparison, const RandomDivisions& divisions,
                          std::size_t block, std::size_t num_used) {
    using Lanes = Eigen::Array<double, RandomDivisions::lanes, 1>;
    Lanes u = Lanes::Zero();
    Lanes sum = Lanes::Zero();
    for (const Step& step : comparison.steps) {
        u += Eigen::Map<const Lanes>(divisions.at(block, step.row).data());
        sum += u * (step.a * u + step.b);
    }
    return static_cast<std::size_t>(
        std::count_if(sum.begin(), sum.begin() + static_cast<std::ptrdiff_t>(num_used),
                      [&](double v) { return v >= comparison.limit; }));
}

}  // namespace

EnergyFinding energy_permutation(std::span<const double> x, std::span<const double> y,
                                 const RandomDivisions& divisions, double significance) {
    CULPRIT_CHECK(x.size() == divisions.n() && y.size() == divisions.m());
    const Pooled pooled = pool(x, y);
    EnergyFinding finding;
    finding.inhomogeneity = inhomogeneity(pooled, 1.0 / static_cast<double>(x.size()),
                                          1.0 / static_cast<double>(y.size()));
    // Divisions that are alike may differ in the last bits.
    const Comparison comparison =
        comparison_with(finding.inhomogeneity * (1.0 - 1e-10), pooled, x.size(), y.size());
    std::size_t reached = 1;
    const auto share = [&] {
        return static_cast<double>(reached) / static_cast<double>(divisions.count() + 1);
    };
    constexpr std::size_t lanes = RandomDivisions::lanes;
    for (std::size_t block = 0; block < divisions.num_blocks() && share() <= significance; ++block)
        reached += count_reached(comparison, divisions, block,
                                 std::min(lanes, divisions.count() - block * lanes));
    finding.p_value = share();
    return finding;
}

}  // namespace culprit::stats
