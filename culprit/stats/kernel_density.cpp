#include "culprit/stats/kernel_density.h"

#include <algorithm>
#include <cmath>

#include "culprit/base/check.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

double bandwidth(std::span<const double> values, std::vector<double>& scratch) {
    const Moments m = moments(values);
    if (!spreads(m, values.size())) return 0.0;
    constexpr double normal_range = 1.3489795003921634;
    scratch.assign(values.begin(), values.end());
    const double robust = quartiles(scratch).range() / normal_range;
    const double deviation = std::sqrt(m.variance);
    const double spread = robust > 0.0 ? std::min(deviation, robust) : deviation;
    return 0.9 * spread * std::pow(static_cast<double>(values.size()), -0.2);
}

// The share of the estimate above x.
double upper_tail(std::span<const double> values, double x, double h) {
    double sum = 0.0;
    for (const double v : values) sum += 0.5 * std::erfc((x - v) / (h * 1.4142135623730951));
    return sum / static_cast<double>(values.size());
}

}  // namespace

DensityRange density_range(std::span<const double> values, double tail,
                           std::vector<double>& scratch) {
    CULPRIT_CHECK(!values.empty() && tail > 0.0 && tail < 0.5);
    const double h = bandwidth(values, scratch);
    const Extremes reached = extremes(values);
    if (!(h > 0.0)) return {.low = reached.minimum, .high = reached.maximum};
    // 40 bandwidths beyond the data nothing is left of the estimate in double precision.
    const auto solve = [&](double share_above) {
        double low = reached.minimum - 40.0 * h;
        double high = reached.maximum + 40.0 * h;
        for (int step = 0; step < 60; ++step) {
            const double middle = 0.5 * (low + high);
            (upper_tail(values, middle, h) > share_above ? low : high) = middle;
        }
        return 0.5 * (low + high);
    };
    return {.low = solve(1.0 - tail), .high = solve(tail)};
}

}  // namespace culprit::stats
