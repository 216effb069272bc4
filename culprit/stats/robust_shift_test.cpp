#include "culprit/stats/robust_shift.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/random.h"
#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

TEST(RobustShift, FollowsItsFormula) {
    std::vector<double> scratch;
    const std::vector<double> baseline = {10, 12, missing, 11, 9, 13};
    const std::vector<double> suspect = {20, missing, 22};
    const auto shift = robust_shift(baseline, suspect, scratch);
    ASSERT_TRUE(shift);
    // median 11, absolute deviations 1 1 0 2 2 -> MAD 1; deviation sqrt(2), 0.3 of it is less.
    EXPECT_DOUBLE_EQ(shift->location, 11.0);
    EXPECT_DOUBLE_EQ(shift->scale, 1.4826 + 0.55);
    EXPECT_DOUBLE_EQ(shift->score, 10.0 / (1.4826 + 0.55));
    EXPECT_EQ(shift->num_baseline, 5U);
    EXPECT_EQ(shift->num_suspect, 2U);
}

TEST(RobustShift, ContaminationOfAThirdMovesLittle) {
    Random random(1);
    std::vector<double> clean;
    std::vector<double> dirty;
    for (int i = 0; i < 300; ++i) {
        clean.push_back(5.0 + random.normal());
        dirty.push_back(i % 3 == 0 ? 60.0 : clean.back());
    }
    const std::vector<double> suspect(50, 60.0);
    std::vector<double> scratch;
    const double a = robust_shift(clean, suspect, scratch)->score;
    const double b = robust_shift(dirty, suspect, scratch)->score;
    EXPECT_GT(b, a / 12.0);  // the deviation term: 0.3 * 26, where a mean and deviation give a / 20
    EXPECT_GT(b, 5.0);
}

TEST(RobustShift, NearConstantSeriesDoesNotWin) {
    std::vector<double> scratch;
    const std::vector<double> baseline(100, 1000.0);
    const std::vector<double> suspect(10, 1001.0);
    EXPECT_NEAR(robust_shift(baseline, suspect, scratch)->score, 1.0 / 50.0, 1e-12);
}

TEST(RobustShift, RefusesEmptySidesAndIgnoresAllZeroBaselines) {
    std::vector<double> scratch;
    const std::vector<double> one = {1.0, missing};
    const std::vector<double> two = {0.0, 0.0};
    EXPECT_FALSE(robust_shift(one, two, scratch));
    EXPECT_FALSE(robust_shift(two, std::vector<double>{missing}, scratch));
    EXPECT_EQ(robust_shift(two, one, scratch)->score, 0.0);
}

TEST(FindOnset, FindsTheStepAndItsInterval) {
    Random random(7);
    int covered = 0;
    for (int repeat = 0; repeat < 200; ++repeat) {
        std::vector<double> x(200);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal() + (i >= 120 ? 1.5 : 0.0);
        const auto onset = find_onset(x, 0.0, 1.0, 1.5);
        ASSERT_TRUE(onset);
        EXPECT_NEAR(static_cast<double>(onset->index), 120.0, 15.0);
        if (onset->earliest <= 120 && 120 <= onset->latest) ++covered;
    }
    EXPECT_GT(covered, 184);  // of 200, at 95 %
}

TEST(FindOnset, SeesAFaultThatEndedAndOneSpikeDecidesNothing) {
    std::vector<double> x(100, 0.0);
    for (std::size_t i = 40; i < 60; ++i) x[i] = -4.0;
    x[10] = -500.0;
    const auto onset = find_onset(x, 0.0, 1.0, -4.0);
    ASSERT_TRUE(onset);
    EXPECT_EQ(onset->index, 40U);
    EXPECT_EQ(onset->end, 60U);
}

TEST(FindOnset, AStaircaseCountsEachStepOnce) {
    std::vector<double> fine(60, 0.0);
    std::vector<double> held(360, 0.0);
    Random random(3);
    for (std::size_t i = 0; i < fine.size(); ++i) {
        fine[i] = random.normal() + (i >= 30 ? 3.0 : 0.0);
        for (std::size_t k = 0; k < 6; ++k) held[6 * i + k] = fine[i];
    }
    const double a = find_onset(fine, 0.0, 1.0, 3.0)->log_likelihood_ratio;
    const double b = find_onset(held, 0.0, 1.0, 3.0)->log_likelihood_ratio;
    EXPECT_NEAR(a, b, 1e-6 * a);
}

TEST(FindOnset, RefusesWhatCannotMove) {
    const std::vector<double> x = {1.0, 2.0};
    EXPECT_FALSE(find_onset(x, 0.0, 0.0, 1.0));
    EXPECT_FALSE(find_onset(x, 0.0, 1.0, 0.0));
    EXPECT_FALSE(find_onset(std::vector<double>{missing}, 0.0, 1.0, 1.0));
    EXPECT_FALSE(find_onset(x, 0.0, 1.0, -1.0));  // moved the other way
}

TEST(OnsetRatios, AreThoseOfEachSearch) {
    Random random(11);
    for (int repeat = 0; repeat < 300; ++repeat) {
        std::vector<double> x(1 + static_cast<std::size_t>(repeat) % 97);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = random.normal() + (2 * i > x.size() ? 2.0 : 0.0);
            if (repeat % 3 == 1) x[i] = std::floor(x[i]);
            if (repeat % 3 == 2 && random.normal() > 0.5) x[i] = missing;
        }
        const double scale = repeat % 7 == 0 ? 0.0 : 0.7;
        const OnsetShifts shifts = {2.0, -1.4, 0.0, repeat % 5 == 0 ? missing : 1.4};
        const OnsetShifts ratios = onset_ratios(x, 0.1, scale, shifts);
        for (std::size_t k = 0; k < shifts.size(); ++k) {
            const auto onset = find_onset(x, 0.1, scale, shifts[k]);
            EXPECT_EQ(ratios[k], onset ? onset->log_likelihood_ratio : 0.0) << repeat << " " << k;
        }
    }
}

TEST(RobustShift, IsItsDefinitionWhateverDecidesTheScale) {
    Random random(12);
    std::vector<double> scratch;
    int by_deviation = 0;
    for (int repeat = 0; repeat < 300; ++repeat) {
        std::vector<double> x(2 + static_cast<std::size_t>(repeat) * 3);
        for (double& v : x) {
            v = 10.0 + random.normal();
            if (repeat % 3 == 1) v = random.normal() > 1.3 ? 50.0 * v : 10.0;  // MAD 0
            if (repeat % 3 == 2) v = std::exp(2.0 * v);
        }
        std::vector<double> sorted = x;
        const double location = median_in_place(sorted);
        double sum = 0.0;
        for (const double v : x) sum += v;
        const auto n = static_cast<double>(x.size());
        double squares = 0.0;
        for (double& v : sorted) v = std::abs(v - location);
        for (const double v : x) squares += (v - sum / n) * (v - sum / n);
        const double mad = 1.4826 * median_in_place(sorted);
        const double spread = 0.3 * std::sqrt(squares / n);
        if (spread > mad) ++by_deviation;
        const auto shift = robust_shift(x, std::vector<double>{11.0}, scratch);
        ASSERT_TRUE(shift);
        EXPECT_EQ(shift->location, location);
        EXPECT_EQ(shift->scale, std::max(mad, spread) + 0.05 * std::abs(location)) << repeat;
    }
    EXPECT_GT(by_deviation, 50);
}

TEST(CountShift, IsTheDevianceResidual) {
    EXPECT_NEAR(count_shift(9.5, 10.0, 10.0, 10.0), 0.0, 1e-12);
    // mu = 0.5 * 60 / 600 = 0.05, k = 1: sqrt(2 (log 20 - 0.95)) = 2.02
    EXPECT_NEAR(count_shift(0.0, 600.0, 1.0, 60.0), std::sqrt(2.0 * (std::log(20.0) - 0.95)),
                1e-12);
    EXPECT_LT(count_shift(100.0, 10.0, 0.0, 10.0), -10.0);
    EXPECT_EQ(count_shift(1.0, 0.0, 1.0, 1.0), 0.0);
}

TEST(Median, IsTheMiddleOfTheSortedValues) {
    Random random(5);
    std::vector<std::size_t> sizes = {500, 1000, 1001, 4096, 5000};
    for (std::size_t n = 1; n <= 200; ++n) sizes.push_back(n);
    for (const std::size_t n : sizes)
        for (int shape = 0; shape < 5; ++shape) {
            std::vector<double> values(n);
            for (double& v : values) {
                v = random.normal();
                if (shape == 1) v = std::exp(5.0 * v);             // most values in one bin
                if (shape == 2) v = std::floor(2.0 * v);           // many equal values
                if (shape == 3) v = v > 2.0 ? 1e300 : 1e-300 * v;  // extremes
                if (shape == 4) v = 7.0;
            }
            std::vector<double> sorted = values;
            std::ranges::sort(sorted);
            const double expected =
                n % 2 == 1 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
            EXPECT_EQ(median_in_place(values), expected) << n << " " << shape;
            std::ranges::sort(values);
            EXPECT_EQ(values, sorted);  // the same values still
        }
}

TEST(Excursion, IsTheFarthestMeanOfSoManyValues) {
    const std::vector<double> values = {0, 0, 4, 2, 0, 0, -1, 0};
    EXPECT_NEAR(excursion(values, 0.0, 1.0, 2), 3.0, 1e-12);
    EXPECT_NEAR(excursion(values, 0.0, 2.0, 1), 2.0, 1e-12);
    EXPECT_EQ(excursion(values, 0.0, 0.0, 2), 0.0);
    EXPECT_EQ(excursion({}, 0.0, 1.0, 2), 0.0);
    const std::vector<double> gaps = {0, missing, 4, missing, 2, 0, 0, 0};
    EXPECT_NEAR(excursion(gaps, 0.0, 1.0, 2), 4.0, 1e-12);
}

TEST(BeforeChange, LeavesOutTheRowsThatHaveMovedAlready) {
    const std::vector<double> late = {0, 1, 0, 1, 0, 0, 1, 9, 10};
    EXPECT_EQ(before_change(late, 0.5, 10.0).size(), 7U);
    EXPECT_EQ(before_change(late, 0.5, -10.0).size(), 9U) << "they moved the other way";
    const std::vector<double> moved(9, 10.0);
    EXPECT_EQ(before_change(moved, 0.0, 10.0).size(), 6U) << "two thirds stay";
    const std::vector<double> gap = {0, 1, 0, 1, 0, 0, 9, missing, 10};
    EXPECT_EQ(before_change(gap, 0.5, 10.0).size(), 6U);
}

}  // namespace
}  // namespace culprit::stats
