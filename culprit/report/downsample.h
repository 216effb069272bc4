#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace culprit {

/// At most `2 * num_buckets` points that look like the series: the smallest and the largest value
/// of each of equal stretches of rows, in their order, so that no spike is lost. NaN is left out; a
/// stretch without values gives one point (row, NaN), which a chart draws as a gap. Rows are
/// indices into `values`.  Cost: O(n).
std::vector<std::pair<std::size_t, double>> downsample(std::span<const double> values,
                                                       std::size_t num_buckets);

}  // namespace culprit
