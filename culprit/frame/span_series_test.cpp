#include "culprit/frame/span_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace culprit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::DoubleEq;
using testing::ElementsAre;
using testing::NanSensitiveDoubleEq;

struct TestSpan {
    std::uint64_t id = 0;
    std::uint64_t parent = 0;
    std::string service;
    int start_ms = 0;
    int duration_ms = 0;
    int status = 200;
};

SpanTable table(const std::vector<TestSpan>& rows) {
    SpanTable spans;
    for (const TestSpan& row : rows) {
        spans.start.push_back(TimePoint(milliseconds(row.start_ms)));
        spans.duration.emplace_back(milliseconds(row.duration_ms));
        spans.trace.push_back(spans.traces.intern("t"));
        spans.id.push_back(row.id);
        spans.parent_id.push_back(row.parent);
        spans.service.push_back(spans.services.intern(row.service));
        spans.operation.push_back(spans.operations.intern("POST"));
        spans.method.push_back(spans.operations.intern(""));
        spans.status.push_back(row.status);
    }
    return spans;
}

TEST(TimeSpans, SubtractsTheUnionOfTheChildren) {
    // Children 10-40 and 30-60 overlap, 90-130 ends after its parent: 100 - 50 - 10 = 40 ms.
    const SpanTable spans = table({{1, 0, "web", 0, 100},
                                   {2, 1, "db", 30, 30},
                                   {3, 1, "db", 10, 30},
                                   {4, 1, "db", 90, 40},
                                   {5, 9, "db", 0, 7}});
    const SpanTimes times = time_spans(spans);
    EXPECT_THAT(times.parent, ElementsAre(SpanTimes::no_parent, 0, 0, 0, SpanTimes::no_parent));
    EXPECT_EQ(times.self_time[0], milliseconds(40));
    EXPECT_EQ(times.self_time[1], milliseconds(30));
    EXPECT_EQ(times.gap[0], SpanTimes::no_gap) << "several children: not a client span";
    EXPECT_EQ(times.gap[1], SpanTimes::no_gap);
}

TEST(TimeSpans, GivesTheGapOfClientSpansOnly) {
    const SpanTable spans = table({{1, 0, "web", 0, 100},
                                   {2, 1, "db", 50, 70},
                                   {3, 0, "web", 0, 10},
                                   {4, 3, "web", 0, 5},
                                   {7, 7, "web", 0, 5}});
    const SpanTimes times = time_spans(spans);
    EXPECT_EQ(times.gap[0], milliseconds(30)) << "durations only: a skewed clock does not matter";
    EXPECT_EQ(times.gap[2], SpanTimes::no_gap) << "a child of the same service is no server";
    EXPECT_EQ(times.parent[4], SpanTimes::no_parent) << "a span that is its own parent";
}

TEST(SpanSeries, BinsByStartAndKeepsEmptyBins) {
    const SpanTable spans = table({{1, 0, "web", 0, 100, 200},
                                   {2, 1, "db", 10, 60, 500},
                                   {3, 0, "web", 900, 300, 503},
                                   {4, 3, "db", 2500, 40, 200}});
    const SpanTimes times = time_spans(spans);
    const SpanSeriesOptions options{.grid = {TimePoint{}, seconds(1), 3}};
    const auto duration = operation_series(spans, times, SpanQuantity::duration, options);
    ASSERT_TRUE(duration);
    ASSERT_EQ(duration->keys.size(), 2U);
    EXPECT_EQ(duration->keys[0].service, "web");
    EXPECT_EQ(duration->keys[0].operation, "POST");
    EXPECT_THAT(duration->values.column(0),
                ElementsAre(DoubleEq(0.2), NanSensitiveDoubleEq(NAN), NanSensitiveDoubleEq(NAN)));
    const auto errors = operation_series(spans, times, SpanQuantity::error_share, options);
    EXPECT_THAT(errors->values.column(0),
                ElementsAre(0.5, NanSensitiveDoubleEq(NAN), NanSensitiveDoubleEq(NAN)));
    const auto rate = operation_series(spans, times, SpanQuantity::rate, options);
    EXPECT_THAT(rate->values.column(0), ElementsAre(2.0, 0.0, 0.0));
    const auto gap = edge_series(spans, times, SpanQuantity::gap, options);
    ASSERT_EQ(gap->keys.size(), 1U);
    EXPECT_EQ(gap->keys[0].peer, "web");
    EXPECT_EQ(gap->keys[0].service, "db");
    EXPECT_THAT(gap->values.column(0),
                ElementsAre(DoubleEq(0.04), NanSensitiveDoubleEq(NAN), DoubleEq(0.26)));
}

TEST(SpanSeries, TellsHttpFromGrpc) {
    const SpanFailure http(table({{1, 0, "web", 0, 1, 200}, {2, 0, "web", 0, 1, 0}}));
    EXPECT_TRUE(http(500));
    EXPECT_FALSE(http(302));
    EXPECT_FALSE(http(SpanTable::no_status));
    const SpanFailure grpc(table({{1, 0, "web", 0, 1, 0}, {2, 0, "web", 0, 1, 14}}));
    EXPECT_TRUE(grpc(14));
    EXPECT_FALSE(grpc(0));
}

TEST(TimeGrid, CoversARange) {
    const TimeGrid grid =
        TimeGrid::cover({TimePoint(seconds(5)), TimePoint(seconds(11))}, seconds(5));
    EXPECT_EQ(grid.num_bins, 2U);
    EXPECT_EQ(grid.bin(TimePoint(seconds(4))), 2U);
    EXPECT_EQ(grid.bin(TimePoint(seconds(9))), 0U);
    EXPECT_EQ(grid.bin(TimePoint(seconds(10))), 1U);
    EXPECT_EQ(grid.bin(TimePoint(seconds(15))), 2U);
    EXPECT_EQ(grid.time(1), TimePoint(seconds(10)));
    EXPECT_EQ(TimeGrid::cover({TimePoint(seconds(5)), TimePoint(seconds(5))}, seconds(5)).num_bins,
              0U);
}

}  // namespace
}  // namespace culprit
