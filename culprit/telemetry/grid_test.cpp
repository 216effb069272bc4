#include "culprit/telemetry/grid.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>

namespace culprit {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

SampleGrid grid_of(std::int64_t first_s, std::int64_t step_s, std::size_t points) {
    return {.first_ms = first_s * 1000, .step_ms = step_s * 1000, .num_points = points};
}

Series samples(std::initializer_list<std::pair<double, double>> pairs) {
    Series series;
    for (const auto& [seconds, value] : pairs) {
        series.time_ms.push_back(static_cast<std::int64_t>(std::llround(seconds * 1000)));
        series.value.push_back(value);
    }
    return series;
}

TEST(GridTest, CoversTheRangeOnMultiplesOfTheStep) {
    const SampleGrid grid =
        SampleGrid::covering({time_from_seconds(101), time_from_seconds(121)}, 5000);
    EXPECT_EQ(grid.first_ms, 105'000);
    EXPECT_EQ(grid.num_points, 4U);  // 105, 110, 115, 120
}

TEST(GridTest, GaugeTakesTheLastSampleOfEachCellAndLeavesGaps) {
    const Series series = samples({{100, 1}, {104, 2}, {109, 3}, {126, 4}});
    std::vector<double> out(6);
    align_gauge(series, grid_of(105, 5, 6), out);
    EXPECT_EQ(out[0], 2);             // 104 in (102.5, 107.5]
    EXPECT_EQ(out[1], 3);             // 109
    EXPECT_TRUE(std::isnan(out[2]));  // 115: nothing since 109
    EXPECT_TRUE(std::isnan(out[3]));
    EXPECT_EQ(out[4], 4);  // 126
    EXPECT_TRUE(std::isnan(out[5]));
}

TEST(GridTest, ScrapeJitterAcrossACellBorderMakesNoHole) {
    // Every 5 s, but once 3 ms late and once early: 105.000, 110.003, 114.998, 120.001.
    const Series series = samples({{105, 1}, {110.003, 2}, {114.998, 3}, {120.001, 4}});
    std::vector<double> out(4);
    align_gauge(series, grid_of(105, 5, 4), out);
    EXPECT_EQ(out, (std::vector<double>{1, 2, 3, 4}));
    // The same, half a step off the grid.
    const Series between = samples({{107.5, 1}, {112.503, 2}, {117.498, 3}, {122.501, 4}});
    align_gauge(between, grid_of(110, 5, 3), std::span(out).first(3));
    EXPECT_EQ(out[1] - out[0], 1);
    EXPECT_EQ(out[2] - out[1], 1);
}

TEST(GridTest, RateUsesSampleTimesAndHandlesResets) {
    // 10/s, then a reset: 40 within the 4 s after it, then 10/s.
    const Series series = samples({{100, 500}, {105, 550}, {109, 40}, {115, 100}});
    std::vector<double> out(4);
    align_rate(series, grid_of(100, 5, 4), 60'000, out);
    EXPECT_TRUE(std::isnan(out[0]));  // one sample makes no rate
    EXPECT_DOUBLE_EQ(out[1], 10);
    EXPECT_DOUBLE_EQ(out[2], 10);  // 40 / 4 s
    EXPECT_DOUBLE_EQ(out[3], 10);  // 60 / 6 s
    EXPECT_EQ(reset_times_ms(series), (std::vector<std::int64_t>{109'000}));
}

TEST(GridTest, RateDoesNotBridgeADeadTarget) {
    const Series series = samples({{100, 0}, {105, 50}, {200, 1000}, {205, 1050}});
    std::vector<double> out(22);
    align_rate(series, grid_of(100, 5, 22), gap_max_ms(series), out);
    EXPECT_EQ(gap_max_ms(series), 25'000);
    EXPECT_DOUBLE_EQ(out[1], 10);
    EXPECT_TRUE(std::isnan(out[10]));
    EXPECT_TRUE(std::isnan(out[20]));  // at 200 s: the pair spans 95 s
    EXPECT_DOUBLE_EQ(out[21], 10);
}

TEST(GridTest, InfiniteAndNotANumberAreMissing) {
    const Series series = samples({{100, 1}, {105, inf}, {110, std::nan("")}, {115, 4}});
    std::vector<double> out(4);
    align_gauge(series, grid_of(100, 5, 4), out);
    EXPECT_EQ(out[0], 1);
    EXPECT_TRUE(std::isnan(out[1]));
    EXPECT_TRUE(std::isnan(out[2]));
    EXPECT_EQ(out[3], 4);
}

TEST(GridTest, QuantileInterpolatesInsideTheBucket) {
    const std::vector<std::pair<double, double>> buckets = {
        {0.1, 10}, {0.2, 30}, {0.4, 40}, {inf, 40}};
    // Rank 20 of 40 lies half way through the bucket from 0.1 (10) to 0.2 (30).
    EXPECT_DOUBLE_EQ(histogram_quantile(0.5, buckets), 0.15);
    EXPECT_DOUBLE_EQ(histogram_quantile(0.125, buckets), 0.05);
    EXPECT_DOUBLE_EQ(histogram_quantile(1.0, buckets), 0.4);
    const std::vector<std::pair<double, double>> overflow = {{0.1, 0}, {0.2, 1}, {inf, 10}};
    EXPECT_DOUBLE_EQ(histogram_quantile(0.99, overflow), 0.2);
    const std::vector<std::pair<double, double>> idle = {{0.1, 0}, {inf, 0}};
    EXPECT_TRUE(std::isnan(histogram_quantile(0.5, idle)));
    const std::vector<std::pair<double, double>> open = {{0.1, 1}, {0.2, 2}};
    EXPECT_TRUE(std::isnan(histogram_quantile(0.5, open)));
}

}  // namespace
}  // namespace culprit
