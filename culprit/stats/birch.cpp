#include "culprit/stats/birch.h"

#include <algorithm>

namespace culprit::stats {
namespace {

struct Cluster {
    double count = 0.0;
    double linear_sum = 0.0;
    double square_sum = 0.0;
    double centroid = 0.0;
};

template <class Items, class Centroid>
std::size_t nearest(const Items& items, double value, Centroid centroid) {
    std::size_t best = 0;
    double least = 0.0;
    for (std::size_t k = 0; k < items.size(); ++k) {
        const double c = centroid(items[k]);
        const double distance = c * c - 2.0 * c * value;  // less value^2, the same for all
        if (k == 0 || distance < least) {
            best = k;
            least = distance;
        }
    }
    return best;
}

}  // namespace

std::size_t BirchClusters::num_used() const {
    std::vector<bool> used(centroids.size());
    for (const std::uint32_t label : labels) used[label] = true;
    return static_cast<std::size_t>(std::count(used.begin(), used.end(), true));
}

BirchClusters birch(std::span<const double> values, double threshold) {
    std::vector<Cluster> clusters;
    for (const double value : values) {
        Cluster joined = {1.0, value, value * value, value};
        if (!clusters.empty()) {
            Cluster& closest = clusters[nearest(
                clusters, value, [](const Cluster& cluster) { return cluster.centroid; })];
            joined.count += closest.count;
            joined.linear_sum += closest.linear_sum;
            joined.square_sum += closest.square_sum;
            joined.centroid = 1.0 / joined.count * joined.linear_sum;
            const double variance =
                joined.square_sum / joined.count - joined.centroid * joined.centroid;
            if (variance <= threshold * threshold) {
                closest = joined;
                continue;
            }
        }
        clusters.push_back({1.0, value, value * value, value});
    }
    BirchClusters result;
    for (const Cluster& cluster : clusters) result.centroids.push_back(cluster.centroid);
    for (const double value : values)
        result.labels.push_back(static_cast<std::uint32_t>(
            nearest(result.centroids, value, [](double c) { return c; })));
    return result;
}

}  // namespace culprit::stats
