#include "culprit/stats/quantile.h"

#include <algorithm>
#include <cmath>

#include "culprit/base/check.h"

namespace culprit::stats {
namespace {

// numpy's interpolation, which starts at the nearer end.
double interpolate(double a, double b, double t) {
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1.0 - t);
}

struct Position {
    std::size_t index;
    double fraction;
};

Position position_of(double q, std::size_t num_values) {
    const double h = static_cast<double>(num_values - 1) * q;
    const double whole = std::floor(h);
    return {static_cast<std::size_t>(whole), h - whole};
}

// The order statistics `at` and `at + 1` of [first, last) of `values`, everything before `first`
// being no larger and everything from `last` on no smaller. Leaves values partitioned at `at`.
double select_between(std::span<double> values, std::size_t first, std::size_t last,
                      const Position& at) {
    const auto begin = values.begin();
    const auto nth = begin + static_cast<std::ptrdiff_t>(at.index);
    const auto end = begin + static_cast<std::ptrdiff_t>(last);
    std::nth_element(begin + static_cast<std::ptrdiff_t>(first), nth, end);
    if (at.fraction == 0.0) return *nth;
    const double next = nth + 1 == end ? values[last] : *std::min_element(nth + 1, end);
    return interpolate(*nth, next, at.fraction);
}

}  // namespace

double quantile(std::span<const double> values, double q, std::vector<double>& scratch) {
    CULPRIT_CHECK(!values.empty());
    scratch.assign(values.begin(), values.end());
    return select_between(scratch, 0, scratch.size(), position_of(q, scratch.size()));
}

double quantile_sorted(std::span<const double> sorted, double q) {
    CULPRIT_CHECK(!sorted.empty());
    const Position at = position_of(q, sorted.size());
    if (at.fraction == 0.0) return sorted[at.index];
    return interpolate(sorted[at.index], sorted[at.index + 1], at.fraction);
}

Quartiles quartiles(std::span<double> values) {
    CULPRIT_CHECK(!values.empty());
    const std::size_t n = values.size();
    if (n < 3) {  // the quartiles need not lie on different sides of the middle
        std::sort(values.begin(), values.end());
        return {quantile_sorted(values, 0.25), (values[0] + values[n - 1]) / 2.0,
                quantile_sorted(values, 0.75)};
    }
    const Position lower = position_of(0.25, n);
    const Position upper = position_of(0.75, n);
    const std::size_t middle = n / 2;  // the upper one of an even number's two
    const auto begin = values.begin();
    std::nth_element(begin, begin + static_cast<std::ptrdiff_t>(middle), values.end());
    Quartiles result;
    result.median = values[middle];
    if (n % 2 == 0)
        result.median = (*std::max_element(begin, begin + static_cast<std::ptrdiff_t>(middle)) +
                         values[middle]) /
                        2.0;
    // lower.index < middle <= upper.index for n >= 3, so each side is searched alone.
    result.lower = select_between(values, 0, middle, lower);
    result.upper = select_between(values, middle, n, upper);
    return result;
}

}  // namespace culprit::stats
