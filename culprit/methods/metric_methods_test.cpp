#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "culprit/base/random.h"
#include "culprit/methods/catalog.h"

namespace culprit {
namespace {

using testing::ElementsAre;

/// 100 rows at 1 s, the alert at row 60. Each column is `before` up to there and `after` from there
/// on, plus `noise` times a standard normal.
struct Made {
    std::string name;
    double before = 0.0;
    double after = 0.0;
    double noise = 1.0;
};

Incident incident_of(const std::vector<Made>& made) {
    constexpr std::size_t num_rows = 100;
    constexpr std::size_t alert_row = 60;
    std::vector<TimePoint> times;
    times.reserve(num_rows);
    for (std::size_t r = 0; r < num_rows; ++r)
        times.push_back(time_from_seconds(1000.0 + static_cast<double>(r)));
    std::vector<Column> columns;
    Matrix values(num_rows, made.size());
    Random random(7);
    for (std::size_t c = 0; c < made.size(); ++c) {
        columns.push_back(
            {.name = made[c].name, .service = made[c].name.substr(0, made[c].name.find('_'))});
        for (std::size_t r = 0; r < num_rows; ++r)
            values(r, c) =
                (r < alert_row ? made[c].before : made[c].after) + made[c].noise * random.normal();
    }
    Incident incident;
    incident.metrics = Frame::make(times, std::move(columns), std::move(values)).value();
    incident.alert = times[alert_row];
    incident.baseline = {times.front(), incident.alert};
    incident.suspect = {incident.alert, times.back() + std::chrono::seconds(1)};
    return incident;
}

Ranking rank(std::string_view method, Variant variant, const Incident& incident) {
    return run_method(*make_method(method).value(), incident, {.variant = variant}).value().ranking;
}

// The answer is known by construction: what falls counts as much as what rises.
TEST(PublishedMetricMethods, FindTheFallThatTheReferenceMisses) {
    const Incident incident =
        incident_of({{"a_cpu", 50, 50}, {"b_cpu", 50, 20}, {"c_cpu", 50, 54}, {"d_cpu", 50, 50}});
    for (const auto* method : {"nsigma", "baro"}) {
        EXPECT_EQ(rank(method, Variant::published, incident).suspects()[0].name, "b_cpu");
        EXPECT_EQ(rank(method, Variant::reference, incident).suspects()[0].name, "c_cpu");
        EXPECT_EQ(rank(method, Variant::reference, incident).suspects()[3].name, "b_cpu");
    }
    EXPECT_EQ(rank("mean_shift", Variant::published, incident).suspects()[0].name, "b_cpu");
    EXPECT_EQ(rank("pdiagnose", Variant::published, incident).suspects()[0].name, "b");
}

TEST(PublishedMetricMethods, KeepWhatWasConstantBefore) {
    const Incident incident =
        incident_of({{"a_cpu", 50, 51}, {"b_errors", 0, 7, 0}, {"c_x", 3, 3, 0}});
    for (const auto* method : {"nsigma", "baro"}) {
        const Ranking published = rank(method, Variant::published, incident);
        EXPECT_EQ(published.suspects()[0].name, "b_errors");
        EXPECT_DOUBLE_EQ(published.suspects()[0].score, 20.0);
        EXPECT_EQ(published.size(), 2U);
        EXPECT_EQ(rank(method, Variant::reference, incident).size(), 1U);
    }
}

// Constant before up to a blip: the range is 0, the scale becomes 1, and megabytes decide.
TEST(ReferenceBaro, DividesMemoryByAMillion) {
    Incident incident = incident_of({{"a_mem", 5e6, 9e6, 0}, {"a_cpu", 5e6, 9e6, 0}});
    Matrix values(100, 2);
    for (std::size_t c = 0; c < 2; ++c)
        for (std::size_t r = 0; r < 100; ++r)
            values(r, c) = r == 3 ? 6e6 : (r < 60 ? 5e6 : 9e6 + static_cast<double>(r));
    const auto columns = incident.metrics.columns();
    incident.metrics =
        Frame::make({incident.metrics.times().begin(), incident.metrics.times().end()},
                    {columns.begin(), columns.end()}, std::move(values))
            .value();
    const Ranking ranking = rank("baro", Variant::reference, incident);
    EXPECT_EQ(ranking.suspects()[0].name, "a_cpu");
    EXPECT_DOUBLE_EQ(ranking.suspects()[0].score, 4000099.0);
    EXPECT_NEAR(ranking.suspects()[1].score, 4.000099, 1e-12);
}

TEST(MeanShift, IsTheFormula) {
    const Incident incident = incident_of({{"a_x", 10, 16, 0}, {"b_x", 10, 14, 0}});
    const Ranking ranking = rank("mean_shift", Variant::published, incident);
    EXPECT_DOUBLE_EQ(ranking.suspects()[0].score, 6.0 / (0.05 * 10.0));
    EXPECT_DOUBLE_EQ(ranking.suspects()[1].score, 4.0 / (0.05 * 10.0));
}

TEST(LatestChange, BlamesTheYoungestBeforeTheAlert) {
    Incident incident = incident_of({{"a_x", 10, 16}});
    const auto method = make_method("latest_change").value();
    EXPECT_FALSE(run_method(*method, incident, {}));
    incident.changes = {{incident.alert + std::chrono::seconds(5), "late", "rollout", ""}};
    EXPECT_EQ(run_method(*method, incident, {})->status, DiagnosisStatus::degenerate);
    incident.changes.push_back({incident.alert - std::chrono::seconds(5), "b", "rollout", ""});
    incident.changes.push_back({incident.alert - std::chrono::seconds(2), "c", "restart", ""});
    incident.changes.push_back({incident.alert - std::chrono::seconds(1), "b", "restart", ""});
    EXPECT_THAT(run_method(*method, incident, {})->ranking.services(), ElementsAre("b", "c"));
}

TEST(Dummy, IsAPermutationThatTheSeedFixes) {
    const Incident incident = incident_of({{"a_x"}, {"b_x"}, {"c_x"}, {"d_x"}, {"e_x", 1, 1, 0}});
    const auto method = make_method("dummy").value();
    std::map<std::string, int> firsts;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        const auto diagnosis = run_method(*method, incident, {.seed = seed}).value();
        ASSERT_EQ(diagnosis.ranking.size(), 4U);
        ++firsts[diagnosis.ranking.suspects()[0].name];
    }
    for (const auto& [name, count] : firsts) EXPECT_NEAR(count, 100, 45) << name;
}

}  // namespace
}  // namespace culprit
