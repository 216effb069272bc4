#include "culprit/stats/kernel_density.h"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>

#include "culprit/base/check.h"
#include "culprit/stats/distributions.h"
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

// The share of an estimate of `count` values above x; `values` are those of them that matter.
double upper_tail(std::span<const double> values, std::size_t count, double x, double h) {
    double sum = 0.0;
    for (const double v : values) sum += 0.5 * std::erfc((x - v) / (h * std::numbers::sqrt2));
    return sum / static_cast<double>(count);
}

// The x above which the estimate leaves `tail`. At the k-th largest value, k = ceil(2 tail N), at
// least half of k kernels lie above: x is no smaller. z h above the largest, Phi(z) = 1 - tail, no
// kernel leaves more than `tail`: x is no larger. Of values nine bandwidths below that range
// nothing is left in double precision. `values` are reordered.
double solve_upper(std::vector<double>& values, double tail, double h) {
    const std::size_t n = values.size();
    const auto rank = static_cast<std::size_t>(std::ceil(2.0 * tail * static_cast<double>(n)));
    const auto kth =
        values.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(rank, 1, n) - 1);
    std::nth_element(values.begin(), kth, values.end(), std::greater<>());
    const double low = *kth;
    const double high =
        *std::max_element(values.begin(), kth + 1) + h * normal_quantile(1.0 - tail);
    const auto end =
        std::partition(kth + 1, values.end(), [&](double v) { return v > low - 9.0 * h; });
    const std::span<const double> near(values.begin(), end);
    const auto excess = [&](double x) { return std::log(upper_tail(near, n, x, h) / tail); };
    const double excess_low = excess(low);
    const double excess_high = excess(high);
    if (!(excess_low > 0.0)) return low;
    if (!(excess_high < 0.0)) return high;
    std::uintmax_t steps_max = 60;
    const auto [below, above] =
        boost::math::tools::toms748_solve(excess, low, high, excess_low, excess_high,
                                          boost::math::tools::eps_tolerance<double>(50), steps_max);
    return 0.5 * (below + above);
}

}  // namespace

DensityRange density_range(std::span<const double> values, double tail,
                           std::vector<double>& scratch) {
    CULPRIT_CHECK(!values.empty() && tail > 0.0 && tail < 0.5);
    const double h = bandwidth(values, scratch);
    const Extremes reached = extremes(values);
    if (!(h > 0.0)) return {.low = reached.minimum, .high = reached.maximum};
    scratch.assign(values.begin(), values.end());
    const double high = solve_upper(scratch, tail, h);
    for (double& v : scratch) v = -v;
    return {.low = -solve_upper(scratch, tail, h), .high = high};
}

}  // namespace culprit::stats
