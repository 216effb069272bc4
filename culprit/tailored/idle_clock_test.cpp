#include "culprit/tailored/idle_clock.h"

#include <gmock/gmock.h>

#include <cmath>

namespace culprit::tailored {
namespace {

using testing::ElementsAre;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<Feature> one(std::vector<double> clock, std::vector<double> used, const char* unit) {
    return {
        {.service = "r0", .signal = "gpu.sm_clock", .unit = "Hz", .values = std::move(clock)},
        {.service = "r0", .signal = "gpu.utilization", .unit = unit, .values = std::move(used)}};
}

TEST(IdleClock, IsWhatItWasUnderWork) {
    auto features = one({210, 1980, 1980, 210, nan, 210, 1200}, {0, 60, 70, 0, 0, 4.9, 5}, "%");
    hold_clock_while_idle(features);
    EXPECT_THAT(features[0].values,
                ElementsAre(1980, 1980, 1980, 1980, testing::IsNan(), 1980, 1200));
}

TEST(IdleClock, KnowsSharesFromPercents) {
    auto features = one({1980, 900, 210}, {0.6, 0.06, 0.01}, "1");
    hold_clock_while_idle(features);
    EXPECT_THAT(features[0].values, ElementsAre(1980, 900, 900));
}

TEST(IdleClock, IsLeftAloneWithoutWorkOrUtilisation) {
    auto idle = one({210, 300}, {0, 0}, "%");
    hold_clock_while_idle(idle);
    EXPECT_THAT(idle[0].values, ElementsAre(210, 300));
    auto alone = one({1980, 210}, {50, 0}, "%");
    alone.pop_back();
    hold_clock_while_idle(alone);
    EXPECT_THAT(alone[0].values, ElementsAre(1980, 210));
}

}  // namespace
}  // namespace culprit::tailored
