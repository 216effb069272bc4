#include "culprit/scorecard/simulated_scorecard.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

TEST(SimulatedScorecard, FindsClearFaultsAndBlamesNobodyForLoad) {
    ScorecardOptions options;
    options.kinds = {"none", "gpu_power_cap", "engine_dead", "traffic_burst", "storage_slow"};
    options.first_seed = 500;
    options.count = 4;
    const auto card = score_on_simulator(options);
    ASSERT_TRUE(card);
    EXPECT_EQ(card->num_cases, 20U);
    EXPECT_EQ(card->num_sound, 8U);
    EXPECT_EQ(card->blamed_falsely, 0U) << scorecard_text(*card);
    EXPECT_GE(card->component_first, 10U) << scorecard_text(*card);
    options.num_threads = 2;
    const auto again = score_on_simulator(options);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->brier, card->brier);
    EXPECT_EQ(again->fault_first, card->fault_first);
}

TEST(SimulatedScorecard, SpoiledDataAndUnknownFaultsStillGetAnAnswer) {
    ScorecardOptions options;
    options.kinds = {"gpu_thermal"};
    options.first_seed = 500;
    options.count = 3;
    options.drop_share = 0.3;
    options.drop_logs = true;
    options.hold_out = true;
    options.alert_delay_seconds = 60.0;
    const auto card = score_on_simulator(options);
    ASSERT_TRUE(card);
    EXPECT_EQ(card->num_broken, 3U);
    EXPECT_EQ(card->fault_first, 0U);  // its family was held out
    options.kinds = {"gremlins"};
    EXPECT_FALSE(score_on_simulator(options));
}

}  // namespace
}  // namespace culprit
