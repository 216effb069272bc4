#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "culprit/base/time.h"
#include "culprit/telemetry/series.h"

namespace culprit {

/// Time points first, first + step, ...
struct SampleGrid {
    std::int64_t first_ms = 0;
    std::int64_t step_ms = 1000;
    std::size_t num_points = 0;

    /// The grid points inside `range`, on multiples of the step since 1970.
    static SampleGrid covering(TimeRange range, std::int64_t step_ms);
    std::int64_t time_ms(std::size_t point) const {
        return first_ms + static_cast<std::int64_t>(point) * step_ms;
    }
};

/// A gauge on the grid: the last sample of each cell, NaN where the cell has none; nothing is
/// carried forward, so a gap stays a gap.
///
/// The cell of grid point t is (t + d - step/2, t + d + step/2], where d, |d| <= step/2, is the
/// series' own phase: the median of its sample times modulo the step. A series scraped once per
/// step then has its samples in the middle of the cells, and scrapes that come milliseconds early
/// or late neither leave a hole nor fall together. The price: a sample is dated up to half a step
/// off.
///
/// Shapes: out: [grid.num_points].  Assumes: samples by rising time.  Cost: O(samples + points).
void align_gauge(const Series& series, const SampleGrid& grid, std::span<double> out);

/// A counter as increase per second on the grid:
///
///   sum of increases / sum of time between samples, over the pairs of samples that end in the cell
///
/// from the samples' own times, not the grid's. A value lower than the one before is a reset: the
/// counter started again at 0, so the increase is the new value. A pair further apart than
/// `gap_max_ms` (a dead target) gives no rate; so do NaN and infinite values. A cell in which no
/// pair ends is NaN.
///
/// Shapes, cost: as align_gauge.  Unit: the counter's per second.
void align_rate(const Series& series, const SampleGrid& grid, std::int64_t gap_max_ms,
                std::span<double> out);

/// Resets in the series, at their times: evidence of a restart.
std::vector<std::int64_t> reset_times_ms(const Series& series);

/// The largest distance between samples that still counts as one uninterrupted series: five times
/// the median distance, at least 15 s and at most 5 minutes (Prometheus' own look-back).
std::int64_t gap_max_ms(const Series& series);

/// The value below which the share `quantile` of the observations lies, from bucket rates.
///
///   with b the first bucket whose cumulative rate reaches rank = quantile * rate(+Inf):
///   lower(b) + (upper(b) - lower(b)) * (rank - cumulative(b-1)) / (cumulative(b) -
///   cumulative(b-1))
///
/// the lowest bucket begins at 0 when its bound is positive; a rank in the +Inf bucket gives the
/// highest finite bound. Source: Prometheus documentation, histogram_quantile.
/// `buckets`: (upper bound, cumulative rate) by rising bound, the last one +Inf. NaN when there
/// were no observations, a rate is NaN, or there is no +Inf bucket. Falling cumulative rates
/// (scrapes torn between buckets) are raised to the highest before them.
double histogram_quantile(double quantile, std::span<const std::pair<double, double>> buckets);

}  // namespace culprit
