#include "culprit/tailored/log_features.h"

#include <gtest/gtest.h>

#include "culprit/base/matrix.h"

namespace culprit::tailored {
namespace {

constexpr int num_rows = 60;
constexpr int alert_row = 40;

Frame grid() {
    std::vector<TimePoint> times;
    times.reserve(static_cast<std::size_t>(num_rows));
    for (int r = 0; r < num_rows; ++r) times.push_back(time_from_seconds(1.7e9 + 5 * r));
    return *Frame::make(times, {{.name = "a_cpu", .service = "a", .metric = "cpu"}},
                        Matrix(times.size(), 1));
}

/// Lines per row of 5 s, before and after the alert; after it only in every nth row.
std::vector<Feature> features_with(const char* source, int before, int after, int nth = 1) {
    const Frame frame = grid();
    LogTable logs;
    for (int r = 0; r < num_rows; ++r)
        for (int i = 0; i < (r < alert_row ? before : r % nth == 0 ? after : 0); ++i)
            logs.add(frame.times()[static_cast<std::size_t>(r)], source, "a line");
    const auto row = [&](int r) { return frame.times()[static_cast<std::size_t>(r)]; };
    std::vector<Feature> features = {{.service = "a", .signal = "container_cpu"}};
    add_log_features(features, logs, frame,
                     {.reference = {row(0), row(30)},
                      .search = {row(30), row(num_rows - 1)},
                      .suspect = {row(alert_row), row(num_rows - 1)}});
    return features;
}

TEST(LogFeatures, ShowAFloodInLinesPerSecond) {
    const auto features = features_with("a", 10, 1000);
    ASSERT_EQ(features.size(), 2U);
    EXPECT_EQ(features[1].service, "a");
    EXPECT_EQ(features[1].signal, "log.lines");
    EXPECT_DOUBLE_EQ(features[1].values[20], 2.0);
    EXPECT_DOUBLE_EQ(features[1].values[50], 200.0);
}

TEST(LogFeatures, SayNothingOfTwiceTheLinesOrOfAFewMore) {
    EXPECT_EQ(features_with("a", 500, 1000).size(), 1U);
    EXPECT_EQ(features_with("a", 0, 50).size(), 1U);
}

TEST(LogFeatures, SayNothingOfAStateThatIsDumpedNowAndThen) {
    EXPECT_EQ(features_with("a", 10, 5000, 10).size(), 1U);
}

TEST(LogFeatures, LeaveOutWhoHasNoOtherSignal) {
    EXPECT_EQ(features_with("somebody", 10, 1000).size(), 1U);
}

}  // namespace
}  // namespace culprit::tailored
