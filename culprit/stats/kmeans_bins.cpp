#include "culprit/stats/kmeans_bins.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "culprit/base/check.h"

namespace culprit::stats {
namespace {

constexpr int rounds_max = 300;
constexpr double movement_tolerance = 1e-4;  // of the variance
constexpr double edge_distance_min = 1e-8;   // absolute, as the study's discretiser has it

// Sorted values with running sums: the sum of any stretch costs two look-ups.
struct SortedSeries {
    std::vector<double> values;
    std::vector<double> sums;  // sums[i] = values[0] + ... + values[i - 1]
};

SortedSeries sorted(const std::vector<double>& values) {
    SortedSeries series = {values, {}};
    std::sort(series.values.begin(), series.values.end());
    series.sums.assign(values.size() + 1, 0.0);
    for (std::size_t i = 0; i < values.size(); ++i)
        series.sums[i + 1] = series.sums[i] + series.values[i];
    return series;
}

// First index whose value is nearer to `upper` than to `lower`; a tie goes to the lower centre.
std::size_t boundary(const std::vector<double>& sorted, double lower, double upper) {
    const double lower_square = lower * lower;
    const double upper_square = upper * upper;
    const auto nearer_to_lower = [&](double v) {
        return lower_square - 2.0 * v * lower <= upper_square - 2.0 * v * upper;
    };
    return static_cast<std::size_t>(
        std::partition_point(sorted.begin(), sorted.end(), nearer_to_lower) - sorted.begin());
}

std::vector<std::size_t> boundaries(const SortedSeries& series,
                                    const std::vector<double>& centres) {
    std::vector<std::size_t> cuts(centres.size() + 1, 0);
    for (std::size_t k = 1; k < centres.size(); ++k)
        cuts[k] = std::max(cuts[k - 1], boundary(series.values, centres[k - 1], centres[k]));
    cuts.back() = series.values.size();
    return cuts;
}

std::size_t nearest(const std::vector<double>& centres, double value) {
    std::size_t best = 0;
    double best_distance = centres[0] * centres[0] - 2.0 * value * centres[0];
    for (std::size_t k = 1; k < centres.size(); ++k) {
        const double distance = centres[k] * centres[k] - 2.0 * value * centres[k];
        if (distance < best_distance) {
            best = k;
            best_distance = distance;
        }
    }
    return best;
}

// Hands each empty cluster the value that lies farthest from its centre. In the first round minimum
// and maximum tie by construction; the later sample wins, as numpy's partition has it.
void refill_empty(const std::vector<double>& centred, const std::vector<double>& old_centres,
                  std::vector<double>& sums, std::vector<double>& counts) {
    std::vector<std::size_t> empty;
    for (std::size_t k = 0; k < counts.size(); ++k)
        if (counts[k] == 0.0) empty.push_back(k);
    if (empty.empty()) return;
    std::vector<std::size_t> label(centred.size());
    std::vector<double> distance(centred.size());
    for (std::size_t i = 0; i < centred.size(); ++i) {
        label[i] = nearest(old_centres, centred[i]);
        distance[i] = (centred[i] - old_centres[label[i]]) * (centred[i] - old_centres[label[i]]);
    }
    for (const std::size_t k : empty) {
        std::size_t farthest = 0;
        for (std::size_t i = 1; i < distance.size(); ++i)
            if (distance[i] >= distance[farthest]) farthest = i;
        if (distance[farthest] <= 0.0) return;  // fewer distinct values than clusters
        sums[label[farthest]] -= centred[farthest];
        counts[label[farthest]] -= 1.0;
        sums[k] = centred[farthest];
        counts[k] = 1.0;
        distance[farthest] = -1.0;
    }
}

std::vector<double> lloyd(const std::vector<double>& centred, std::vector<double> centres,
                          double movement_max) {
    const SortedSeries series = sorted(centred);
    std::vector<std::size_t> last_cuts;
    const std::size_t num = centres.size();
    for (int round = 0; round < rounds_max; ++round) {
        const auto cuts = boundaries(series, centres);
        std::vector<double> sums(num);
        std::vector<double> counts(num);
        for (std::size_t k = 0; k < num; ++k) {
            sums[k] = series.sums[cuts[k + 1]] - series.sums[cuts[k]];
            counts[k] = static_cast<double>(cuts[k + 1] - cuts[k]);
        }
        refill_empty(centred, centres, sums, counts);
        double movement = 0.0;
        for (std::size_t k = 0; k < num; ++k) {
            const double centre = counts[k] > 0.0 ? sums[k] / counts[k] : centres[k];
            movement += (centre - centres[k]) * (centre - centres[k]);
            centres[k] = centre;
        }
        std::sort(centres.begin(), centres.end());
        if (cuts == last_cuts || movement <= movement_max) break;
        last_cuts = cuts;
    }
    return centres;
}

}  // namespace

std::vector<double> kmeans_bin_edges(std::span<const double> values, int num_bins) {
    CULPRIT_CHECK(!values.empty() && num_bins >= 1 && num_bins <= 256);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    if (*low == *high) return {*low, *high};
    const auto n = static_cast<double>(values.size());
    double mean = 0.0;
    for (const double v : values) mean += v;
    mean /= n;
    std::vector<double> centred(values.begin(), values.end());
    double variance = 0.0;
    for (double& v : centred) {
        v -= mean;
        variance += v * v;
    }
    variance /= n;

    std::vector<double> centres;
    const double width = (*high - *low) / num_bins;
    for (int k = 0; k < num_bins; ++k) {
        const double left = *low + k * width;
        const double right = k + 1 == num_bins ? *high : *low + (k + 1) * width;
        centres.push_back((left + right) * 0.5 - mean);
    }
    centres = lloyd(centred, std::move(centres), movement_tolerance * variance);

    std::vector<double> edges = {*low};
    double previous = *low;
    for (std::size_t k = 0; k <= centres.size() - 1; ++k) {
        const double edge =
            k + 1 == centres.size() ? *high : ((centres[k + 1] + mean) + (centres[k] + mean)) * 0.5;
        if (edge - previous > edge_distance_min) edges.push_back(edge);
        previous = edge;
    }
    if (edges.size() == 1) edges.push_back(*high);
    return edges;
}

std::vector<std::uint8_t> bins_of(std::span<const double> values, std::span<const double> edges) {
    CULPRIT_CHECK(edges.size() >= 2 && edges.size() <= 257);
    const auto inner = edges.subspan(1, edges.size() - 2);
    std::vector<std::uint8_t> bins(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        unsigned bin = 0;
        for (const double edge : inner) bin += edge <= values[i] ? 1U : 0U;
        bins[i] = static_cast<std::uint8_t>(bin);
    }
    return bins;
}

}  // namespace culprit::stats
