#include "culprit/frame/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culprit/frame/log_table.h"
#include "culprit/frame/string_pool.h"

namespace culprit {
namespace {

std::vector<TimePoint> seconds(std::initializer_list<int> list) {
    std::vector<TimePoint> times;
    times.reserve(list.size());
    for (const int s : list) times.push_back(time_from_seconds(s));
    return times;
}

Column named(std::string name) {
    return {.name = std::move(name), .service = "", .metric = "", .unit = ""};
}

TEST(Frame, GivesColumnsRowsAndStep) {
    Matrix values(3, 2);
    values(2, 1) = 7.0;
    const auto frame = Frame::make(seconds({0, 5, 10}), {named("a_x"), named("b_x")}, values);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->num_rows(), 3U);
    EXPECT_EQ(frame->values(1)[2], 7.0);
    EXPECT_EQ(frame->find("b_x"), 1U);
    EXPECT_EQ(frame->find("c"), std::nullopt);
    EXPECT_EQ(frame->step(), std::chrono::seconds(5));
    EXPECT_EQ(frame->first_row_at(time_from_seconds(1)), 1U);
    EXPECT_EQ(frame->first_row_at(time_from_seconds(11)), 3U);
    // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): a copy is what is tested
    const Frame copy = *frame;
    EXPECT_EQ(copy.values(1).data(), frame->values(1).data()) << "copies share their values";
}

TEST(Frame, RefusesWhatIsNotAGrid) {
    EXPECT_FALSE(Frame::make(seconds({0, 0}), {named("a")}, Matrix(2, 1)));
    EXPECT_FALSE(Frame::make(seconds({1, 0}), {named("a")}, Matrix(2, 1)));
    EXPECT_FALSE(Frame::make(seconds({0}), {named("a"), named("a")}, Matrix(1, 2)));
    EXPECT_FALSE(Frame::make(seconds({0}), {named("")}, Matrix(1, 1)));
}

TEST(Frame, IsEmptyByDefault) {
    const Frame frame;
    EXPECT_EQ(frame.num_rows(), 0U);
    EXPECT_EQ(frame.num_columns(), 0U);
    EXPECT_EQ(frame.find("a"), std::nullopt);
    EXPECT_EQ(frame.step(), Duration{0});
}

TEST(StringPool, NumbersByFirstAppearanceAndSurvivesCopies) {
    StringPool pool;
    EXPECT_EQ(pool.intern("b"), 0U);
    EXPECT_EQ(pool.intern("a"), 1U);
    EXPECT_EQ(pool.intern("b"), 0U);
    const StringPool copy = pool;
    pool = StringPool();
    EXPECT_EQ(copy[1], "a");
    EXPECT_EQ(copy.find("b"), 0U);
    EXPECT_EQ(copy.find("z"), std::nullopt);
}

TEST(LogTable, KeepsMessagesApart) {
    LogTable logs;
    logs.add(time_from_seconds(1), "web", "first");
    logs.add(time_from_seconds(2), "web", "");
    logs.add(time_from_seconds(3), "db", "third");
    EXPECT_EQ(logs.message(0), "first");
    EXPECT_EQ(logs.message(1), "");
    EXPECT_EQ(logs.message(2), "third");
    EXPECT_EQ(logs.sources[logs.source[2]], "db");
}

}  // namespace
}  // namespace culprit
