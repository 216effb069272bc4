#pragma once

#include <span>
#include <vector>

namespace culprit::stats {

/// Mean of the last `window` values at each row, over those present (NaN is skipped).
///
/// Shapes:   values: [N]; result: [N], NaN where the window holds nothing.   Units: those of x.
/// Assumes:  window >= 1.
/// Cost:     O(N window): each window is summed anew, so that nothing drifts.
/// Parity:   pandas rolling(window, min_periods=1).mean(), 1e-12 relative.
std::vector<double> rolling_mean(std::span<const double> values, std::size_t window);

/// The series divided by its Euclidean length; a series of zeros stays one.
std::vector<double> unit_length(std::vector<double> values);

}  // namespace culprit::stats
