#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culprit/methods/catalog.h"
#include "culprit/methods/operations.h"
#include "culprit/methods/suspicious_sets.h"
#include "culprit/methods/trace_coverage.h"

namespace culprit {
namespace {

using testing::Contains;
using testing::ElementsAre;

const TimePoint alert = time_from_seconds(1000.0);

/// Spans written down one by one: start in seconds, duration in ms, parent by span number (0:
/// none).
class Spans {
public:
    std::uint64_t add(std::string_view trace, std::string_view service, double start_s,
                      double duration_ms, std::uint64_t parent = 0, std::int32_t status = 200) {
        table.start.push_back(time_from_seconds(start_s));
        table.duration.push_back(Duration(static_cast<std::int64_t>(duration_ms * 1e6)));
        table.trace.push_back(table.traces.intern(trace));
        table.id.push_back(++last_);
        table.parent_id.push_back(parent);
        table.service.push_back(table.services.intern(service));
        table.operation.push_back(table.operations.intern("GET"));
        table.method.push_back(table.operations.intern("/" + std::string(service)));
        table.status.push_back(status);
        return last_;
    }
    Incident incident() const {
        Incident incident;
        incident.spans = std::make_shared<SpanTable>(table);
        incident.alert = alert;
        incident.baseline = {time_from_seconds(0.0), alert};
        incident.suspect = {alert, time_from_seconds(2000.0)};
        return incident;
    }
    SpanTable table;

private:
    std::uint64_t last_ = 0;
};

/// web calls a and, in every second trace, b; after the alert b takes ten times as long, and with
/// it web.
Spans slow_b() {
    Spans spans;
    for (int i = 0; i < 200; ++i) {
        const bool is_after = i >= 100;
        const double start = is_after ? 1001.0 + i : 1.0 + i;
        const double jitter = 0.1 * (i % 7);
        const bool calls_b = i % 2 == 0;
        const double b = (is_after ? 100.0 : 10.0) + jitter;
        const std::string trace = "t" + std::to_string(i);
        const auto web = spans.add(trace, "web", start, 20.0 + jitter + (calls_b ? b : 0.0));
        spans.add(trace, "a", start, 8.0 + jitter, web);
        if (calls_b) spans.add(trace, "b", start, b, web);
    }
    return spans;
}

TEST(Operations, TakeTheMethodElseTheOperation) {
    Spans spans;
    spans.add("t", "web", 1, 1);
    spans.add("t", "db", 1, 1);
    spans.table.method[1] = spans.table.operations.intern("");
    const Operations operations = Operations::of(spans.table);
    EXPECT_THAT(operations.names, ElementsAre("web_/web", "db_GET"));
}

TEST(OperationNorms, UseSpansThatEndBeforeTheAlert) {
    Spans spans;
    spans.add("t", "a", 1, 10);
    spans.add("t", "a", 2, 14);
    spans.add("t", "a", 999.995, 10);  // ends after the alert
    const Operations operations = Operations::of(spans.table);
    const auto norms = operation_norms(spans.table, operations, alert, NormPrecision::full);
    EXPECT_DOUBLE_EQ(norms[0].mean_ms, 12.0);
    EXPECT_DOUBLE_EQ(norms[0].deviation_ms, std::sqrt(8.0));
    EXPECT_EQ(operation_norms(spans.table, operations, alert, NormPrecision::hundredth_ms)[0]
                  .deviation_ms,
              2.83);
    EXPECT_TRUE(check_norms(spans.table, operations, norms, alert).has_value());
}

TEST(TraceCoverage, GroupsTracesAndFollowsCalls) {
    const Spans spans = slow_b();
    const Operations operations = Operations::of(spans.table);
    const auto all = [](std::size_t) { return true; };
    const TraceCoverage coverage =
        trace_coverage(spans.table, operations, all, CallGraph::all_spans);
    ASSERT_EQ(coverage.classes.size(), 2U);
    EXPECT_EQ(coverage.num_traces(), 200U);
    EXPECT_THAT(coverage.num_traces_of, ElementsAre(200, 200, 100));
    EXPECT_THAT(coverage.children[0], testing::UnorderedElementsAre(1, 2));
    // The last web span belongs to an odd trace, which does not call b.
    EXPECT_THAT(trace_coverage(spans.table, operations, all, CallGraph::last_span).children[0],
                ElementsAre(1));
}

// The answer is known by construction: b, and web only because it waits for b.
TEST(TraceMethods, FindTheSlowCallee) {
    const Incident incident = slow_b().incident();
    for (const char* name : {"tracerca", "microrank"}) {
        const auto diagnosis = run_method(*make_method(name).value(), incident, {}).value();
        EXPECT_EQ(diagnosis.ranking.suspects()[0].service, "b") << name;
        const auto reference =
            run_method(*make_method(name).value(), incident, {.variant = Variant::reference});
        ASSERT_TRUE(reference) << name;
        EXPECT_THAT(reference->ranking.services(), Contains("b")) << name;
    }
}

TEST(TraceMethods, SayWhenNothingIsAbnormal) {
    Spans spans;
    for (int i = 0; i < 50; ++i) {
        spans.add("t" + std::to_string(i), "web", i < 25 ? 1.0 + i : 1001.0 + i, 10.0 + i % 5);
    }
    for (const char* name : {"tracerca", "microrank"}) {
        const auto diagnosis = run_method(*make_method(name).value(), spans.incident(), {}).value();
        EXPECT_EQ(diagnosis.status, DiagnosisStatus::degenerate) << name;
        EXPECT_TRUE(diagnosis.ranking.empty()) << name;
    }
}

// The example of the paper: three abnormal traces through A and B; calls into A are abnormal, into
// B and out of B alike.
TEST(SuspicionScores, TellCauseFromPropagation) {
    enum : std::uint32_t { a, b, c, d, e };
    const std::vector<TracePattern> patterns = {
        {{a, b, d, e}, {a, b}, {b}, 1, true},
        {{a, b, c, d}, {a, b}, {b}, 1, true},
        {{a, b, c, e}, {a, b}, {b}, 1, true},
        {{c, d}, {}, {}, 5, false},
    };
    const auto scores = suspicion_scores(patterns, 5, {}, {}).value();
    EXPECT_DOUBLE_EQ(scores.of_service[a], 3.0);  // Jaccard index 1, |3 - 0|
    EXPECT_DOUBLE_EQ(scores.of_service[b], 0.0);  // |3 - 3|
    EXPECT_TRUE(scores.is_complete);
}

TEST(SuspicionScores, BoundTheirSearch) {
    std::vector<TracePattern> patterns;
    for (std::uint32_t left_out = 0; left_out < 20; ++left_out) {  // 2^20 closed sets
        TracePattern pattern{.num_traces = 1, .is_abnormal = true};
        for (std::uint32_t s = 0; s < 20; ++s)
            if (s != left_out) pattern.services.push_back(s);
        patterns.push_back(pattern);
    }
    EXPECT_FALSE(suspicion_scores(patterns, 20, {.candidates_max = 500}, {}).value().is_complete);
}

}  // namespace
}  // namespace culprit
