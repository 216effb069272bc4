#include "culprit/stats/correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/check.h"
#include "culprit/stats/moments.h"

namespace culprit::stats {
namespace {

struct CoMoments {
    double xx = 0.0;
    double xy = 0.0;
    double yy = 0.0;
};

CoMoments co_moments(std::span<const double> x, std::span<const double> y) {
    CULPRIT_CHECK(x.size() == y.size());
    const double mean_x = mean(x);
    const double mean_y = mean(y);
    CoMoments sum;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double dx = x[i] - mean_x;
        const double dy = y[i] - mean_y;
        sum.xx += dx * dx;
        sum.xy += dx * dy;
        sum.yy += dy * dy;
    }
    return sum;
}

}  // namespace

double correlation(std::span<const double> x, std::span<const double> y) {
    const CoMoments sum = co_moments(x, y);
    const double scale = std::sqrt(sum.xx) * std::sqrt(sum.yy);
    if (!(scale > 0.0) || !std::isfinite(scale)) return std::numeric_limits<double>::quiet_NaN();
    return std::clamp(sum.xy / scale, -1.0, 1.0);
}

double co_moment(std::span<const double> x, std::span<const double> y) {
    return co_moments(x, y).xy;
}

}  // namespace culprit::stats
