// The methods beside the study's: mmnsigma, ges_pagerank, smooth_traversal, simple_rca,
// noise_attribution, on
// incidents small enough to score by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "culprit/base/random.h"
#include "culprit/methods/catalog.h"

namespace culprit {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t alert_row = 8;

/// One row a second from 1000 s on, the alert at row 8.
Frame frame_of(const std::vector<std::pair<std::string, std::vector<double>>>& series) {
    std::vector<TimePoint> times;
    times.reserve(series.front().second.size());
    for (std::size_t r = 0; r < series.front().second.size(); ++r)
        times.push_back(time_from_seconds(1000.0 + static_cast<double>(r)));
    std::vector<Column> columns;
    Matrix values(times.size(), series.size());
    for (std::size_t c = 0; c < series.size(); ++c) {
        const std::string& name = series[c].first;
        columns.push_back({.name = name, .service = name.substr(0, name.find('_'))});
        std::copy(series[c].second.begin(), series[c].second.end(), values.column(c).begin());
    }
    return Frame::make(std::move(times), std::move(columns), std::move(values)).value();
}

Incident incident_of(Frame metrics) {
    Incident incident;
    incident.alert = metrics.times()[alert_row];
    incident.baseline = {metrics.times().front(), incident.alert};
    incident.suspect = {incident.alert, metrics.times().back() + std::chrono::seconds(1)};
    incident.metrics = std::move(metrics);
    return incident;
}

/// 1, 3, 1, 3, ... up to the alert (mean 2, deviation 1), then `after` twice.
std::vector<double> seesaw(double after) {
    std::vector<double> values;
    values.reserve(alert_row);
    for (std::size_t r = 0; r < alert_row; ++r) values.push_back(r % 2 == 0 ? 1.0 : 3.0);
    values.insert(values.end(), {after, after});
    return values;
}

Result<Diagnosis> run(std::string_view method, const Incident& incident,
                      Variant variant = Variant::published) {
    return run_method(*make_method(method).value(), incident, {.variant = variant});
}

double score_of(const Diagnosis& diagnosis, std::string_view name) {
    for (const Suspect& s : diagnosis.ranking.suspects())
        if (s.name == name) return s.score;
    return std::nan("");
}

TEST(MmNSigma, PutsAllSourcesOnOneScale) {
    Incident incident = incident_of(frame_of({{"a_cpu", seesaw(7)}, {"b_cpu", seesaw(-2)}}));
    incident.log_counts = frame_of({{"c", seesaw(12)}});
    incident.span_errors = frame_of({{"d_op", seesaw(5)}});
    incident.span_successes = frame_of({{"e_op", seesaw(2)}});
    const Diagnosis found = run("mmnsigma", incident).value();
    EXPECT_DOUBLE_EQ(score_of(found, "c"), 10.0);
    EXPECT_DOUBLE_EQ(score_of(found, "a_cpu"), 5.0);
    EXPECT_DOUBLE_EQ(score_of(found, "b_cpu"), 4.0) << "a fall counts like a rise";
    EXPECT_DOUBLE_EQ(score_of(found, "d_op"), 3.0);
    EXPECT_THAT(found.ranking.services(), ElementsAre("c", "a", "b", "d", "e"));
}

TEST(MmNSigma, NamesWhatIsMissing) {
    const Incident incident = incident_of(frame_of({{"a_cpu", seesaw(7)}}));
    EXPECT_THAT(run("mmnsigma", incident).value().notes,
                Contains(HasSubstr("mmnsigma needs log lines per container, got none")));
    const auto refused = run("mmnsigma", incident, Variant::reference);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("mmnsigma needs log lines"));
}

TEST(SimpleRca, CountsAlertsOfAllSources) {
    Incident incident = incident_of(frame_of({{"a_cpu", seesaw(5.5)},
                                              {"a_mem", seesaw(4.5)},
                                              {"b_cpu", seesaw(9)},
                                              {"c_cpu", seesaw(2)}}));
    // a_cpu is 3.5 deviations away and a_mem 2.5: one alert each for a and b, and b's is farther.
    EXPECT_THAT(run("simple_rca", incident).value().ranking.services(), ElementsAre("b", "a", "c"));
    auto logs = std::make_shared<LogTable>();
    logs->add(time_from_seconds(1001), "c", "request done");
    for (int i = 0; i < 3; ++i) logs->add(incident.alert, "c", "ERROR upstream timeout");
    for (int i = 0; i < 2; ++i) logs->add(incident.alert, "a", "ERROR upstream timeout");
    incident.logs = logs;
    const Diagnosis found = run("simple_rca", incident).value();
    EXPECT_EQ(std::floor(score_of(found, "c")), 1.0) << "three error lines where there were none";
    EXPECT_EQ(std::floor(score_of(found, "a")), 1.0) << "two error lines are no alert";
}

TEST(SmoothTraversal, BlamesTheCalleeThatExplainsItsCallers) {
    // All of front, middle and back are beyond everything seen; only back has no callee to blame.
    Incident incident = incident_of(frame_of({{"front_latency", seesaw(20)},
                                              {"middle_latency", seesaw(20)},
                                              {"back_latency", seesaw(20)},
                                              {"aside_cpu", seesaw(3)}}));
    auto topology = std::make_shared<Topology>();
    topology->edges = {{"front", "middle"}, {"middle", "back"}, {"front", "aside"}};
    incident.topology = topology;
    const Diagnosis found = run("smooth_traversal", incident).value();
    EXPECT_EQ(found.ranking.suspects()[0].name, "back");
    EXPECT_DOUBLE_EQ(score_of(found, "front"), 0.0) << "as surprising as the one it calls";
    // -log(1 / 9) of eight earlier values, and less than one more observation for the distance.
    EXPECT_GE(score_of(found, "back"), std::log(9.0));
    EXPECT_LT(score_of(found, "back"), std::log(9.0) + std::log1p(1.0 / 8.0));
}

TEST(SmoothTraversal, OrdersBySurpriseWithoutACallGraph) {
    const Incident incident =
        incident_of(frame_of({{"a_cpu", seesaw(3)}, {"b_cpu", seesaw(20)}, {"c_cpu", seesaw(2)}}));
    const Diagnosis found = run("smooth_traversal", incident).value();
    EXPECT_EQ(found.ranking.suspects()[0].name, "b");
    EXPECT_THAT(found.notes, Contains(HasSubstr("no call graph")));
}

TEST(GesPageRank, RanksTheCommonEffectLast) {
    // a -> c <- b: a collider, so both edges are oriented and the surfer leaves c for a and b.
    Random random(11);
    std::vector<double> a(400), b(400), c(400), d(400);
    for (std::size_t t = 0; t < a.size(); ++t) {
        a[t] = random.normal();
        b[t] = random.normal();
        c[t] = a[t] + b[t] + 0.5 * random.normal();
        d[t] = random.normal();
    }
    const Diagnosis found =
        run("ges_pagerank", incident_of(frame_of({{"c_x", c}, {"a_x", a}, {"b_x", b}, {"d_x", d}})))
            .value();
    EXPECT_EQ(found.ranking.size(), 4U);
    EXPECT_THAT(found.notes, Contains(HasSubstr("graph: 2 edges")));
    EXPECT_NEAR(score_of(found, "a_x"), score_of(found, "b_x"), 1e-9);
    EXPECT_GT(score_of(found, "a_x"), score_of(found, "c_x"));
}

TEST(GesPageRank, SaysWhenItFindsNothing) {
    const Diagnosis found =
        run("ges_pagerank", incident_of(frame_of({{"a_x", seesaw(2)}}))).value();
    EXPECT_EQ(found.status, DiagnosisStatus::degenerate);
    EXPECT_THAT(found.reason, HasSubstr("no edge"));
}

/// a -> c <- b, c -> d_latency for 300 rows; in the last 20 the noise of `broken` is 12 too high.
Incident collider_chain(std::string_view broken) {
    Random random(5);
    std::map<std::string, std::vector<double>> values;
    for (std::size_t r = 0; r < 320; ++r) {
        const auto noise = [&](std::string_view name) {
            return random.normal() + (r >= 300 && name == broken ? 12.0 : 0.0);
        };
        const double a = noise("a_cpu");
        const double b = noise("b_cpu");
        const double c = a + b + 0.5 * noise("c_cpu");
        values["a_cpu"].push_back(a);
        values["b_cpu"].push_back(b);
        values["c_cpu"].push_back(c);
        values["d_latency"].push_back(2.0 * c + noise("d_latency"));
        values["e_latency"].push_back(noise("e_latency"));
    }
    Incident incident = incident_of(frame_of({values.begin(), values.end()}));
    incident.alert = incident.metrics.times()[300];
    incident.baseline.end = incident.suspect.begin = incident.alert;
    return incident;
}

TEST(NoiseAttribution, FindsTheNoiseThatMovedTheSymptom) {
    for (const std::string_view broken : {"a_cpu", "b_cpu", "c_cpu", "d_latency"}) {
        const Diagnosis found = run("noise_attribution", collider_chain(broken)).value();
        ASSERT_EQ(found.ranking.size(), 4U) << broken << ": the symptom's causes and itself";
        EXPECT_EQ(found.ranking.suspects()[0].name, broken);
        EXPECT_TRUE(std::isnan(score_of(found, "e_latency"))) << "not upstream";
        // The symptom is farther off than any of the 500 draws: its score is ln 501, to the last
        // digit the sum of what the terms bear.
        double sum = 0.0;
        for (const Suspect& s : found.ranking.suspects()) sum += s.score;
        EXPECT_NEAR(sum, std::log(501.0), 1e-9) << broken;
        EXPECT_GT(found.ranking.suspects()[0].score, 0.5 * sum) << broken << " bears most of it";
    }
}

TEST(NoiseAttribution, SaysWhatItLacks) {
    const Diagnosis constant =
        run("noise_attribution", incident_of(frame_of({{"a_cpu", {1, 1, 1, 1, 1, 1, 1, 1, 5, 5}}})))
            .value();
    EXPECT_EQ(constant.status, DiagnosisStatus::degenerate);
    EXPECT_THAT(constant.reason, HasSubstr("no column varies before the alert"));
}

}  // namespace
}  // namespace culprit
