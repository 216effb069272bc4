#include "culprit/tailored/running_totals.h"

#include <gtest/gtest.h>

#include <cmath>

namespace culprit::tailored {
namespace {

Frame frame_of(std::vector<Column> columns, const std::vector<std::vector<double>>& values) {
    std::vector<TimePoint> times;
    for (std::size_t r = 0; r < values.front().size(); ++r)
        times.push_back(time_from_ns(static_cast<std::int64_t>(r) * 1'000'000'000));
    Matrix matrix(times.size(), columns.size());
    for (std::size_t c = 0; c < columns.size(); ++c)
        for (std::size_t r = 0; r < times.size(); ++r) matrix(r, c) = values[c][r];
    auto frame = Frame::make(std::move(times), std::move(columns), std::move(matrix));
    EXPECT_TRUE(frame.has_value());
    return *frame;
}

TEST(RunningTotals, ARestartCountsFromZero) {
    const std::vector<double> counter = {10, 12, 3, 5};
    EXPECT_TRUE(std::isnan(increases(counter)[0]));
    EXPECT_EQ(increases(counter)[1], 2.0);
    EXPECT_EQ(increases(counter)[2], 3.0);
    EXPECT_EQ(increases(counter)[3], 2.0);
    EXPECT_FALSE(looks_cumulative(counter));
    EXPECT_TRUE(looks_cumulative(std::vector<double>{1, 2, 2, 5}));
}

TEST(PlainSeries, HistogramsBecomeMeansAndBucketsAreLeft) {
    const Frame frame = frame_of(
        {{.name = "a_d_sum", .service = "a", .metric = "d_sum"},
         {.name = "a_d_count", .service = "a", .metric = "d_count"},
         {.name = "a_d_bucket", .service = "a", .metric = "d_bucket", .labels = {{"le", "1"}}},
         {.name = "a_level", .service = "a", .metric = "level"},
         {.name = "a_rate_total", .service = "a", .metric = "rate_total"}},
        {{10, 14, 20, 20}, {5, 7, 9, 9}, {5, 6, 7, 7}, {1, 2, 3, 4}, {5, 4, 6, 3}});
    const PlainSeries plain(frame);
    EXPECT_EQ(plain.values(0)[1], 2.0);
    EXPECT_EQ(plain.values(0)[2], 3.0);
    EXPECT_TRUE(std::isnan(plain.values(0)[3]));  // nothing was observed
    EXPECT_TRUE(plain.is_count(1));
    EXPECT_EQ(plain.values(1)[1], 2.0);
    EXPECT_FALSE(plain.is_used(2));
    EXPECT_FALSE(plain.is_derived(3));  // a level that happens to rise
    EXPECT_FALSE(plain.is_derived(4));  // called a total, and a rate already
}

TEST(PlainSeries, CountersOfOpenTelemetryAreTotals) {
    const Frame frame =
        frame_of({{.name = "a_rpc.server.errors", .service = "a", .metric = "rpc.server.errors"},
                  {.name = "b_rpc.server.errors", .service = "b", .metric = "rpc.server.errors"},
                  {.name = "c_rpc.server.errors", .service = "c", .metric = "rpc.server.errors"},
                  {.name = "a_filesystem.usage", .service = "a", .metric = "filesystem.usage"}},
                 {{900, 901, 901, 904, 905, 907, 911},
                  {0, 0, 0, 1, 2, 3, 4},
                  {2, 3, 4, 5, 6, 7, 6},
                  {1, 2, 3, 4, 5, 6, 7}});
    const PlainSeries plain(frame);
    EXPECT_TRUE(plain.is_derived(0));
    EXPECT_EQ(plain.values(0)[3], 3.0);
    EXPECT_FALSE(plain.is_derived(1));  // rose too seldom to tell
    EXPECT_FALSE(plain.is_derived(2));  // fell
    EXPECT_FALSE(plain.is_derived(3));  // a level that happens to rise
}

}  // namespace
}  // namespace culprit::tailored
