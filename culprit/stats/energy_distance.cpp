#include "culprit/stats/energy_distance.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace culprit::stats {

double energy_inhomogeneity(std::span<const double> x, std::span<const double> y) {
    if (x.empty() || y.empty()) return 0.0;
    std::vector<std::pair<double, bool>> pooled;  // value, belongs to x
    pooled.reserve(x.size() + y.size());
    for (const double v : x) pooled.emplace_back(v, true);
    for (const double v : y) pooled.emplace_back(v, false);
    std::sort(pooled.begin(), pooled.end());
    // Over each gap between neighbours: |X - Y| crosses it with probability F(1-G) + G(1-F).
    const double step_x = 1.0 / static_cast<double>(x.size());
    const double step_y = 1.0 / static_cast<double>(y.size());
    std::size_t num_x = 0;
    std::size_t num_y = 0;
    double between = 0.0;
    double excess = 0.0;
    for (std::size_t i = 0; i + 1 < pooled.size(); ++i) {
        ++(pooled[i].second ? num_x : num_y);
        const double gap = pooled[i + 1].first - pooled[i].first;
        const double f = static_cast<double>(num_x) * step_x;
        const double g = static_cast<double>(num_y) * step_y;
        between += gap * (f * (1.0 - g) + g * (1.0 - f));
        excess += gap * 2.0 * (f - g) * (f - g);
    }
    return between > 0.0 ? excess / (2.0 * between) : 0.0;
}

}  // namespace culprit::stats
