#pragma once

#include <span>
#include <vector>

namespace culprit::stats {

/// Quantile q of a series by linear interpolation between order statistics.
///
///   h = (N - 1) q;  Q(q) = x_(floor h) + (h - floor h) (x_(floor h + 1) - x_(floor h))
///
/// Shapes:   values: [N], N >= 1, no NaN.   Units: those of x.
/// Cost:     O(N) expected, by selection; `scratch` is overwritten and may be used again.
/// Source:   type 7 of R. J. Hyndman, Y. Fan, The American Statistician 50(4), 1996.
/// Parity:   numpy quantile(method="linear"), exact.
double quantile(std::span<const double> values, double q, std::vector<double>& scratch);

/// The same of values that already ascend.
double quantile_sorted(std::span<const double> sorted, double q);

/// Median of values without NaN, which it may reorder; NaN of none. Of an even number of values it
/// is the mean of the two in the middle, as numpy's median has it. By sampling up to 4096 values,
/// by partition else and where many values are equal: the same value either way.
double median_in_place(std::span<double> values);

/// Median and quartiles of one series: through buckets of equal width for 64 to 4096 values, by
/// partition else and where the buckets are too uneven. The median is that of median_in_place.
struct Quartiles {
    double lower = 0.0;
    double median = 0.0;
    double upper = 0.0;
    double range() const { return upper - lower; }
};
/// `values`: [N], N >= 1, no NaN; they are reordered.
Quartiles quartiles(std::span<double> values);

}  // namespace culprit::stats
