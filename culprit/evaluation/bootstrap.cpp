#include "culprit/evaluation/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "culprit/base/random.h"

namespace culprit {
namespace {

// Linear interpolation between order statistics, as numpy's default does.
double quantile(std::vector<double>& values, double q) {
    std::sort(values.begin(), values.end());
    const double at = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(at));
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (at - std::floor(at)) * (values[above] - values[below]);
}

}  // namespace

std::vector<Interval> bootstrap_means(MatrixView scores, const BootstrapOptions& options) {
    const std::size_t rows = scores.num_rows();
    const std::size_t columns = scores.num_columns();
    std::vector<Interval> intervals(columns);
    if (rows == 0) return intervals;
    // Row-major copy: a resample visits whole rows in random order.
    std::vector<double> by_row(rows * columns);
    for (std::size_t c = 0; c < columns; ++c)
        for (std::size_t r = 0; r < rows; ++r) by_row[r * columns + c] = scores(r, c);

    const auto resamples = static_cast<std::size_t>(options.num_resamples);
    Random random(options.seed);
    Matrix means(resamples, columns);
    std::vector<double> sums(columns);
    for (std::size_t b = 0; b < resamples; ++b) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (std::size_t i = 0; i < rows; ++i) {
            const double* row = by_row.data() + random.below(rows) * columns;
            for (std::size_t c = 0; c < columns; ++c) sums[c] += row[c];
        }
        for (std::size_t c = 0; c < columns; ++c) means(b, c) = sums[c] / static_cast<double>(rows);
    }
    const double tail = 0.5 * (1.0 - options.confidence);
    for (std::size_t c = 0; c < columns; ++c) {
        const auto column = means.column(c);
        std::vector<double> values(column.begin(), column.end());
        intervals[c] = {quantile(values, tail), quantile(values, 1.0 - tail)};
    }
    return intervals;
}

}  // namespace culprit
