#include "culprit/causal/chi_square.h"

#include "culprit/base/check.h"
#include "culprit/stats/kmeans_bins.h"

namespace culprit {

ChiSquareIndependence::ChiSquareIndependence(stats::CodeTable table, double alpha)
    : table_(std::move(table)), alpha_(alpha) {
    CULPRIT_CHECK(alpha > 0.0 && alpha < 0.5);
}

ChiSquareIndependence ChiSquareIndependence::of(MatrixView values, int num_bins, double alpha) {
    stats::CodeTable table;
    for (std::size_t c = 0; c < values.num_columns(); ++c) {
        const auto edges = stats::kmeans_bin_edges(values.column(c), num_bins);
        table.codes.push_back(stats::bins_of(values.column(c), edges));
        table.cardinality.push_back(edges.size() - 1);
    }
    return {std::move(table), alpha};
}

double ChiSquareIndependence::p_value(std::size_t x, std::size_t y,
                                      std::span<const std::size_t> given) const {
    return stats::chi_square(table_, x, y, given).p_value;
}

bool ChiSquareIndependence::independent(std::size_t x, std::size_t y,
                                        std::span<const std::size_t> given,
                                        TestCounts& counts) const {
    const stats::ChiSquareFinding found = stats::chi_square(table_, x, y, given);
    ++counts.tests;
    counts.degenerate += found.degrees_of_freedom == 0 ? 1 : 0;
    counts.fragile += found.p_value >= alpha_ / 2 && found.p_value <= alpha_ * 2 ? 1 : 0;
    return found.p_value > alpha_;
}

}  // namespace culprit
