#include "culprit/stats/deviation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

// The 5 % of the level of the trivial baseline (mean shift): a series that never moved before the
// alert scores at most 40, however large it is.
constexpr double relative_floor = 0.05;

double floor_scale(ScaleFloor floor, double center, const Extremes& after) {
    if (floor == ScaleFloor::one) return 1.0;
    const double magnitude =
        std::max({std::abs(center), std::abs(after.minimum), std::abs(after.maximum)});
    return magnitude > 0.0 ? relative_floor * magnitude : 1.0;
}

double largest(const Extremes& after, double center, double scale, Sides sides) {
    const double up = (after.maximum - center) / scale;
    return sides == Sides::up ? up : std::max(up, (center - after.minimum) / scale);
}

}  // namespace

double standard_deviations_away(std::span<const double> before, std::span<const double> after,
                                const DeviationOptions& options) {
    const Extremes reached = extremes(after);
    const Moments m = moments(before);
    const double scale = spreads(m, before.size()) ? std::sqrt(m.variance)
                                                   : floor_scale(options.floor, m.mean, reached);
    return largest(reached, m.mean, scale, options.sides);
}

double quartile_ranges_away(std::span<const double> before, std::span<const double> after,
                            const DeviationOptions& options, std::vector<double>& scratch) {
    constexpr double eps = std::numeric_limits<double>::epsilon();
    constexpr double normal_range = 1.3489795003921634;  // Q3 - Q1 of the standard normal
    const Extremes reached = extremes(after);
    scratch.assign(before.begin(), before.end());
    const Quartiles q = quartiles(scratch);
    const bool is_relative = options.floor == ScaleFloor::relative;
    // RobustScaler calls a range below 10 eps rounding, whatever the unit of the series.
    const double unit = is_relative ? std::max(std::abs(q.lower), std::abs(q.upper)) : 1.0;
    double scale = q.range();
    if (!(scale > 0.0 && scale >= 10.0 * eps * unit)) {
        const Moments m = is_relative ? moments(before) : Moments{};
        scale = is_relative && spreads(m, before.size())
                    ? normal_range * std::sqrt(m.variance)
                    : floor_scale(options.floor, q.median, reached);
    }
    return largest(reached, q.median, scale, options.sides);
}

}  // namespace culprit::stats
