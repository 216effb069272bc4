#pragma once

#include <span>

namespace culprit::stats {

/// Pearson's correlation of two series, in two passes.
///
///   r = sum (x - mx)(y - my) / sqrt(sum (x - mx)^2 sum (y - my)^2)
///
/// Shapes:   x, y: [N], same length.   Units: none; r in [-1, 1].
/// Cost:     O(N).
/// Refuses:  nothing; NaN when a series is constant, has NaN or N < 2.
/// Parity:   numpy corrcoef, 1e-12 absolute.
double correlation(std::span<const double> x, std::span<const double> y);

/// sum (x - mx)(y - my), not divided.
double co_moment(std::span<const double> x, std::span<const double> y);

}  // namespace culprit::stats
