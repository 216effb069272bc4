#include "culprit/tailored/quiet.h"

#include <gtest/gtest.h>

#include <cmath>

#include "culprit/base/random.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit::tailored {
namespace {

/// Six services with CPU, memory and latency at one-second steps, 240 rows before the alert and 120
/// after; `service` uses `extra` cores more from the alert on.
Incident plain_system(std::uint64_t seed, int service, double extra) {
    constexpr std::size_t rows = 360;
    constexpr std::size_t alert = 240;
    Random random(seed);
    std::vector<TimePoint> times;
    for (std::size_t r = 0; r < rows; ++r)
        times.push_back(time_from_ns(static_cast<std::int64_t>(1'700'000'000 + r) * 1'000'000'000));
    std::vector<Column> columns;
    Matrix values(rows, 18);
    for (int s = 0; s < 6; ++s) {
        const std::string name = "svc" + std::to_string(s);
        const char* metrics[] = {"cpu", "mem", "latency-50"};
        const double levels[] = {0.4, 3e8, 12.0};
        for (std::size_t m = 0; m < 3; ++m) {
            const std::size_t c = columns.size();
            columns.push_back(
                {.name = name + "_" + metrics[m], .service = name, .metric = metrics[m]});
            double drift = 0.0;
            for (std::size_t r = 0; r < rows; ++r) {
                drift = 0.7 * drift + 0.05 * (random.uniform() - 0.5);
                values(r, c) = levels[m] * (1.0 + drift);
                if (s == service && m == 0 && r >= alert) values(r, c) += extra;
                if (s == service && m == 2 && r >= alert) values(r, c) *= 1.0 + extra;
            }
        }
    }
    auto frame = Frame::make(times, std::move(columns), std::move(values));
    EXPECT_TRUE(frame.has_value());
    Incident incident;
    incident.metrics = *frame;
    incident.alert = times[alert];
    incident.baseline = {times.front(), times[alert]};
    incident.suspect = {times[alert], times.back() + Duration(1'000'000'000)};
    return incident;
}

TEST(Quiet, ProbabilityFallsWithUnrest) {
    EXPECT_GT(probability_of_nothing(1.0), 0.95);
    EXPECT_NEAR(probability_of_nothing(5.0), 0.5, 1e-9);
    EXPECT_LT(probability_of_nothing(50.0), 0.01);
}

TEST(Quiet, AnySystemMayBeSound) {
    const auto method = make_culprit();
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const auto quiet = run_method(*method, plain_system(seed, -1, 0.0), RunContext{});
        ASSERT_TRUE(quiet.has_value());
        ASSERT_FALSE(quiet->findings.empty());
        EXPECT_EQ(quiet->findings.front().fault, "nothing") << seed;
        const auto broken = run_method(*method, plain_system(seed, 3, 0.8), RunContext{});
        ASSERT_TRUE(broken.has_value());
        EXPECT_EQ(broken->ranking.suspects().front().service, "svc3");
        ASSERT_FALSE(broken->findings.empty());
        EXPECT_EQ(broken->findings.front().component, "svc3");
        EXPECT_EQ(broken->findings.front().fault, "cpu_contention");
    }
}

}  // namespace
}  // namespace culprit::tailored
