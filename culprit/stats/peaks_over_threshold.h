#pragma once

#include <span>

namespace culprit::stats {

/// The level that a series exceeds with probability `risk`, extrapolated from its largest values.
///
///   u = quantile `tail_start`;  excesses y = x - u > 0 follow a generalised Pareto distribution,
///   shape k and scale s by their mean m and variance v:  k = (1 - m^2 / v) / 2, s = m (1 + m^2 /
///   v) / 2; level = u + s / k ((risk n / n_y)^-k - 1), or u - s ln(risk n / n_y) for k near 0.
///
/// Shapes:   values: [N], N >= 1. Fewer than two distinct excesses: the largest value is returned.
/// Cost:     O(N log N).
/// Source:   Siffer, Fouque, Termier, Largouet, KDD 2017 (SPOT's calibration); Hosking, Wallis,
///           Technometrics 29(3), 1987 (moments).
double peaks_over_threshold(std::span<const double> values, double tail_start, double risk);

}  // namespace culprit::stats
