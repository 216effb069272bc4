#include "culprit/explain/explainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "culprit/base/random.h"
#include "culprit/explain/series_shift.h"

namespace culprit {
namespace {

using std::chrono::seconds;

constexpr std::size_t num_rows = 240;
constexpr std::size_t alert_row = 120;

TimePoint at(std::size_t row) {
    return time_from_ns(1'700'000'000'000'000'000) + seconds(static_cast<long>(row));
}

Incident windows_only() {
    Incident incident;
    incident.alert = at(alert_row);
    incident.baseline = {at(0), at(alert_row)};
    incident.suspect = {at(alert_row), at(num_rows)};
    return incident;
}

// proxy_cpu falls from 10 to 4 at row 100, twenty seconds before the alert; head_errors was zero
// until row 130; head_mem is noise; head_gap has no values after the alert.
Incident made_incident() {
    Incident incident = windows_only();
    Random random(1);
    Matrix values(num_rows, 4);
    std::vector<TimePoint> times;
    for (std::size_t row = 0; row < num_rows; ++row) {
        times.push_back(at(row));
        values(row, 0) = (row < 100 ? 10.0 : 4.0) + 0.2 * random.normal();
        values(row, 1) = row < 130 ? 0.0 : 3.0;
        values(row, 2) = 50.0 + random.normal();
        values(row, 3) = row < alert_row ? 1.0 : std::numeric_limits<double>::quiet_NaN();
    }
    std::vector<Column> columns = {{"proxy_cpu", "proxy", "cpu", "1", {}},
                                   {"head_errors", "head", "errors", "", {}},
                                   {"head_mem", "head", "mem", "By", {}},
                                   {"head_gap", "head", "gap", "", {}}};
    incident.metrics = *Frame::make(std::move(times), std::move(columns), std::move(values));
    return incident;
}

TEST(Explainer, FindsAFallThatBeganBeforeTheAlert) {
    const Incident incident = made_incident();
    const auto shift = Explainer(incident).shift_of("proxy_cpu");
    ASSERT_TRUE(shift);
    EXPECT_NEAR(shift->baseline, 10.0, 0.2);
    EXPECT_NEAR(shift->peak, 3.4, 0.4);
    EXPECT_LT(shift->score, -5.0);
    EXPECT_LE(std::abs(to_seconds(shift->onset - at(100))), 1.0);
    EXPECT_LE(shift->onset_uncertainty, seconds(5));
}

TEST(Explainer, CountsWhatWasZeroUntilNow) {
    const Incident incident = made_incident();
    const auto shift = Explainer(incident).shift_of("head_errors");
    ASSERT_TRUE(shift);
    EXPECT_DOUBLE_EQ(shift->baseline, 0.0);
    EXPECT_DOUBLE_EQ(shift->peak, 3.0);
    // Mean 3 * 110 / 120 over a scale of 2 % of 3.
    EXPECT_NEAR(shift->score, 3.0 * 110 / 120 / 0.06, 1e-9);
    EXPECT_EQ(shift->onset, at(130));
}

TEST(Explainer, LeavesNoiseAndAbsenceOut) {
    const Incident incident = made_incident();
    const Explainer explainer(incident);
    EXPECT_LT(std::abs(explainer.shift_of("head_mem")->score), 1.0);
    EXPECT_FALSE(explainer.shift_of("head_gap"));
    EXPECT_FALSE(explainer.shift_of("nowhere"));
    EXPECT_EQ(explainer.evidence_of("head").size(), 1U);
    EXPECT_TRUE(explainer.evidence_of("nowhere").empty());
}

TEST(Explainer, GivesEachSuspectItsOwnShiftAndEachServiceTheRestOnce) {
    const Incident incident = made_incident();
    const std::vector<std::string> names = {"head_mem", "proxy_cpu", "head_errors"};
    const Ranking ranking = Explainer(incident).explain(Ranking::in_order(names));
    ASSERT_EQ(ranking.size(), 3U);
    EXPECT_EQ(ranking.suspects()[0].evidence.size(), 2U);  // its own and the errors
    EXPECT_EQ(ranking.suspects()[1].evidence.size(), 1U);
    EXPECT_EQ(ranking.suspects()[2].evidence.size(), 1U);
    EXPECT_EQ(std::get<ShiftEvidence>(ranking.suspects()[0].evidence[0]).column, "head_mem");
}

TEST(Explainer, NamesTheTemplateThatAppeared) {
    Incident incident = made_incident();
    auto logs = std::make_shared<LogTable>();
    for (std::size_t row = 0; row < num_rows; row += 2) {
        logs->add(at(row), "proxy", "request " + std::to_string(row) + " took 12 ms");
        if (row >= 130) logs->add(at(row), "head", "CUDA error 700 on device 3");
    }
    incident.logs = logs;
    const auto evidence = Explainer(incident).evidence_of("head");
    ASSERT_EQ(evidence.size(), 2U);
    const auto& log = std::get<LogEvidence>(evidence[1]);
    EXPECT_THAT(log.log_template, testing::HasSubstr("CUDA error"));
    EXPECT_DOUBLE_EQ(log.baseline_per_minute, 0.0);
    EXPECT_NEAR(log.suspect_per_minute, 55 / (118.0 / 60), 1e-9);
    EXPECT_EQ(log.first_seen, at(130));
    EXPECT_GT(log.score, 5.0);
}

TEST(Explainer, TakesAReportOfManyLinesForOneEvent) {
    Incident incident = made_incident();
    auto logs = std::make_shared<LogTable>();
    for (std::size_t row = 0; row < num_rows; ++row) logs->add(at(row), "head", "tick");
    for (int line = 0; line < 100; ++line)
        logs->add(at(150), "head", "state of queue " + std::to_string(line) + " is idle");
    incident.logs = logs;
    for (const Evidence& e : Explainer(incident).evidence_of("head"))
        EXPECT_FALSE(std::holds_alternative<LogEvidence>(e));
}

TEST(Explainer, SeesAnOperationThatTakesLonger) {
    Incident incident = made_incident();
    auto spans = std::make_shared<SpanTable>();
    for (std::size_t row = 0; row < num_rows; ++row) {
        spans->start.push_back(at(row));
        spans->duration.push_back(
            std::chrono::milliseconds((row < alert_row ? 20 : 80) + static_cast<long>(row % 3)));
        spans->trace.push_back(spans->traces.intern(std::to_string(row)));
        spans->id.push_back(row + 1);
        spans->parent_id.push_back(0);
        spans->service.push_back(spans->services.intern("proxy"));
        spans->operation.push_back(spans->operations.intern("POST /generate"));
        spans->method.push_back(spans->operations.intern(""));
        spans->status.push_back(200);
    }
    incident.spans = spans;
    const auto evidence = Explainer(incident).evidence_of("proxy");
    ASSERT_EQ(evidence.size(), 3U);  // CPU, self time, duration
    const auto& span = std::get<SpanEvidence>(evidence[1]);
    EXPECT_EQ(span.operation, "POST /generate");
    EXPECT_NEAR(span.baseline, 0.021, 0.002);
    EXPECT_NEAR(span.suspect, 0.081, 0.002);
    EXPECT_LE(std::abs(to_seconds(span.onset - at(alert_row))), 2.0);
}

TEST(SeriesShift, SurvivesEmptyWindows) {
    EXPECT_FALSE(shift_in({}, {}, SeriesWindows{}));
    Incident incident = windows_only();
    EXPECT_TRUE(Explainer(incident).evidence_of("proxy").empty());
}

}  // namespace
}  // namespace culprit
