#pragma once

#include <span>
#include <vector>

namespace culprit::stats {

/// What to divide by when a series did not spread before.
enum class ScaleFloor {
    one,       ///< 1, as scikit-learn's scalers: the score is a difference in the series' own unit
    relative,  ///< 5 % of the largest magnitude before or after: units cancel out
};

enum class Sides {
    up,    ///< only increases count
    both,  ///< increases and decreases count
};

struct DeviationOptions {
    ScaleFloor floor = ScaleFloor::relative;
    Sides sides = Sides::both;
};

/// The largest deviation of `after` in standard deviations of `before`.
///
///   max_b z(b) or max_b |z(b)|,  z(b) = (b - mean) / s,  s with ddof 0
///
/// Shapes:   before: [N], N >= 1; after: [M]; finite.   Units: none, unless ScaleFloor::one
/// applies. Cost:     O(N + M), three reads of `before`, one of `after`. Refuses:  nothing; -inf
/// when `after` is empty. Parity:   scikit-learn StandardScaler with {one, up}, 1e-12 relative.
double standard_deviations_away(std::span<const double> before, std::span<const double> after,
                                const DeviationOptions& options);

/// The largest deviation of `after` from the median of `before` in interquartile ranges of
/// `before`.
///
///   z(b) = (b - Q2) / (Q3 - Q1)
///
/// Where Q3 = Q1 although the series moves (most counts of errors) ScaleFloor::relative divides by
/// 1.349 standard deviations, which is the range of a normal law.
///
/// Shapes, units, refusals as above; `scratch` is overwritten.
/// Cost:     O(N + M) expected, by selection.
/// Source:   the RobustScorer of L. Pham, H. Ha, H. Zhang, FSE 2024.
/// Parity:   scikit-learn RobustScaler with {one, up}, 1e-12 relative.
double quartile_ranges_away(std::span<const double> before, std::span<const double> after,
                            const DeviationOptions& options, std::vector<double>& scratch);

}  // namespace culprit::stats
