#pragma once

#include <cstddef>

#include "culprit/base/matrix.h"
#include "culprit/causal/independence_test.h"
#include "culprit/stats/contingency.h"

namespace culprit {

/// Pearson's chi-square test of independence as the policy of a search, on discrete data.
///
/// Shapes:   a table of codes, or [N x p] values cut into bins (k-means in one dimension,
/// `num_bins`
///           each).
/// Assumes:  enough rows per cell; the test is stats::chi_square, nothing is corrected. A table
///           without degrees of freedom (too few rows, or constant columns) gives p = 1 and is
///           counted as degenerate.
/// Cost:     O(N |S|) per test.
class ChiSquareIndependence : public IndependenceTest {
public:
    ChiSquareIndependence(stats::CodeTable table, double alpha);
    static ChiSquareIndependence of(MatrixView values, int num_bins, double alpha);

    std::size_t num_variables() const override { return table_.codes.size(); }
    double alpha() const override { return alpha_; }
    double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) const override;
    bool independent(std::size_t x, std::size_t y, std::span<const std::size_t> given,
                     TestCounts& counts) const override;

private:
    stats::CodeTable table_;
    double alpha_;
};

}  // namespace culprit
