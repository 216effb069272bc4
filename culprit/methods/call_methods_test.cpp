#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "culprit/base/random.h"
#include "culprit/methods/call_anomalies.h"
#include "culprit/methods/catalog.h"
#include "culprit/methods/service_latency.h"

namespace culprit {
namespace {

constexpr std::size_t num_rows = 120;
constexpr std::size_t alert_row = 80;

/// web -> app -> db and app -> cache. After the alert db is slow, and with it app and web.
Incident chain() {
    const std::vector<std::string> names = {"web_app", "app_db", "app_cache"};
    Random random(11);
    std::vector<TimePoint> times;
    Matrix latency(num_rows, 3);
    Matrix metrics(num_rows, 4);
    for (std::size_t r = 0; r < num_rows; ++r) {
        times.push_back(time_from_seconds(1000.0 + 5.0 * static_cast<double>(r)));
        const double slow = r >= alert_row ? 200.0 + 30.0 * random.normal() : 0.0;
        latency(r, 0) = 50.0 + slow + 2.0 * random.normal();
        latency(r, 1) = 20.0 + slow + random.normal();
        latency(r, 2) = 5.0 + 0.3 * random.normal();
        metrics(r, 0) = 0.2 + 0.01 * random.normal();
        metrics(r, 1) = 0.3 + 0.01 * random.normal();
        metrics(r, 2) = 0.4 + 0.002 * slow + 0.01 * random.normal();
        metrics(r, 3) = 0.5 + 0.01 * random.normal();
    }
    const auto columns = [](const std::vector<std::string>& all) {
        std::vector<Column> result;
        result.reserve(all.size());
        for (const std::string& name : all)
            result.push_back({.name = name, .service = name.substr(0, name.find('_'))});
        return result;
    };
    Incident incident;
    incident.edge_latency = Frame::make(times, columns(names), std::move(latency)).value();
    incident.metrics = Frame::make(times, columns({"web_cpu", "app_cpu", "db_cpu", "cache_cpu"}),
                                   std::move(metrics))
                           .value();
    Topology topology;
    topology.edges = {{"web", "app"}, {"app", "db"}, {"app", "cache"}};
    incident.topology = std::make_shared<Topology>(topology);
    incident.alert = times[alert_row];
    incident.baseline = {times.front(), incident.alert};
    incident.suspect = {incident.alert, times.back()};
    return incident;
}

TEST(ServiceLatency, FindsTheEntryAndAveragesCalls) {
    Incident incident = chain();
    const auto latency = ServiceLatency::of(incident, "test").value();
    EXPECT_EQ(latency.names[static_cast<std::uint32_t>(latency.entry)], "web");
    EXPECT_EQ(latency.num_before, alert_row);
    EXPECT_EQ(latency.measured.size(), 3U);
    incident.symptom = "app_cpu";
    EXPECT_EQ(ServiceLatency::of(incident, "test")->entry, latency.names.find("app").value());
    incident.topology = nullptr;
    EXPECT_EQ(ServiceLatency::of(incident, "test").error().code, ErrorCode::missing_input);
}

TEST(CallMethods, FollowTheSlowCallToItsEnd) {
    const Incident incident = chain();
    const auto top = [&](const char* method) {
        const auto diagnosis = run_method(*make_method(method).value(), incident, {}).value();
        return diagnosis.ranking.suspects()[0].name;
    };
    EXPECT_EQ(top("microscope"), "db");
    EXPECT_EQ(top("monitorrank"), "db");
    // MicroRCA's walk runs from callees to callers: it blames those whose anomalous calls move with
    // their resources and those who wait for them.
    EXPECT_THAT(top("microrca"), testing::AnyOf("db", "app"));
}

TEST(CallMethods, NeedNoStudyNames) {
    const Incident incident = chain();
    for (const char* name : {"microscope", "monitorrank", "microrca"}) {
        const auto reference =
            run_method(*make_method(name).value(), incident, {.variant = Variant::reference});
        ASSERT_FALSE(reference) << name;  // no nginx-proxy, no *_ctn_cpu
        EXPECT_EQ(reference.error().code, ErrorCode::missing_input) << name;
    }
}

TEST(EntersNewCluster, HoldsAtAnyLength) {
    for (const std::size_t n : {std::size_t{60}, std::size_t{600}, std::size_t{6000}}) {
        std::vector<double> series(n, 1.0);
        EXPECT_FALSE(enters_new_cluster(series, n / 2));
        for (std::size_t r = n * 3 / 4; r < n; ++r) series[r] = 4.0;
        EXPECT_TRUE(enters_new_cluster(series, n / 2)) << n;
        // The same level was there before the alert: nothing new.
        EXPECT_FALSE(enters_new_cluster(series, n * 9 / 10)) << n;
    }
}

TEST(RowCorrelation, SkipsGapsAndUnequalLengths) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> x = {1, 2, nan, 4, 5, 6};
    const std::vector<double> y = {2, 4, 100, nan, 10};
    EXPECT_DOUBLE_EQ(row_correlation(x, y), 1.0);
    EXPECT_EQ(thousandth(0.12349), 0.123);
}

}  // namespace
}  // namespace culprit
