#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit {

struct Interval {
    double low = 0.0;
    double high = 0.0;
};

struct BootstrapOptions {
    std::uint64_t seed = 0;
    int num_resamples = 1000;
    double confidence = 0.95;
};

/// Percentile interval of each column's mean when the rows (cases) are drawn again with replacement
/// (Efron 1979). All columns share the draws. One row: the interval is the value itself; none:
/// [0, 0].
///
/// Shapes:   scores: cases x quantities.
/// Assumes:  cases are independent; the interval says nothing about systems that are not in the
/// set. Cost:     O(resamples x cases x quantities). Source:   B. Efron, "Bootstrap Methods:
/// Another Look at the Jackknife", Annals of Statistics
///           7(1), 1979.
std::vector<Interval> bootstrap_means(MatrixView scores, const BootstrapOptions& options);

}  // namespace culprit
