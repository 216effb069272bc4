#include "culprit/tailored/load_change.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "culprit/base/random.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit::tailored {
namespace {

/// What happens to a system from the alert on.
struct Change {
    double load = 1.0;        ///< requests times this, at every service
    int service = -1;         ///< the one that is broken
    double extra_cpu = 0.0;   ///< its cores
    double slower = 1.0;      ///< its latency times this
    bool counts = true;       ///< requests and latency are measured, otherwise bytes
    double common_cpu = 0.0;  ///< cores more at every service
};

/// Ten services at steps of five seconds, 96 rows before the alert and 36 after. A fifth of the CPU
/// is idle work, and latency grows a little with load.
Incident ordinary_system(std::uint64_t seed, const Change& change) {
    constexpr std::size_t rows = 132;
    constexpr std::size_t alert = 96;
    constexpr std::size_t num_services = 10;
    Random random(seed);
    std::vector<TimePoint> times;
    for (std::size_t r = 0; r < rows; ++r)
        times.push_back(
            time_from_ns(static_cast<std::int64_t>(1'700'000'000 + 5 * r) * 1'000'000'000));
    const std::vector<std::string> metrics =
        change.counts ? std::vector<std::string>{"cpu", "mem", "workload", "latency-50"}
                      : std::vector<std::string>{"cpu", "mem", "network_tx_bytes"};
    std::vector<Column> columns;
    Matrix values(rows, num_services * metrics.size());
    for (std::size_t s = 0; s < num_services; ++s) {
        const std::string name = "svc" + std::to_string(s);
        for (const std::string& metric : metrics) {
            const std::size_t c = columns.size();
            columns.push_back(
                {.name = fmt::format("{}_{}", name, metric), .service = name, .metric = metric});
            double drift = 0.0;
            for (std::size_t r = 0; r < rows; ++r) {
                drift = 0.7 * drift + 0.1 * (random.uniform() - 0.5);
                const double load = r >= alert ? change.load : 1.0;
                const bool broken = r >= alert && change.service == static_cast<int>(s);
                double level = 2e8;
                if (metric == "cpu") level = 0.05 + 0.2 * load;
                if (metric == "workload") level = 60.0 * load;
                if (metric == "network_tx_bytes") level = 1e5 * load;
                if (metric == "latency-50") level = 12.0 * (1.0 + 0.1 * (load - 1.0));
                level *= 1.0 + drift;
                if (metric == "cpu" && r >= alert) level += change.common_cpu;
                if (metric == "cpu" && broken) level += change.extra_cpu;
                if (metric == "latency-50" && broken) level *= change.slower;
                values(r, c) = level;
            }
        }
    }
    auto frame = Frame::make(times, std::move(columns), std::move(values));
    EXPECT_TRUE(frame.has_value());
    Incident incident;
    incident.metrics = *frame;
    incident.alert = times[alert];
    incident.baseline = {times.front(), times[alert]};
    incident.suspect = {times[alert], times.back() + Duration(5'000'000'000)};
    return incident;
}

Diagnosis diagnosis_of(const Incident& incident) {
    auto diagnosis = run_method(*make_culprit(), incident, RunContext{});
    EXPECT_TRUE(diagnosis.has_value());
    EXPECT_FALSE(diagnosis->findings.empty());
    return *std::move(diagnosis);
}

ColumnShift shift_of(const std::string& service, const std::string& metric, double before,
                     double now) {
    ColumnShift moved{.service = service, .family = family_of(metric)};
    moved.shift = {.location = before,
                   .scale = 0.1 * before,
                   .suspect_mean = now,
                   .score = (now - before) / (0.1 * before),
                   .num_baseline = 100,
                   .num_suspect = 20};
    return moved;
}

TEST(LoadChange, IsWhatMostServicesCount) {
    std::vector<ColumnShift> shifts = {shift_of("a", "requests", 10.0, 25.0),
                                       shift_of("b", "requests", 40.0, 80.0),
                                       shift_of("c", "requests", 20.0, 400.0)};
    const LoadChange load = load_change(shifts, 4);
    EXPECT_DOUBLE_EQ(load.factor, 2.5);
    EXPECT_DOUBLE_EQ(load.deviations, 15.0);
    EXPECT_EQ(load.num_services, 3U);
    EXPECT_TRUE(load.counts_requests);
    EXPECT_DOUBLE_EQ(load_change(shifts, 7).factor, 1.0) << "three of seven are not most";
}

TEST(LoadChange, RetriesAtOneServiceAreNone) {
    const std::vector<ColumnShift> shifts = {shift_of("a", "requests", 10.0, 10.0),
                                             shift_of("b", "requests", 40.0, 44.0),
                                             shift_of("c", "requests", 20.0, 400.0)};
    EXPECT_DOUBLE_EQ(load_change(shifts, 3).factor, 1.0) << "a tenth is less than a sixth";
}

TEST(LoadChange, BytesStandInForRequests) {
    const std::vector<ColumnShift> shifts = {shift_of("a", "network_tx_bytes", 1e5, 3e5),
                                             shift_of("b", "network_tx_bytes", 2e5, 6e5),
                                             shift_of("c", "requests", 20.0, 20.0)};
    const LoadChange load = load_change(shifts, 3);
    EXPECT_NEAR(load.factor, 3.0, 1e-9);
    EXPECT_FALSE(load.counts_requests);
}

TEST(LoadChange, FallIsBelievedWhereSomebodyLooksAtUsers) {
    std::vector<ColumnShift> shifts = {shift_of("a", "requests", 10.0, 4.0),
                                       shift_of("b", "requests", 40.0, 16.0)};
    EXPECT_DOUBLE_EQ(load_change(shifts, 2).factor, 1.0);
    shifts.push_back(shift_of("a", "latency-50", 10.0, 10.0));
    EXPECT_NEAR(load_change(shifts, 2).factor, 0.4, 1e-9);
}

TEST(LoadChange, ExplainsNoMoreThanProportion) {
    const LoadChange load{.factor = 2.0};
    EXPECT_DOUBLE_EQ(beyond_load(shift_of("a", "cpu", 1.0, 1.6), load), 0.0);
    EXPECT_DOUBLE_EQ(beyond_load(shift_of("a", "cpu", 1.0, 3.0), load), 5.0);
    EXPECT_DOUBLE_EQ(beyond_load(shift_of("a", "cpu", 1.0, 0.8), load), -1.0);
    EXPECT_DOUBLE_EQ(beyond_load(shift_of("a", "latency-50", 10.0, 14.0), load), 0.0);
    EXPECT_NEAR(beyond_load(shift_of("a", "availability", 1.0, 0.5), load), -5.0, 1e-9);
    const LoadChange less{.factor = 0.5};
    EXPECT_DOUBLE_EQ(beyond_load(shift_of("a", "cpu", 1.0, 0.7), less), 0.0);
    EXPECT_NEAR(beyond_load(shift_of("a", "latency-50", 10.0, 14.0), less), 4.0, 1e-9);
}

TEST(LoadChange, BurstBlamesNobody) {
    for (const bool counts : {true, false}) {
        const Diagnosis burst = diagnosis_of(ordinary_system(1, {.load = 2.5, .counts = counts}));
        EXPECT_GT(burst.nobody, 0.8) << counts;
        const Finding& first = burst.findings.front();
        EXPECT_EQ(first.fault, "traffic_burst") << counts;
        EXPECT_EQ(first.component, "") << counts;
        ASSERT_FALSE(first.chain.empty());
        EXPECT_EQ(first.chain.front().text, std::string("2.5 times as many ") +
                                                (counts ? "requests" : "bytes") +
                                                " as before, median of 10 services");
    }
}

TEST(LoadChange, FallBlamesNobody) {
    const Diagnosis drop = diagnosis_of(ordinary_system(2, {.load = 0.3}));
    EXPECT_GT(drop.nobody, 0.8);
    EXPECT_EQ(drop.findings.front().fault, "traffic_drop");
}

TEST(LoadChange, BrokenServiceStandsOutOfBurst) {
    for (const double load : {1.0, 2.5}) {
        const Diagnosis broken = diagnosis_of(
            ordinary_system(3, {.load = load, .service = 4, .extra_cpu = 1.5, .slower = 8.0}));
        EXPECT_EQ(broken.findings.front().component, "svc4") << load;
        EXPECT_EQ(broken.ranking.suspects().front().service, "svc4") << load;
        EXPECT_LT(broken.nobody, 0.2) << load;
    }
}

/// Clients that wait for a slow service ask less: that is its doing.
TEST(LoadChange, SlowServiceIsBlamedThoughTrafficFalls) {
    const Diagnosis broken =
        diagnosis_of(ordinary_system(4, {.load = 0.4, .service = 6, .slower = 10.0}));
    EXPECT_EQ(broken.findings.front().component, "svc6");
    EXPECT_LT(broken.nobody, 0.2);
}

/// More CPU everywhere and no more requests is no load, and nobody's fault in particular.
TEST(LoadChange, NobodyStandsOut) {
    const Diagnosis spread = diagnosis_of(ordinary_system(5, {.common_cpu = 0.6}));
    EXPECT_LT(spread.nobody, 0.4);
    EXPECT_EQ(spread.findings.front().component, "");
    EXPECT_EQ(spread.findings.front().fault, "unknown");
    EXPECT_NEAR(spread.findings.front().probability, 1.0 - spread.nobody, 1e-12);
}

}  // namespace
}  // namespace culprit::tailored
