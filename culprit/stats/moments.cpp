#include "culprit/stats/moments.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace culprit::stats {
namespace {

// Eight partial results side by side: two AVX2 registers, which the compiler keeps in vectors.
constexpr std::size_t lanes = 8;
using Lanes = std::array<double, lanes>;

// Pairwise, so that the order is fixed.
double total(const Lanes& l) {
    return ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]));
}

// Folds `step(partial, value)` over the values in `lanes` interleaved partial results.
template <class Step>
Lanes fold(std::span<const double> values, double start, Step step) {
    Lanes partial;
    partial.fill(start);
    const std::size_t whole = values.size() / lanes * lanes;
    for (std::size_t i = 0; i < whole; i += lanes)
        for (std::size_t k = 0; k < lanes; ++k) partial[k] = step(partial[k], values[i + k]);
    for (std::size_t i = whole; i < values.size(); ++i)
        partial[i - whole] = step(partial[i - whole], values[i]);
    return partial;
}

double sum_of_squares(std::span<const double> values, double center) {
    return total(fold(
        values, 0.0, [center](double sum, double v) { return sum + (v - center) * (v - center); }));
}

}  // namespace

double mean(std::span<const double> values) {
    if (values.empty()) return 0.0;
    const double sum = total(fold(values, 0.0, [](double s, double v) { return s + v; }));
    return sum / static_cast<double>(values.size());
}

Moments moments(std::span<const double> values) {
    if (values.empty()) return {};
    Moments result;
    result.mean = mean(values);
    result.variance = sum_of_squares(values, result.mean) / static_cast<double>(values.size());
    return result;
}

double sample_standard_deviation(std::span<const double> values) {
    if (values.size() < 2) return 0.0;
    return std::sqrt(sum_of_squares(values, mean(values)) / static_cast<double>(values.size() - 1));
}

double inner_product(std::span<const double> x, std::span<const double> y) {
    const std::size_t count = std::min(x.size(), y.size());
    Lanes partial{};
    const std::size_t whole = count / lanes * lanes;
    for (std::size_t i = 0; i < whole; i += lanes)
        for (std::size_t k = 0; k < lanes; ++k) partial[k] += x[i + k] * y[i + k];
    for (std::size_t i = whole; i < count; ++i) partial[i - whole] += x[i] * y[i];
    return total(partial);
}

bool spreads(const Moments& moments, std::size_t num_values) {
    constexpr double eps = std::numeric_limits<double>::epsilon();
    const auto n = static_cast<double>(num_values);
    const double rounding = n * moments.mean * eps;
    return moments.variance > n * eps * moments.variance + rounding * rounding;
}

bool all_finite(std::span<const double> values) {
    // 0 x is 0 of a finite x and NaN of any other.
    return total(fold(values, 0.0, [](double sum, double v) { return sum + 0.0 * v; })) == 0.0;
}

Extremes extremes(std::span<const double> values) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    const Lanes low = fold(values, inf, [](double m, double v) { return v < m ? v : m; });
    const Lanes high = fold(values, -inf, [](double m, double v) { return v > m ? v : m; });
    return {.minimum = *std::min_element(low.begin(), low.end()),
            .maximum = *std::max_element(high.begin(), high.end())};
}

}  // namespace culprit::stats
