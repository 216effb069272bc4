#include "culprit/stats/rolling_mean.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/check.h"

namespace culprit::stats {

std::vector<double> rolling_mean(std::span<const double> values, std::size_t window) {
    CULPRIT_CHECK(window >= 1);
    std::vector<double> means(values.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < values.size(); ++i) {
        double sum = 0.0;
        std::size_t count = 0;
        for (std::size_t k = i + 1 - std::min(i + 1, window); k <= i; ++k) {
            if (std::isnan(values[k])) continue;
            sum += values[k];
            ++count;
        }
        if (count > 0) means[i] = sum / static_cast<double>(count);
    }
    return means;
}

std::vector<double> unit_length(std::vector<double> values) {
    double squares = 0.0;
    for (const double v : values) squares += v * v;
    const double length = std::sqrt(squares);
    if (length > 0.0)
        for (double& v : values) v /= length;
    return values;
}

}  // namespace culprit::stats
