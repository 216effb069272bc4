#pragma once

#include <cstddef>
#include <span>

namespace culprit::stats {

/// Mean and variance of a series, in two passes.
///
///   mean = sum x / N;  variance = sum (x - mean)^2 / N
///
/// Shapes:   values: [N], finite.   Units: mean that of x, variance its square.
/// Cost:     O(N) time, two reads of the series; eight partial sums, so that the additions neither
///           wait for one another nor lose more than one long sum would. The order of the additions
///           is fixed: the same series gives the same bits on any number of threads.
/// Refuses:  nothing; an empty series has mean 0 and variance 0.
/// Parity:   numpy mean and var (ddof 0), 1e-12 relative.
struct Moments {
    double mean = 0.0;
    double variance = 0.0;  ///< divided by N
};
Moments moments(std::span<const double> values);

/// The same sum, alone.
double mean(std::span<const double> values);

/// sum x_i y_i over the shorter of the two.
double inner_product(std::span<const double> x, std::span<const double> y);

/// sqrt(sum (x - mean)^2 / (N - 1)); 0 with fewer than two values.
double sample_standard_deviation(std::span<const double> values);

/// Whether the variance of `num_values` values is more than rounding:
/// variance > N eps variance + (N mean eps)^2, the rule of scikit-learn's StandardScaler.
bool spreads(const Moments& moments, std::size_t num_values);

/// Whether every value is finite.
bool all_finite(std::span<const double> values);

/// Smallest and largest value; {+inf, -inf} for an empty series. NaN never wins.
struct Extremes {
    double minimum = 0.0;
    double maximum = 0.0;
};
Extremes extremes(std::span<const double> values);

}  // namespace culprit::stats
