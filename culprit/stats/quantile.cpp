#include "culprit/stats/quantile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "culprit/base/check.h"
#include "culprit/stats/moments.h"

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

namespace {

// Quartiles by three selections, each in the part that the one before left.
Quartiles quartiles_by_selection(std::span<double> values) {
    const std::size_t n = values.size();
    const std::size_t middle = n / 2;  // the upper one of an even number's two
    const auto begin = values.begin();
    const auto nth = begin + static_cast<std::ptrdiff_t>(middle);
    std::nth_element(begin, nth, values.end());
    Quartiles result;
    result.median = *nth;
    if (n % 2 == 0) result.median = (*std::max_element(begin, nth) + *nth) / 2.0;
    // lower.index < middle <= upper.index for n >= 3, so each side is searched alone.
    result.lower = select_between(values, 0, middle, position_of(0.25, n));
    result.upper = select_between(values, middle, n, position_of(0.75, n));
    return result;
}

/// Order statistics through buckets of equal width between the extremes: count, find the buckets
/// that hold the wanted ranks, sort only what lies in those. No branch depends on a value, which is
/// what selection by partition spends its time on. Scaling and truncating keep the order, so
/// buckets are ordered however the values round.
class BucketSelection {
public:
    static constexpr std::size_t values_min = 64;  ///< below, partitioning is as fast
    static constexpr std::size_t values_max = 4096;

    /// Returns false when too many values share the wanted buckets (outliers, few distinct values)
    /// or the width is no number: partition then.
    bool select(std::span<const double> values, std::span<const std::size_t> ranks,
                std::span<double> statistics) {
        const Extremes reached = extremes(values);
        const double scale = static_cast<double>(num_buckets) / (reached.maximum - reached.minimum);
        if (!(scale > 0.0) || !std::isfinite(scale)) return false;
        count(values, reached.minimum, scale);
        std::size_t num_wanted = 0;
        for (const std::size_t rank : ranks) num_wanted += mark(rank);
        if (num_wanted > values.size() / 4) return false;
        gather(values, num_wanted);
        for (std::size_t i = 0; i < ranks.size(); ++i) statistics[i] = wanted_[place_of(ranks[i])];
        return true;
    }

private:
    static constexpr std::size_t num_buckets = 256;

    void count(std::span<const double> values, double minimum, double scale) {
        counts_.fill(0);
        is_wanted_.fill(0);
        constexpr auto last = static_cast<std::int32_t>(num_buckets - 1);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto b = static_cast<std::int32_t>((values[i] - minimum) * scale);
            bucket_[i] = static_cast<std::uint8_t>(b < last ? b : last);
        }
        for (std::size_t i = 0; i < values.size(); ++i) ++counts_[bucket_[i]];
        std::uint32_t before = 0;
        for (std::size_t b = 0; b < num_buckets; ++b) {
            first_[b] = before;
            before += counts_[b];
        }
        first_[num_buckets] = before;
    }

    std::size_t bucket_of(std::size_t rank) const {
        return static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), rank) -
                                        first_.begin()) -
               1;
    }

    // How many values the rank's bucket adds to those wanted.
    std::size_t mark(std::size_t rank) {
        const std::size_t b = bucket_of(rank);
        if (is_wanted_[b] != 0) return 0;
        is_wanted_[b] = 1;
        return counts_[b];
    }

    void gather(std::span<const double> values, std::size_t num_wanted) {
        std::size_t k = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            wanted_[k] = values[i];
            k += is_wanted_[bucket_[i]];
        }
        std::sort(wanted_.begin(), wanted_.begin() + static_cast<std::ptrdiff_t>(num_wanted));
    }

    // Where the value of a rank lies among those wanted.
    std::size_t place_of(std::size_t rank) const {
        const std::size_t b = bucket_of(rank);
        std::size_t place = rank - first_[b];
        for (std::size_t k = 0; k < b; ++k) place += std::size_t{is_wanted_[k]} * counts_[k];
        return place;
    }

    std::array<std::uint8_t, values_max> bucket_;
    std::array<std::uint32_t, num_buckets> counts_;
    std::array<std::uint32_t, num_buckets + 1> first_;
    std::array<std::uint8_t, num_buckets> is_wanted_;
    std::array<double, values_max / 4 + 1> wanted_;
};

bool quartiles_by_buckets(std::span<const double> values, Quartiles& result) {
    const std::size_t n = values.size();
    if (n < BucketSelection::values_min || n > BucketSelection::values_max) return false;
    const Position lower = position_of(0.25, n);
    const Position upper = position_of(0.75, n);
    const std::array<std::size_t, 6> ranks = {lower.index, lower.index + 1, (n - 1) / 2,
                                              n / 2,       upper.index,     upper.index + 1};
    std::array<double, 6> x{};
    BucketSelection selection;
    if (!selection.select(values, ranks, x)) return false;
    const auto between = [](double a, double b, double t) {
        return t == 0.0 ? a : interpolate(a, b, t);
    };
    result = {between(x[0], x[1], lower.fraction), n % 2 == 0 ? (x[2] + x[3]) / 2.0 : x[2],
              between(x[4], x[5], upper.fraction)};
    return true;
}

double median_by_selection(std::span<double> values) {
    // Most series of a quiet system stand still: one value that is more than half of all needs no
    // partition.
    const double usual = values[values.size() / 2];
    if (2 * std::ranges::count(values, usual) > std::ssize(values) + 1) return usual;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 == 1) return *middle;
    return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

}  // namespace

double median_in_place(std::span<double> values) {
    const std::size_t n = values.size();
    if (n == 0) return std::numeric_limits<double>::quiet_NaN();
    if (BucketSelection::values_min <= n && n <= BucketSelection::values_max) {
        const std::array<std::size_t, 2> ranks = {(n - 1) / 2, n / 2};
        std::array<double, 2> x{};
        BucketSelection selection;
        if (selection.select(values, ranks, x)) return n % 2 == 0 ? 0.5 * (x[0] + x[1]) : x[1];
    }
    return median_by_selection(values);
}

Quartiles quartiles(std::span<double> values) {
    CULPRIT_CHECK(!values.empty());
    const std::size_t n = values.size();
    if (n < 3) {  // the quartiles need not lie on different sides of the middle
        std::sort(values.begin(), values.end());
        return {quantile_sorted(values, 0.25), (values[0] + values[n - 1]) / 2.0,
                quantile_sorted(values, 0.75)};
    }
    Quartiles result;
    if (quartiles_by_buckets(values, result)) return result;
    return quartiles_by_selection(values);
}

}  // namespace culprit::stats
