#include "culprit/scorecard/scorecard.h"

#include <gtest/gtest.h>

#include "culprit/scorecard/sources.h"

namespace culprit {
namespace {

TEST(Scorecard, FindsClearFaultsAndBlamesNobodyForLoad) {
    const SimulatedCases cases{
        .kinds = {"none", "gpu_power_cap", "engine_dead", "traffic_burst", "storage_slow"},
        .first_seed = 500,
        .count = 4};
    const auto card = score_simulated(cases, {});
    ASSERT_TRUE(card);
    EXPECT_EQ(card->num_cases, 20U);
    EXPECT_EQ(card->num_sound, 8U);
    EXPECT_EQ(card->blamed_falsely, 0U) << scorecard_text(*card, true);
    EXPECT_GE(card->component_first, 10U) << scorecard_text(*card, true);
    const auto again = score_simulated(cases, {.num_threads = 2});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->brier, card->brier);
    EXPECT_EQ(again->fault_first, card->fault_first);
}

TEST(Scorecard, SpoiledDataAndUnknownFaultsStillGetAnAnswer) {
    const ScoringOptions options{
        .spoiling = {.drop_share = 0.3, .alert_delay_seconds = 60.0, .drop_logs = true},
        .hold_out = true};
    const auto card =
        score_simulated({.kinds = {"gpu_thermal"}, .first_seed = 500, .count = 3}, options);
    ASSERT_TRUE(card);
    EXPECT_EQ(card->num_broken, 3U);
    EXPECT_EQ(card->fault_first, 0U);  // its family was held out
    EXPECT_FALSE(score_simulated({.kinds = {"gremlins"}}, options));
}

TEST(Scorecard, CountsSoundWindowsBlameAndCalibration) {
    Outcome right{.name = "a", .kind = "cpu", .broken = true, .answered_fault = "cpu", .rank = 1};
    right.fault_right = true;
    right.has_probability = true;
    right.probability = 0.9;
    Outcome wrong{.name = "b", .kind = "cpu", .broken = true, .rank = 4};
    wrong.has_probability = true;
    wrong.probability = 0.6;
    const Outcome blamed{.name = "c", .kind = "none", .answered_component = "x", .rank = 2};
    const auto card = scorecard_of("made", {right, wrong, blamed});
    EXPECT_EQ(card.num_broken, 2U);
    EXPECT_EQ(card.component_first, 1U);
    EXPECT_EQ(card.component_in_three, 1U);
    EXPECT_NEAR(card.average_at_5, (1.0 + 0.4) / 2, 1e-12);
    EXPECT_EQ(card.blamed_falsely, 1U);
    EXPECT_EQ(card.num_with_fault, 1U);
    EXPECT_NEAR(card.brier, (0.01 + 0.36) / 2, 1e-12);
}

/// All services take up the same CPU at once: one of them is likely broken, but which?
TEST(Scorecard, NamingNobodyIsNoBlameAndNoHit) {
    constexpr std::size_t rows = 90;
    constexpr std::size_t alert = 60;
    constexpr std::size_t num_services = 10;
    std::vector<TimePoint> times;
    std::vector<Column> columns;
    Matrix values(rows, num_services);
    for (std::size_t r = 0; r < rows; ++r) {
        times.push_back(time_from_seconds(1.7e9 + 5.0 * static_cast<double>(r)));
        for (std::size_t s = 0; s < num_services; ++s)
            values(r, s) = (r < alert ? 0.2 : 0.8) + 0.01 * static_cast<double>((7 * r + s) % 5);
    }
    for (std::size_t s = 0; s < num_services; ++s) {
        const std::string name = "svc" + std::to_string(s);
        columns.push_back({.name = name + "_cpu", .service = name, .metric = "cpu"});
    }
    auto frame = Frame::make(times, std::move(columns), std::move(values));
    ASSERT_TRUE(frame.has_value());
    Case spread{.id = "spread", .truth = GroundTruth{}};
    spread.incident.metrics = *frame;
    spread.incident.alert = times[alert];
    spread.incident.baseline = {times.front(), times[alert]};
    spread.incident.suspect = {times[alert], times.back() + Duration(5'000'000'000)};
    const Outcome sound = judge(spread, {}, 0, {});
    EXPECT_EQ(sound.answered_fault, "unknown");
    EXPECT_EQ(sound.answered_component, "");
    EXPECT_EQ(sound.rank, 1U);
    spread.truth->services = {"svc3"};
    const Outcome broken = judge(spread, {}, 0, {});
    EXPECT_EQ(broken.answered_component, "");
    EXPECT_GT(broken.rank, 1U);
}

TEST(Spoiling, CutsRowsColumnsAndMovesTheAlert) {
    std::vector<TimePoint> times;
    times.reserve(60);
    for (int r = 0; r < 60; ++r) times.push_back(time_from_seconds(1000 + r));
    Matrix values(60, 2);
    for (std::size_t r = 0; r < 60; ++r) values(r, 0) = values(r, 1) = static_cast<double>(r);
    Incident incident;
    incident.metrics = *Frame::make(times,
                                    {{.name = "a_vllm", .service = "a", .metric = "vllm:x"},
                                     {.name = "a_cpu", .service = "a", .metric = "cpu"}},
                                    std::move(values));
    incident.alert = times[30];
    incident.baseline = {times.front(), times[30]};
    incident.suspect = {times[30], times.back() + Duration(1)};
    const Incident worse = spoiled(incident,
                                   {.blur_seconds = 2.0,
                                    .alert_delay_seconds = 5.0,
                                    .baseline_seconds = 20.0,
                                    .scrape_seconds = 5.0,
                                    .until_seconds = 15.0,
                                    .drop_engine = true},
                                   1);
    EXPECT_EQ(worse.alert, times[35]);
    ASSERT_EQ(worse.metrics.num_columns(), 1U);
    EXPECT_EQ(worse.metrics.column(0).name, "a_cpu");
    EXPECT_EQ(worse.metrics.num_rows(), 7U);  // 15, 20, ... 45
    EXPECT_EQ(worse.metrics.times().front(), times[15]);
    EXPECT_DOUBLE_EQ(worse.metrics.values(0)[1], 19.0);  // mean of 18, 19, 20
}

}  // namespace
}  // namespace culprit
