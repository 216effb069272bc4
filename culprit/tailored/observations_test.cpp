#include "culprit/tailored/observations.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "culprit/base/random.h"

namespace culprit::tailored {
namespace {

constexpr std::size_t num_rows = 120;
constexpr std::size_t alert_row = 90;

/// One signal at components of a name and a number each; `value` gets component, row and noise.
Observations observe_signal(const std::string& signal, const std::string& unit, FeatureKind kind,
                            std::size_t components,
                            const std::function<double(std::size_t, std::size_t, double)>& value,
                            double requests_in_row = 0.0) {
    Random random(5);
    std::vector<TimePoint> times;
    times.reserve(num_rows);
    for (std::size_t r = 0; r < num_rows; ++r)
        times.push_back(time_from_seconds(1.7e9 + 5.0 * static_cast<double>(r)));
    std::vector<Feature> features;
    for (std::size_t c = 0; c < components; ++c) {
        Feature feature{
            .service = "e-" + std::to_string(c), .signal = signal, .unit = unit, .kind = kind};
        for (std::size_t r = 0; r < num_rows; ++r)
            feature.values.push_back(value(c, r, random.normal()));
        if (requests_in_row > 0.0) feature.requests.assign(num_rows, requests_in_row);
        features.push_back(std::move(feature));
    }
    Incident incident;
    incident.metrics = *Frame::make(times, {{.name = "x", .service = "x"}}, Matrix(num_rows, 1));
    incident.alert = times[alert_row];
    incident.baseline = {times.front(), times[alert_row]};
    incident.suspect = {times[alert_row], times.back() + Duration(1)};
    auto seen = observe(std::move(features), incident.metrics, windows_of(incident), {}, 1);
    EXPECT_TRUE(seen);
    return *seen;
}

double relative_of(const Observations& seen, const std::string& component) {
    return seen.of.at(component).front().relative;
}

TEST(Observations, WhoStoodStillDidNotLeaveItsSiblings) {
    // Two of three get more requests for a while: the third is not what moved.
    const auto seen =
        observe_signal("engine.generation_tokens", "{token}", FeatureKind::rate, 3,
                       [](std::size_t c, std::size_t r, double noise) {
                           return 1000.0 + 20.0 * noise + (c > 0 && r >= alert_row ? 400.0 : 0.0);
                       });
    EXPECT_LT(std::abs(relative_of(seen, "e-0")), 1.0);
}

TEST(Observations, QueuesOfAnOverloadedServiceDifferByThemselves) {
    const auto queues = [](double worst) {
        return observe_signal("engine.waiting", "{request}", FeatureKind::level, 4,
                              [=](std::size_t c, std::size_t r, double noise) {
                                  const double length = c == 0 ? worst : 10.0;
                                  return r < alert_row ? 0.0 : std::max(0.0, length + noise);
                              });
    };
    EXPECT_LT(relative_of(queues(30.0), "e-0"), 1.5);
    EXPECT_GT(relative_of(queues(1000.0), "e-0"), 3.0);
}

TEST(Observations, ADiskThatWritesAFewMegabytesIsNoNews) {
    const auto written = [](double bytes) {
        const auto seen =
            observe_signal("container_fs_writes_bytes_total", "By", FeatureKind::rate, 1,
                           [=](std::size_t, std::size_t r, double noise) {
                               return 1e4 + 1e3 * noise + (r >= alert_row ? bytes : 0.0);
                           });
        return seen.of.at("e-0").front().own;
    };
    EXPECT_LT(written(4e6), 1.0);
    EXPECT_GT(written(4e8), 10.0);
}

TEST(Observations, AnAlertThatIsLaterThanExpectedHidesNothing) {
    // The last fifth of the quiet time, behind the guard of a quarter, is the fault's already.
    const auto seen = observe_signal("engine.itl", "s", FeatureKind::average, 1,
                                     [](std::size_t, std::size_t r, double noise) {
                                         return (r >= alert_row - 32 ? 0.08 : 0.02) + 0.001 * noise;
                                     });
    EXPECT_GT(seen.of.at("e-0").front().own, 5.0);
}

TEST(Observations, ManyRequestsTellWhatUnevenRowsDoNot) {
    const auto slower = [](double requests) {
        return observe_signal(
            "istio_request_duration_milliseconds", "ms", FeatureKind::average, 3,
            [](std::size_t c, std::size_t r, double noise) {
                const bool slow = c == 1 && r >= alert_row;
                return (slow ? 1500.0 : 1000.0) + 400.0 * noise;
            },
            requests);
    };
    EXPECT_LT(relative_of(slower(0.0), "e-1"), 2.0);
    EXPECT_GT(relative_of(slower(10.0), "e-1"), 2.5);
    EXPECT_LT(std::abs(relative_of(slower(10.0), "e-0")), 1.5);
}

TEST(Observations, PodsAreSiblingsThoughTheLettersOfOneAreNoDigits) {
    std::vector<Feature> features;
    for (const char* pod : {"llama-7f9c8-x2kqa", "llama-5d8f4-b7tzz", "llama-pfjqq-clswn", "embed"})
        for (const char* signal : {"engine.itl", "engine.generation_tokens"})
            features.push_back(
                {.service = pod, .signal = signal, .values = std::vector<double>(num_rows, 1.0)});
    std::vector<TimePoint> times;
    for (std::size_t r = 0; r < num_rows; ++r)
        times.push_back(time_from_seconds(1.7e9 + static_cast<double>(r)));
    const auto frame = Frame::make(times, {{.name = "x", .service = "x"}}, Matrix(num_rows, 1));
    const Windows windows{.reference = {times[0], times[80]},
                          .search = {times[80], times.back()},
                          .suspect = {times[alert_row], times.back()}};
    const auto seen = observe(std::move(features), *frame, windows, {}, 1);
    ASSERT_TRUE(seen);
    ASSERT_EQ(seen->groups.size(), 1U);
    EXPECT_EQ(seen->groups[0].services.size(), 3U);
    EXPECT_FALSE(seen->group_of.contains("embed"));
}

}  // namespace
}  // namespace culprit::tailored
