#include "culprit/tailored/generic_score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "culprit/base/random.h"
#include "culprit/tailored/blame_flow.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit::tailored {
namespace {

TEST(BlameFlow, EndsAtTheCalleeThatMakesTheExcess) {
    // 0 calls 1 and 2, 1 calls 3: 3 makes 8 of the 10 seconds that users of 0 wait, 0 makes 2.
    const std::vector<FlowNode> nodes = {
        {.excess = 10, .noise = 1, .requests = 100, .deviations = 9},
        {.excess = 8, .noise = 1, .requests = 80, .deviations = 9},
        {.excess = 0, .noise = 1, .requests = 50},
        {.excess = 8, .noise = 1, .requests = 80, .deviations = 9}};
    const std::vector<std::pair<std::size_t, std::size_t>> calls = {{0, 1}, {0, 2}, {1, 3}};
    const std::vector<double> blame = blame_flow(nodes, calls);
    const double total = std::accumulate(blame.begin(), blame.end(), 0.0);
    EXPECT_NEAR(blame[0] / total, 0.2, 1e-9);
    EXPECT_NEAR(blame[1], 0.0, 1e-9);
    EXPECT_NEAR(blame[2], 0.0, 1e-9);
    EXPECT_NEAR(blame[3] / total, 0.8, 1e-9);
}

TEST(BlameFlow, AChangeThatNoCallerFeelsWeighsLittle) {
    const std::vector<FlowNode> nodes = {
        {.excess = 0, .noise = 20, .requests = 100},
        {.excess = 1, .noise = .1, .requests = 100, .deviations = 10},
        {.excess = 5, .noise = 1, .requests = 100, .deviations = 5}};
    const std::vector<std::pair<std::size_t, std::size_t>> calls = {{0, 1}};
    const std::vector<double> blame = blame_flow(nodes, calls);
    EXPECT_LT(blame[1], blame[2] / 10.0);
}

TEST(BlameFlow, CyclesEndAndNothingYieldsNothing) {
    const std::vector<FlowNode> ring = {{.excess = 3, .noise = 1, .requests = 9, .deviations = 3},
                                        {.excess = 3, .noise = 1, .requests = 5, .deviations = 3}};
    const std::vector<std::pair<std::size_t, std::size_t>> calls = {{0, 1}, {1, 0}, {1, 1}};
    const std::vector<double> blame = blame_flow(ring, calls);
    EXPECT_NEAR(blame[0] + blame[1], 9.0, 1e-9);
    const std::vector<FlowNode> quiet(2);
    for (const double b : blame_flow(quiet, calls)) EXPECT_EQ(b, 0.0);
}

/// Ten services on a 1 s grid: latency rises at five of them, CPU at "s3" alone, from `fault` on.
Incident make_incident(int rows, int fault, int alert, std::uint64_t seed) {
    Random random(seed);
    std::vector<TimePoint> times;
    std::vector<Column> columns;
    times.reserve(static_cast<std::size_t>(rows));
    for (int r = 0; r < rows; ++r) times.push_back(time_from_seconds(1e9 + r));
    for (int s = 0; s < 10; ++s)
        for (const char* metric : {"cpu", "mem", "latency-90"})
            columns.push_back({.name = "s" + std::to_string(s) + "_" + metric,
                               .service = "s" + std::to_string(s),
                               .metric = metric,
                               .unit = ""});
    Matrix values(times.size(), columns.size());
    for (std::size_t c = 0; c < columns.size(); ++c)
        for (std::size_t r = 0; r < times.size(); ++r) {
            const bool after = static_cast<int>(r) >= fault;
            const std::string& service = columns[c].service;
            double level = 100.0 + 5.0 * random.normal();
            if (after && columns[c].metric == "latency-90" && service >= "s3" && service <= "s7")
                level += 200.0;
            if (after && columns[c].metric == "cpu" && service == "s3") level += 80.0;
            values(r, c) = level;
        }
    Incident incident;
    incident.metrics = *Frame::make(std::move(times), std::move(columns), std::move(values));
    incident.alert = time_from_seconds(1e9 + alert);
    incident.baseline = {time_from_seconds(1e9), incident.alert};
    incident.suspect = {incident.alert, time_from_seconds(1e9 + rows)};
    return incident;
}

TEST(Culprit, BlamesTheServiceThatChangedAlone) {
    const auto method = make_culprit();
    for (const int late : {0, 30, 90}) {
        const Incident incident = make_incident(600, 300, 300 + late, 5);
        const auto diagnosis = run_method(*method, incident, {});
        ASSERT_TRUE(diagnosis);
        EXPECT_EQ(diagnosis->ranking.suspects().front().name, "s3") << late;
        const auto& evidence = diagnosis->ranking.suspects().front().evidence;
        ASSERT_FALSE(evidence.empty());
        const auto& shift = std::get<ShiftEvidence>(evidence.front());
        EXPECT_NEAR(to_seconds(shift.onset - time_from_seconds(1e9 + 300)), 0.0, 3.0) << late;
    }
}

TEST(Culprit, SaysThatNothingMoved) {
    Incident incident = make_incident(40, 40, 20, 5);
    std::vector<TimePoint> times(incident.metrics.times().begin(), incident.metrics.times().end());
    std::vector<Column> columns(incident.metrics.columns().begin(),
                                incident.metrics.columns().end());
    Matrix flat(times.size(), columns.size(), 3.0);
    incident.metrics = *Frame::make(std::move(times), std::move(columns), std::move(flat));
    const auto diagnosis = run_method(*make_culprit(), incident, {});
    ASSERT_TRUE(diagnosis);
    EXPECT_EQ(diagnosis->status, DiagnosisStatus::degenerate);
    EXPECT_FALSE(run_method(*make_culprit(), Incident{}, {}));
}

TEST(MetricFamily, ReadsTheWordsOfMonitoringSystems) {
    EXPECT_EQ(family_of("latency-p90").role, FamilyRole::latency);
    EXPECT_EQ(family_of("availability-Average").key, "errors");
    EXPECT_EQ(family_of("requests-Sum").role, FamilyRole::traffic);
    EXPECT_EQ(family_of("ctn_cpu").key, "cpu");
    EXPECT_EQ(family_of("node-net-rx").key, "network");
    EXPECT_EQ(family_of("ctn_gpu").key, "gpu");
    EXPECT_EQ(family_of("strange-p99").key, family_of("strange-p50").key);
    EXPECT_LT(latency_rank("latency-Average"), latency_rank("latency-p90"));
}

}  // namespace
}  // namespace culprit::tailored
