#include "culprit/telemetry/assess.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "culprit/telemetry/telemetry_records.h"

namespace culprit {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// A library of three faults that only the power limit and the temperature tell apart.
FaultLibrary three_faults() {
    const auto folder =
        std::filesystem::temp_directory_path() / fmt::format("culprit_faults_{}", ::getpid());
    std::filesystem::create_directories(folder);
    const auto write = [&](const std::string& id, const std::string& signals) {
        std::ofstream(folder / (id + ".json"))
            << R"({"id":")" << id << R"(","name":")" << id
            << R"(","family":"gpu_power","layer":"infrastructure","component":"gpu",)"
            << R"("scope":"one","prior":1,"signals":[)" << signals
            << R"(],"logs":[],"changes":[],"decided_by":[],"remedies":[{"do":"x","command":""}]})";
    };
    const auto signal = [](const std::string& name, const std::string& direction) {
        return fmt::format(R"({{"signal":"{}","direction":"{}","order":1,"weight":3}})", name,
                           direction);
    };
    write("cap", signal("gpu.sm_clock", "down") + "," + signal("gpu.power_limit", "down"));
    write("heat", signal("gpu.sm_clock", "down") + "," + signal("gpu.temperature", "up"));
    write("load", signal("engine.waiting", "up"));
    auto faults = FaultLibrary::load(folder);
    std::filesystem::remove_all(folder);
    EXPECT_TRUE(faults.has_value()) << faults.error().message;
    return std::move(*faults);
}

Inventory seeing(std::initializer_list<const char*> names) {
    Inventory inventory;
    for (const char* name : names)
        inventory.signals[name] = {.visibility = Visibility::present, .num_series = 1};
    return inventory;
}

TEST(AssessTest, NamesBlindAndAlikeFaultsAndWhatWouldSeparateThem) {
    const FaultLibrary faults = three_faults();
    const Assessment assessment =
        assess(seeing({"DCGM_FI_DEV_SM_CLOCK"}), Catalogue::builtin(), faults);
    EXPECT_THAT(assessment.blind, Contains("load"));
    ASSERT_EQ(assessment.groups.size(), 1U);
    EXPECT_EQ(assessment.groups[0], (std::vector<std::string>{"cap", "heat"}));
    ASSERT_FALSE(assessment.additions.empty());
    std::vector<std::string> what;
    what.reserve(assessment.additions.size());
    for (const Addition& addition : assessment.additions) what.push_back(addition.what);
    // The power limit is a line in the counters file of an exporter that runs already.
    EXPECT_THAT(what, Contains("DCGM_FI_DEV_ENFORCED_POWER_LIMIT"));
    EXPECT_THAT(what, Contains("vLLM"));
    EXPECT_THAT(assessment_text(assessment), HasSubstr("blind to 1 of 3"));
}

TEST(AssessTest, AComponentThatRunsIsAskedForWhatItLeavesOut) {
    const Assessment assessment =
        assess(seeing({"node_load1"}), Catalogue::builtin(), FaultLibrary::builtin());
    EXPECT_THAT(assessment.blind, Contains("Clock skew"));
    std::string how;
    for (const Addition& addition : assessment.additions)
        if (addition.what == "Prometheus node exporter, what it leaves out") how = addition.how;
    EXPECT_THAT(how, HasSubstr("gives no node_"));
    EXPECT_THAT(how, HasSubstr("--collector.timex"));
}

TEST(AssessTest, SeeingEverythingLeavesNothingToAdd) {
    const FaultLibrary faults = three_faults();
    const Assessment assessment =
        assess(seeing({"DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_ENFORCED_POWER_LIMIT",
                       "DCGM_FI_DEV_GPU_TEMP", "vllm:num_requests_waiting"}),
               Catalogue::builtin(), faults);
    EXPECT_TRUE(assessment.blind.empty());
    EXPECT_TRUE(assessment.groups.empty());
    EXPECT_EQ(assessment.num_pairs_apart, 3U);
    EXPECT_TRUE(assessment.additions.empty());
}

TEST(AssessTest, MoreTelemetryNeverLowersTheScoreOrSeparatesLess) {
    Inventory inventory;
    double score = -1;
    std::uint64_t apart = 0;
    for (const char* name :
         {"node_cpu_seconds_total", "node_load1", "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_GPU_TEMP",
          "vllm:num_requests_waiting", "vllm:num_requests_running"}) {
        inventory.signals[name] = {.visibility = Visibility::present, .num_series = 1};
        const Assessment assessment =
            assess(inventory, Catalogue::builtin(), FaultLibrary::builtin());
        EXPECT_GE(assessment.num_pairs_apart, apart);
        EXPECT_GT(assessment.score, score);
        apart = assessment.num_pairs_apart;
        score = assessment.score;
    }
}

TEST(InventoryTest, FindsCoarseStaleAndUnlabelledSeries) {
    std::vector<TimePoint> times;
    times.reserve(200);
    for (int i = 0; i < 200; ++i) times.push_back(time_from_seconds(5 * i));
    Matrix values(200, 3, std::nan(""));
    for (std::size_t i = 0; i < 200; i += 6) values(i, 0) = 1;  // every 30 s
    for (std::size_t i = 0; i < 100; ++i) values(i, 1) = 1;     // silent for the second half
    for (std::size_t i = 0; i < 200; ++i) values(i, 2) = 1;
    const auto column = [](const std::string& signal, std::map<std::string, std::string> labels) {
        labels["signal"] = signal;
        return Column{"a_" + signal, "a", signal, "", labels};
    };
    Case observed;
    observed.incident.metrics =
        *Frame::make(std::move(times),
                     {column("node_load1", {{"host", "a"}}), column("node_filefd_allocated", {}),
                      column("DCGM_FI_DEV_SM_CLOCK", {{"host", "a"}})},
                     std::move(values));
    const Inventory inventory = take_inventory(observed, {.fault_seconds = 60});
    EXPECT_THAT(inventory.signals.at("node_load1").defects,
                Contains(HasSubstr("every 30 s: hides a fault of 60 s")));
    EXPECT_THAT(inventory.signals.at("node_filefd_allocated").defects,
                Contains(HasSubstr("stale for 500 s")));
    EXPECT_THAT(inventory.signals.at("DCGM_FI_DEV_SM_CLOCK").defects,
                Contains(HasSubstr("GPU UUID")));
    EXPECT_THAT(inventory.signals.at("DCGM_FI_DEV_SM_CLOCK").defects, Not(Contains("stale")));
    EXPECT_EQ(inventory.signals.at("node_load1").visibility, Visibility::impaired);
}

// Two services whose spans have `status`, under a metric that counts answers of class `code`.
Inventory traced_with(std::int32_t status, const std::string& code) {
    Case observed;
    observed.incident.metrics = *Frame::make(
        {time_from_seconds(0), time_from_seconds(5)},
        {Column{"a", "a", "m", "", {{"signal", "istio_requests_total"}, {"response_code", code}}}},
        Matrix(2, 1, 1.0));
    auto spans = std::make_shared<SpanTable>();
    for (int k = 0; k < 3; ++k)
        add_span({.trace_id = "1",
                  .span_id = std::to_string(k + 1),
                  .parent_id = k == 0 ? "" : std::to_string(k),
                  .service = k == 0 ? "proxy" : "engine",
                  .start_ns = 1'000,
                  .duration_ns = 1'000,
                  .status = k == 0 ? 200 : status},
                 *spans);
    observed.incident.spans = std::move(spans);
    return take_inventory(observed, {});
}

TEST(InventoryTest, SamplingThatDropsErrorsIsADefect) {
    const auto sampling = Contains(HasSubstr("sampling drops errors"));
    EXPECT_THAT(traced_with(200, "503").defects, sampling);
    EXPECT_THAT(traced_with(500, "503").defects, Not(sampling));
    EXPECT_THAT(traced_with(200, "404").defects, Not(sampling));
    EXPECT_TRUE(traced_with(200, "200").has_inner_spans);
    EXPECT_TRUE(traced_with(200, "200").has_propagation);
}

TEST(AssessTest, PagesAreEscapedAndJsonIsStable) {
    Assessment assessment;
    assessment.additions.push_back({.what = "<script>", .how = "a & b"});
    EXPECT_THAT(assessment_html(assessment), HasSubstr("&lt;script&gt;"));
    EXPECT_THAT(assessment_html(assessment), HasSubstr("a &amp; b"));
    EXPECT_EQ(assessment_json(assessment), assessment_json(assessment));
}

}  // namespace
}  // namespace culprit
