#include "culprit/stats/peaks_over_threshold.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "culprit/base/check.h"

namespace culprit::stats {

double peaks_over_threshold(std::span<const double> values, double tail_start, double risk) {
    CULPRIT_CHECK(!values.empty() && tail_start > 0.0 && tail_start < 1.0 && risk > 0.0);
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    const double position = tail_start * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const double start =
        sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
    double sum = 0.0;
    double squares = 0.0;
    double count = 0.0;
    for (const double x : sorted) {
        if (x <= start) continue;
        sum += x - start;
        squares += (x - start) * (x - start);
        count += 1.0;
    }
    if (count < 2.0) return sorted.back();
    const double mean = sum / count;
    const double variance = squares / count - mean * mean;
    if (!(variance > 1e-12 * mean * mean)) return sorted.back();
    const double shape = 0.5 * (1.0 - mean * mean / variance);
    const double scale = 0.5 * mean * (1.0 + mean * mean / variance);
    const double ratio = risk * static_cast<double>(sorted.size()) / count;
    const double level = std::abs(shape) < 1e-9
                             ? start - scale * std::log(ratio)
                             : start + scale / shape * (std::pow(ratio, -shape) - 1.0);
    return std::max(level, start);
}

}  // namespace culprit::stats
