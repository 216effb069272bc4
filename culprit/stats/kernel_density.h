#pragma once

#include <span>
#include <vector>

namespace culprit::stats {

/// The range outside of which a normal-kernel density estimate leaves `tail` on each side.
///
///   F(x) = 1/N sum_i Phi((x - x_i) / h),  F(low) = tail,  F(high) = 1 - tail
///   h = 0.9 min(s, (Q3 - Q1) / 1.349) N^(-1/5)   (s alone where Q3 = Q1)
///
/// Shapes:   values: [N], N >= 1, finite; `scratch` is overwritten.   Units: those of x.
/// Assumes:  0 < tail < 0.5.
/// Cost:     O(N), and about ten sums over the values near the end that is looked for (TOMS 748).
/// Refuses:  nothing; a constant series has the range [x, x].
/// Source:   bandwidth of B. W. Silverman, Density Estimation, 1986, eq. 3.31.
struct DensityRange {
    double low = 0.0;
    double high = 0.0;
    bool contains(double x) const { return low <= x && x <= high; }
};
DensityRange density_range(std::span<const double> values, double tail,
                           std::vector<double>& scratch);

/// A range that contains the same of `values` and of `others` as density_range(values), for less:
/// its ends are known to a ten-thousandth of the bandwidth, and exactly only where one of the
/// values lies that near.
DensityRange density_range_among(std::span<const double> values, std::span<const double> others,
                                 double tail, std::vector<double>& scratch);

}  // namespace culprit::stats
