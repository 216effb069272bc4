#include "culprit/report/downsample.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace culprit {

std::vector<std::pair<std::size_t, double>> downsample(std::span<const double> values,
                                                       std::size_t num_buckets) {
    std::vector<std::pair<std::size_t, double>> points;
    const std::size_t n = values.size();
    if (num_buckets == 0) return points;
    if (n <= 2 * num_buckets) {
        for (std::size_t i = 0; i < n; ++i) points.emplace_back(i, values[i]);
        return points;
    }
    for (std::size_t b = 0; b < num_buckets; ++b) {
        const std::size_t begin = b * n / num_buckets;
        const std::size_t end = (b + 1) * n / num_buckets;
        std::size_t low = end;
        std::size_t high = end;
        for (std::size_t i = begin; i < end; ++i) {
            if (std::isnan(values[i])) continue;
            if (low == end || values[i] < values[low]) low = i;
            if (high == end || values[i] > values[high]) high = i;
        }
        if (low == end) {
            points.emplace_back(begin, std::numeric_limits<double>::quiet_NaN());
            continue;
        }
        points.emplace_back(std::min(low, high), values[std::min(low, high)]);
        if (low != high) points.emplace_back(std::max(low, high), values[std::max(low, high)]);
    }
    return points;
}

}  // namespace culprit
