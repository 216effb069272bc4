#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "culprit/base/random.h"
#include "culprit/stats/birch.h"
#include "culprit/stats/correlation.h"
#include "culprit/stats/deviation.h"
#include "culprit/stats/energy_distance.h"
#include "culprit/stats/kernel_density.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"
#include "culprit/stats/resampled_correlation.h"
#include "culprit/stats/rolling_mean.h"

namespace culprit::stats {
namespace {

std::vector<double> noise(std::size_t n, std::uint64_t seed) {
    Random random(seed);
    std::vector<double> values(n);
    for (double& v : values) v = random.normal();
    return values;
}

TEST(Moments, MatchHandDerivedNumbers) {
    const std::vector<double> x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    EXPECT_DOUBLE_EQ(moments(x).mean, 5.5);
    EXPECT_DOUBLE_EQ(moments(x).variance, 8.25);
    EXPECT_DOUBLE_EQ(sample_standard_deviation(x), std::sqrt(82.5 / 9.0));
    EXPECT_EQ(extremes(x).minimum, 1.0);
    EXPECT_EQ(extremes(x).maximum, 10.0);
}

TEST(Moments, KeepPrecisionFarFromZero) {
    std::vector<double> x = noise(1000, 1);
    const double variance = moments(x).variance;
    for (double& v : x) v += 1e9;
    EXPECT_NEAR(moments(x).variance, variance, 1e-6);
}

TEST(Moments, EmptyAndSingle) {
    EXPECT_EQ(moments({}).mean, 0.0);
    EXPECT_EQ(moments({}).variance, 0.0);
    const std::vector<double> one = {3.0};
    EXPECT_EQ(moments(one).variance, 0.0);
    EXPECT_EQ(sample_standard_deviation(one), 0.0);
}

TEST(Spreads, CallsRoundingNoSpread) {
    const std::vector<double> x(1000, 0.1);
    EXPECT_FALSE(spreads(moments(x), x.size()));
    const std::vector<double> y = {0.0, 1e-9};
    EXPECT_TRUE(spreads(moments(y), y.size()));
}

TEST(Deviation, FollowsTheScalersOrTheRelativeFloor) {
    std::vector<double> scratch;
    const DeviationOptions scaler = {.floor = ScaleFloor::one, .sides = Sides::up};
    const std::vector<double> line = {1, 2, 3, 4, 5};  // median 3, range 2, variance 2
    const std::vector<double> after = {-7, 4};
    EXPECT_EQ(quartile_ranges_away(line, after, scaler, scratch), 0.5);
    EXPECT_EQ(quartile_ranges_away(line, after, {}, scratch), 5.0);
    EXPECT_DOUBLE_EQ(standard_deviations_away(line, after, scaler), 1.0 / std::sqrt(2.0));
    EXPECT_DOUBLE_EQ(standard_deviations_away(line, after, {}), 10.0 / std::sqrt(2.0));
    const std::vector<double> flat(8, 2.0);
    const std::vector<double> step = {4.0};
    EXPECT_EQ(quartile_ranges_away(flat, step, scaler, scratch), 2.0);
    EXPECT_EQ(quartile_ranges_away(flat, step, {}, scratch), 10.0);
    EXPECT_EQ(standard_deviations_away(flat, step, {}), 10.0);
    const std::vector<double> sparse = {0, 0, 0, 0, 0, 0, 0, 8};  // range 0, variance 7
    EXPECT_EQ(quartile_ranges_away(sparse, step, scaler, scratch), 4.0);
    EXPECT_NEAR(quartile_ranges_away(sparse, step, {}, scratch), 4.0 / (1.3489795 * std::sqrt(7.0)),
                1e-6);
}

TEST(Quantile, MatchesHandDerivedNumbers) {
    std::vector<double> scratch;
    const std::vector<double> x = {4, 1, 3, 2};
    EXPECT_DOUBLE_EQ(quantile(x, 0.25, scratch), 1.75);
    EXPECT_DOUBLE_EQ(quantile(x, 0.75, scratch), 3.25);
    EXPECT_DOUBLE_EQ(quantile(x, 0.5, scratch), 2.5);
    EXPECT_DOUBLE_EQ(quantile(x, 0.0, scratch), 1.0);
    EXPECT_DOUBLE_EQ(quantile(x, 1.0, scratch), 4.0);
}

// Selection against plain sorting, for every length up to 70 and with many ties.
TEST(Quartiles, AgreeWithSortingOnAllSmallLengths) {
    for (std::size_t n = 1; n <= 70; ++n) {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            std::vector<double> x = noise(n, seed);
            if (seed % 2 == 0)
                for (double& v : x) v = std::round(2.0 * v);
            std::vector<double> sorted = x;
            std::sort(sorted.begin(), sorted.end());
            const Quartiles q = quartiles(x);
            EXPECT_EQ(q.lower, quantile_sorted(sorted, 0.25));
            EXPECT_EQ(q.upper, quantile_sorted(sorted, 0.75));
            EXPECT_EQ(q.median,
                      n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0);
        }
    }
}

TEST(DensityRange, CoversANormalSampleAndAPoint) {
    std::vector<double> scratch;
    std::vector<double> x;
    Random random(3);
    x.reserve(2000);
    for (int i = 0; i < 2000; ++i) x.push_back(random.normal());
    const DensityRange range = density_range(x, 0.00135, scratch);
    EXPECT_NEAR(range.high, 3.0, 0.35);
    EXPECT_NEAR(range.low, -3.0, 0.35);
    const std::vector<double> flat(10, 7.0);
    EXPECT_TRUE(density_range(flat, 0.00135, scratch).contains(7.0));
    EXPECT_FALSE(density_range(flat, 0.00135, scratch).contains(7.1));
    const std::vector<double> pair = {-1.0, 1.0};  // symmetric about 0
    const DensityRange both = density_range(pair, 0.1, scratch);
    EXPECT_NEAR(both.low, -both.high, 1e-9);
}

// The definition, by a sum over all values, on both sides: skewed, tied, far from zero, outliers.
TEST(DensityRange, LeavesTheTailOnEachSide) {
    std::vector<double> scratch;
    for (const std::size_t n : {5U, 40U, 700U})
        for (int kind = 0; kind < 4; ++kind) {
            std::vector<double> x = noise(n, 10 * n + static_cast<std::uint64_t>(kind));
            for (double& v : x) {
                if (kind == 1) v = std::exp(2.0 * v);
                if (kind == 2) v = std::round(2.0 * v);
                if (kind == 3) v = 1e6 + (v > 2.0 ? 1000.0 : v);
            }
            const Quartiles q = [&] {
                std::vector<double> copy = x;
                return quartiles(copy);
            }();
            const double deviation = std::sqrt(moments(x).variance);
            const double spread =
                q.range() > 0.0 ? std::min(deviation, q.range() / 1.3489795003921634) : deviation;
            const double h = 0.9 * spread * std::pow(static_cast<double>(n), -0.2);
            const auto share = [&](double limit, double sign) {
                double sum = 0.0;
                for (const double v : x)
                    sum += 0.5 * std::erfc(sign * (limit - v) / h / std::sqrt(2.0));
                return sum / static_cast<double>(n);
            };
            for (const double tail : {0.00135, 0.2}) {
                const DensityRange range = density_range(x, tail, scratch);
                EXPECT_NEAR(share(range.high, 1.0), tail, 1e-6 * tail);
                EXPECT_NEAR(share(range.low, -1.0), tail, 1e-6 * tail);
                // Values spread over the ends, and at and beside them, lie on the same sides.
                std::vector<double> others = {range.high, range.low};
                for (const double end : {range.low, range.high})
                    for (double away = h; away > 1e-15 * std::abs(end); away *= 0.1)
                        others.insert(others.end(), {end - away, end + away});
                for (std::size_t keep = others.size(); keep > 0; --keep) {
                    const DensityRange among =
                        density_range_among(x, std::span(others).last(keep), tail, scratch);
                    for (const double v : std::span(others).last(keep))
                        EXPECT_EQ(among.contains(v), range.contains(v)) << v - range.high;
                    for (const double v : x) EXPECT_EQ(among.contains(v), range.contains(v));
                }
            }
        }
}

TEST(Birch, MergesUntilTheDeviationPassesTheThreshold) {
    // A value joins n equal ones while sqrt(n) / (n + 1) |difference| <= threshold.
    const std::vector<double> near = {0, 0, 0, 0.22};  // sqrt(3)/4 * 0.22 = 0.095
    EXPECT_EQ(birch(near, 0.1).num_used(), 1U);
    const std::vector<double> far = {0, 0, 0, 0.24};  // 0.104
    const BirchClusters clusters = birch(far, 0.1);
    EXPECT_EQ(clusters.num_used(), 2U);
    EXPECT_EQ(clusters.labels, (std::vector<std::uint32_t>{0, 0, 0, 1}));
    EXPECT_EQ(birch({}, 0.1).num_used(), 0U);
}

TEST(RollingMean, SkipsGapsAndStartsShort) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> x = {nan, 2, 4, nan, 6};
    const auto means = rolling_mean(x, 2);
    EXPECT_TRUE(std::isnan(means[0]));
    EXPECT_EQ(means[1], 2.0);
    EXPECT_EQ(means[2], 3.0);
    EXPECT_EQ(means[3], 4.0);
    EXPECT_EQ(means[4], 6.0);
    EXPECT_EQ(unit_length({3, 4}), (std::vector<double>{0.6, 0.8}));
    EXPECT_EQ(unit_length({0, 0}), (std::vector<double>{0, 0}));
}

// The definition, with all pairs, against the sorted form.
TEST(EnergyInhomogeneity, AgreesWithItsDefinition) {
    const auto mean_distance = [](const std::vector<double>& a, const std::vector<double>& b) {
        double sum = 0.0;
        for (const double u : a)
            for (const double v : b) sum += std::abs(u - v);
        return sum / static_cast<double>(a.size() * b.size());
    };
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        std::vector<double> x = noise(5 + seed, seed);
        std::vector<double> y = noise(9, seed + 100);
        for (double& v : y) v = std::round(v + 0.5);
        const double xy = mean_distance(x, y);
        const double expected = (2 * xy - mean_distance(x, x) - mean_distance(y, y)) / (2 * xy);
        EXPECT_NEAR(energy_inhomogeneity(x, y), expected, 1e-12);
        EXPECT_NEAR(energy_inhomogeneity(x, x), 0.0, 1e-15);
    }
    const std::vector<double> zero = {0, 0};
    const std::vector<double> one = {1};
    EXPECT_DOUBLE_EQ(energy_inhomogeneity(zero, one), 1.0);
    EXPECT_EQ(energy_inhomogeneity(zero, {}), 0.0);
}

TEST(EnergyPermutation, TellsAShiftFromNone) {
    Random random(5);
    const std::vector<double> x = noise(40, 1);
    std::vector<double> y = noise(40, 2);
    const RandomDivisions divisions(40, 40, 199, random);
    const EnergyFinding none = energy_permutation(x, y, divisions);
    EXPECT_GT(none.p_value, 0.05);
    EXPECT_EQ(none.inhomogeneity, energy_inhomogeneity(x, y));
    for (double& v : y) v += 2.0;
    EXPECT_EQ(energy_permutation(x, y, divisions).p_value, 1.0 / 200.0);
    // Four values, two and two: 6 divisions, of which 2 are as extreme as {0, 1} | {8, 9}.
    const std::vector<double> low = {0, 1};
    const std::vector<double> high = {8, 9};
    const RandomDivisions of_four(2, 2, 3000, random);
    EXPECT_NEAR(energy_permutation(low, high, of_four).p_value, 1.0 / 3.0, 0.05);
}

// Each division's H from the division itself, and the share only as far as it matters.
TEST(EnergyPermutation, AgreesWithTheDivisionsOneByOne) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        Random random(seed);
        const std::vector<double> x = noise(4 + 3 * seed, seed);
        std::vector<double> y = noise(6, seed + 50);
        for (double& v : y) v = std::round(2.0 * v) / 2.0 + 0.1 * static_cast<double>(seed);
        const RandomDivisions divisions(x.size(), y.size(), 37, random);
        std::vector<double> all = x;
        all.insert(all.end(), y.begin(), y.end());
        const double observed = energy_inhomogeneity(x, y);
        std::size_t reached = 1;
        for (std::size_t d = 0; d < 37; ++d) {
            std::vector<double> first;
            std::vector<double> second;
            for (std::size_t row = 0; row < all.size(); ++row) {
                const auto is_first =
                    divisions.at(d / RandomDivisions::lanes, row)[d % RandomDivisions::lanes];
                (is_first != 0 ? first : second).push_back(all[row]);
            }
            ASSERT_EQ(first.size(), x.size());
            reached += energy_inhomogeneity(first, second) >= observed * (1.0 - 1e-10) ? 1 : 0;
        }
        const double p = static_cast<double>(reached) / 38.0;
        EXPECT_EQ(energy_permutation(x, y, divisions).p_value, p);
        const double bound = energy_permutation(x, y, divisions, 0.1).p_value;
        if (p <= 0.1)
            EXPECT_EQ(bound, p);
        else
            EXPECT_TRUE(bound > 0.1 && bound <= p);
    }
}

// The definition, with every pair in double precision, for statistics on both sides of the quantile
// and within rounding of it.
TEST(ResampledCorrelation, AgreesWithTheQuantileOfAllPairs) {
    std::vector<double> scratch;
    for (const std::size_t n : {3U, 20U, 150U}) {
        Random random(n);
        const std::vector<double> x = noise(n, n);
        const Resamples resamples(n, 60, random);
        std::vector<double> pairs;
        const auto drawn = [&](std::size_t i) {
            std::vector<double> values;
            values.reserve(resamples.rows(i).size());
            for (const std::uint32_t row : resamples.rows(i)) values.push_back(x[row]);
            return values;
        };
        for (std::size_t i = 0; i < 60; ++i)
            for (std::size_t k = 0; k < i; ++k) {
                const double r = correlation(drawn(i), drawn(k));
                pairs.push_back(std::isnan(r) ? 0.0 : r * r);
            }
        const double threshold = quantile(pairs, 0.99, scratch);
        for (const double factor : {0.0, 0.5, 0.999, 1.0 - 1e-9, 1.0 + 1e-9, 1.001, 2.0})
            EXPECT_EQ(exceeds_resampled_correlation(factor * threshold, x, resamples, 0.99),
                      factor > 1.0)
                << n << " " << factor;
    }
}

// Long enough for buckets: even, uneven, with outliers, ties and extreme widths.
TEST(Quartiles, AgreeWithSortingOnAllKindsOfSeries) {
    for (std::size_t n = 60; n <= 4200; n = n * 5 / 4 + 1) {
        for (std::uint64_t kind = 0; kind < 9; ++kind) {
            std::vector<double> x = noise(n, n + kind);
            for (double& v : x) {
                if (kind == 1) v = std::exp(5.0 * v);
                if (kind == 2) v = std::round(3.0 * v);
                if (kind == 3) v = v > 1.0 ? 1e15 * v : v;
                if (kind == 4) v *= 1e308;
                if (kind == 5) v *= 1e-310;
                if (kind == 6) v = 1e9 + 1e-6 * v;
                if (kind == 7) v = 5.0;
                if (kind == 8) v = v > 0.0 ? 1.0 : -v;
            }
            std::vector<double> sorted = x;
            std::sort(sorted.begin(), sorted.end());
            const Quartiles q = quartiles(x);
            EXPECT_EQ(q.lower, quantile_sorted(sorted, 0.25)) << n << " " << kind;
            EXPECT_EQ(q.upper, quantile_sorted(sorted, 0.75)) << n << " " << kind;
            EXPECT_EQ(q.median,
                      n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0);
        }
    }
}

TEST(Correlation, KnowsLinesAndConstants) {
    const std::vector<double> x = {1, 2, 3, 4};
    const std::vector<double> up = {3, 5, 7, 9};
    const std::vector<double> down = {4, 3, 2, 1};
    const std::vector<double> flat = {5, 5, 5, 5};
    EXPECT_DOUBLE_EQ(correlation(x, up), 1.0);
    EXPECT_DOUBLE_EQ(correlation(x, down), -1.0);
    EXPECT_TRUE(std::isnan(correlation(x, flat)));
    const std::vector<double> bent = {1, 4, 9, 16};
    EXPECT_NEAR(correlation(x, bent), 25.0 / std::sqrt(5.0 * 129.0), 1e-15);
}

}  // namespace
}  // namespace culprit::stats
