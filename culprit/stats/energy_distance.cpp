#include "culprit/stats/energy_distance.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace culprit::stats {

namespace {

/// All values in order: the gaps between neighbours, and to which sample each belongs.
struct Pooled {
    std::vector<double> gap;  // one less than values
    std::vector<char> is_x;
};

Pooled pool(std::span<const double> x, std::span<const double> y) {
    std::vector<std::pair<double, bool>> all;
    all.reserve(x.size() + y.size());
    for (const double v : x) all.emplace_back(v, true);
    for (const double v : y) all.emplace_back(v, false);
    std::sort(all.begin(), all.end());
    Pooled pooled;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > 0) pooled.gap.push_back(all[i].first - all[i - 1].first);
        pooled.is_x.push_back(all[i].second ? 1 : 0);
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

EnergyFinding energy_permutation(std::span<const double> x, std::span<const double> y,
                                 std::size_t num_permutations, Random& random) {
    if (x.empty() || y.empty()) return {};
    const double step_x = 1.0 / static_cast<double>(x.size());
    const double step_y = 1.0 / static_cast<double>(y.size());
    Pooled pooled = pool(x, y);
    EnergyFinding finding;
    finding.inhomogeneity = inhomogeneity(pooled, step_x, step_y);
    std::size_t reached = 1;
    for (std::size_t i = 0; i < num_permutations; ++i) {
        random.shuffle(pooled.is_x);
        // Divisions that are alike may differ in the last bits.
        if (inhomogeneity(pooled, step_x, step_y) >= finding.inhomogeneity * (1.0 - 1e-12))
            ++reached;
    }
    finding.p_value = static_cast<double>(reached) / static_cast<double>(num_permutations + 1);
    return finding;
}

}  // namespace culprit::stats
