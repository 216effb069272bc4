#include "culprit/stats/quantile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

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

#if defined(__AVX2__)
/// For each set of four lanes the order of half lanes that brings those of the set to the front.
using Packings = std::array<std::array<std::int32_t, 8>, 16>;
constexpr Packings make_packings() {
    Packings all{};
    for (unsigned mask = 0; mask < 16; ++mask) {
        std::size_t k = 0;
        for (int lane = 0; lane < 4; ++lane)
            if ((mask >> static_cast<unsigned>(lane) & 1U) != 0) {
                all[mask][k++] = 2 * lane;
                all[mask][k++] = 2 * lane + 1;
            }
    }
    return all;
}
alignas(32) constexpr Packings packings = make_packings();
#endif

/// Two successive order statistics by sampling (R. W. Floyd, R. L. Rivest, CACM 18(3), 1975): the
/// order statistics of sixteen values enclose the wanted rank most of the time; what lies between
/// them is copied out without a branch, four values at a time, and is the next, smaller problem.
/// Reads `values` and leaves them as they are.
class SampledSelection {
public:
    static constexpr std::size_t values_max = 4096;

    struct Pair {
        double lower;
        double upper;
    };
    /// x_(rank) and x_(next), next <= rank + 1 < N; nothing where many equal values keep the
    /// problem from getting smaller: partition then.
    std::optional<Pair> select(std::span<const double> values, std::size_t rank, std::size_t next) {
        double* free = first_.data();
        double* used = second_.data();
        for (;;) {
            if (values.size() <= sample_size) {
                const Sample sorted = sort_few(values);
                return Pair{sorted[rank], sorted[next]};
            }
            const Range range = enclosing(values, rank);
            const Count count = copy_inside(values, range, free);
            if (count.below <= rank && next < count.below + count.inside) {
                if (range.low == range.high) return Pair{range.low, range.low};
                if (4 * count.inside > 3 * values.size()) return sorted_out(values, rank, next);
                values = {free, count.inside};
                rank -= count.below;
                next -= count.below;
                std::swap(free, used);
                continue;
            }
            // The sample misled: all on the side where the ranks are.
            Count side;
            if (next < count.below) {
                side = copy_inside(values, {-infinity, std::nextafter(range.low, -infinity)}, free);
            } else if (rank >= count.below + count.inside) {
                side = copy_inside(values, {std::nextafter(range.high, infinity), infinity}, free);
                rank -= side.below;
                next -= side.below;
            } else if (rank < count.below) {  // just between: the sample itself is the upper one
                return Pair{largest_below(values, range.low), range.low};
            } else {
                return Pair{range.high, smallest_above(values, range.high)};
            }
            values = {free, side.inside};
            std::swap(free, used);
        }
    }

private:
    static constexpr std::size_t sample_size = 16;
    static constexpr double infinity = std::numeric_limits<double>::infinity();
    using Sample = std::array<double, sample_size>;
    using Four = double __attribute__((vector_size(32)));
    using FourInts = std::int64_t __attribute__((vector_size(32)));

    struct Range {
        double low;
        double high;
    };
    struct Count {
        std::size_t below = 0;
        std::size_t inside = 0;
    };

    /// Up to sixteen values in order, by counting for each how many come before it.
    static Sample sort_few(std::span<const double> values) {
        Sample x;
        x.fill(infinity);
        std::copy(values.begin(), values.end(), x.begin());
        constexpr std::size_t blocks = sample_size / 4;
        std::array<Four, blocks> all;
        for (std::size_t b = 0; b < blocks; ++b)
            all[b] = Four{x[4 * b], x[4 * b + 1], x[4 * b + 2], x[4 * b + 3]};
        std::array<FourInts, blocks> rank{};
        for (std::size_t i = 0; i < sample_size; ++i) {
            const Four one = {x[i], x[i], x[i], x[i]};
            // Of equal values the first comes first: it precedes those behind it also when equal.
            for (std::size_t b = 0; b < i / 4; ++b) rank[b] -= one < all[b];
            for (std::size_t b = i / 4 + 1; b < blocks; ++b) rank[b] -= one <= all[b];
            const auto at = static_cast<std::int64_t>(i % 4);
            const FourInts behind = FourInts{0, 1, 2, 3} > FourInts{at, at, at, at};
            rank[i / 4] -= (one < all[i / 4]) | ((one == all[i / 4]) & behind);
        }
        Sample sorted;
        for (std::size_t i = 0; i < sample_size; ++i)
            sorted[static_cast<std::size_t>(rank[i / 4][i % 4])] = x[i];
        return sorted;
    }

    /// The largest value below a limit, of which there is one.
    static double largest_below(std::span<const double> values, double limit) {
        Four largest = {-infinity, -infinity, -infinity, -infinity};
        std::size_t i = 0;
        for (; i + 4 <= values.size(); i += 4) {
            const Four x = {values[i], values[i + 1], values[i + 2], values[i + 3]};
            largest = ((x < limit) & (x > largest)) ? x : largest;
        }
        double one = std::max(std::max(largest[0], largest[1]), std::max(largest[2], largest[3]));
        for (; i < values.size(); ++i)
            if (values[i] < limit) one = std::max(one, values[i]);
        return one;
    }
    static double smallest_above(std::span<const double> values, double limit) {
        Four smallest = {infinity, infinity, infinity, infinity};
        std::size_t i = 0;
        for (; i + 4 <= values.size(); i += 4) {
            const Four x = {values[i], values[i + 1], values[i + 2], values[i + 3]};
            smallest = ((x > limit) & (x < smallest)) ? x : smallest;
        }
        double one =
            std::min(std::min(smallest[0], smallest[1]), std::min(smallest[2], smallest[3]));
        for (; i < values.size(); ++i)
            if (values[i] > limit) one = std::min(one, values[i]);
        return one;
    }

    /// Where sampling does not make the problem smaller: by sorting a few, not at all for many.
    static std::optional<Pair> sorted_out(std::span<const double> values, std::size_t rank,
                                          std::size_t next) {
        constexpr std::size_t few = 64;
        if (values.size() > few) return std::nullopt;
        std::array<double, few> sorted;
        const auto end = std::copy(values.begin(), values.end(), sorted.begin());
        std::sort(sorted.begin(), end);
        return Pair{sorted[rank], sorted[next]};
    }

    static Range enclosing(std::span<const double> values, std::size_t rank) {
        const std::size_t n = values.size();
        Sample sample;
        for (std::size_t i = 0; i < sample_size; ++i)
            sample[i] = values[(2 * i + 1) * n / (2 * sample_size)];
        const Sample sorted = sort_few(sample);
        const double center = static_cast<double>(rank) / static_cast<double>(n - 1) *
                              static_cast<double>(sample_size - 1);
        constexpr double reach = 2.5;  // 1.3 standard deviations of a sample's median
        const auto low = static_cast<std::ptrdiff_t>(std::floor(center - reach));
        const auto high = static_cast<std::ptrdiff_t>(std::ceil(center + reach));
        double lowest = -infinity;
        if (low >= 0) lowest = sorted[static_cast<std::size_t>(low)];
        double highest = infinity;
        if (high < std::ptrdiff_t{sample_size}) highest = sorted[static_cast<std::size_t>(high)];
        return {lowest, highest};
    }

    /// Copies the values in [low, high] to `out` in their order, and counts those below.
    static Count copy_inside(std::span<const double> values, Range range, double* out) {
        Count count;
        std::size_t i = 0;
#if defined(__AVX2__)
        const __m256d low = _mm256_set1_pd(range.low);
        const __m256d high = _mm256_set1_pd(range.high);
        __m256i below = _mm256_setzero_si256();
        for (; i + 4 <= values.size(); i += 4) {
            const __m256d x = _mm256_loadu_pd(values.data() + i);
            const __m256d less = _mm256_cmp_pd(x, low, _CMP_LT_OQ);
            const __m256d within = _mm256_andnot_pd(less, _mm256_cmp_pd(x, high, _CMP_LE_OQ));
            below = _mm256_sub_epi64(below, _mm256_castpd_si256(less));
            const auto mask = static_cast<unsigned>(_mm256_movemask_pd(within));
            const __m256i order =
                _mm256_load_si256(reinterpret_cast<const __m256i*>(packings[mask].data()));
            _mm256_storeu_ps(reinterpret_cast<float*>(out + count.inside),
                             _mm256_permutevar8x32_ps(_mm256_castpd_ps(x), order));
            count.inside += static_cast<std::size_t>(std::popcount(mask));
        }
        alignas(32) std::array<std::int64_t, 4> lanes;
        _mm256_store_si256(reinterpret_cast<__m256i*>(lanes.data()), below);
        count.below = static_cast<std::size_t>(lanes[0] + lanes[1] + lanes[2] + lanes[3]);
#endif
        for (; i < values.size(); ++i) {
            const double x = values[i];
            count.below += x < range.low ? 1 : 0;
            out[count.inside] = x;
            count.inside += x >= range.low && x <= range.high ? 1 : 0;
        }
        return count;
    }

    // Stores of four at a time may reach three beyond what is wanted.
    std::array<double, values_max + 4> first_;
    std::array<double, values_max + 4> second_;
};

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
    if (n <= SampledSelection::values_max) {
        SampledSelection selection;
        if (const auto middle = selection.select(values, (n - 1) / 2, n / 2))
            return n % 2 == 0 ? 0.5 * (middle->lower + middle->upper) : middle->upper;
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
