#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace culprit::stats {

/// Cuts one series into bins with k-means in one dimension.
///
///   Lloyd's iteration from the centres of `num_bins` equal-width bins between min and max, on
///   centred values, at most 300 rounds; ends when no label changes or the squared movement of the
///   centres is <= 1e-4 times the variance. An empty cluster takes the value farthest from its own
///   centre. Inner edges lie midway between neighbouring centres; an edge closer than 1e-8
///   (absolute) to the one before it is dropped.
///
/// Shapes:   values: [N] finite; result: ascending edges, first = min, last = max, at least 2; a
///           constant series gives {v, v}: one bin.
/// Cost:     O(N log N + rounds * num_bins * log N).
/// Source:   Lloyd, IEEE Trans. Inf. Theory 28(2), 1982.   Parity: scikit-learn 1.2
/// KBinsDiscretizer
///           (strategy kmeans) and KMeans, bins equal, edges 1e-12 relative.
/// Differs:  sums run over the sorted values, so a value at a midpoint within rounding may change
///           sides.
std::vector<double> kmeans_bin_edges(std::span<const double> values, int num_bins);

/// The bin of each value: the number of inner edges at or below it.
std::vector<std::uint8_t> bins_of(std::span<const double> values, std::span<const double> edges);

}  // namespace culprit::stats
