#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace culprit::stats {

/// Clusters a series in the order in which its values come (BIRCH's insertion, one dimension).
///
///   value v joins the cluster whose centroid c minimises c^2 - 2 c v (the first of equals)
///   if the joined cluster has SS / n - (LS / n)^2 <= threshold^2, else it begins a new cluster;
///   afterwards every value is labelled with its nearest centroid (the first of equals)
///
/// Shapes:   values: [N], finite; labels: [N].   Units: threshold those of the values.
/// Cost:     O(N clusters).
/// Refuses:  nothing; an empty series has no cluster.
/// Differs:  all clusters lie in one leaf. A tree would be split at 51 clusters and then search
/// only
///           approximately; the series of unit length for which the methods use it cannot have
///           them.
/// Source:   T. Zhang, R. Ramakrishnan, M. Livny, BIRCH, SIGMOD 1996, sections 4 and 5.
/// Parity:   scikit-learn Birch(threshold, n_clusters=None) up to 50 clusters, labels exact.
struct BirchClusters {
    std::vector<double> centroids;
    std::vector<std::uint32_t> labels;
    /// Clusters that are nearest to at least one value.
    std::size_t num_used() const;
};
BirchClusters birch(std::span<const double> values, double threshold);

}  // namespace culprit::stats
