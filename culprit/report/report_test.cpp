#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "culprit/report/diagnosis_lines.h"
#include "culprit/report/downsample.h"
#include "culprit/report/evidence_text.h"
#include "culprit/report/html_page.h"
#include "culprit/report/quantity_text.h"

namespace culprit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(EvidenceText, GivesNoTimeThatNobodyMeasured) {
    const SpanEvidence unmeasured{.service = "a", .operation = "GET /", .quantity = "error share"};
    EXPECT_EQ(evidence_text(unmeasured, "a").when, "");
    SpanEvidence measured = unmeasured;
    measured.onset = time_from_seconds(60.0);
    EXPECT_EQ(evidence_text(measured, "a").when, "00:01:00");
    EXPECT_TRUE(evidence_json(unmeasured).at("onset").is_null());
    EXPECT_EQ(evidence_json(measured).at("onset"), "1970-01-01T00:01:00Z");
}

TEST(EvidenceText, NamesTheServiceWhereSpansOfAllItsOperationsChanged) {
    EXPECT_EQ(evidence_text(SpanEvidence{.service = "a", .quantity = "error share"}, "a").what,
              "spans of a error share");
}

TEST(Quantity, ReadsLikeAPersonWritesIt) {
    EXPECT_EQ(format_number(0), "0");
    EXPECT_EQ(format_number(0.0123456), "0.0123");
    EXPECT_EQ(format_number(-1.006), "-1.01");
    EXPECT_EQ(format_number(99.96), "100");
    EXPECT_EQ(format_number(12345), "12.3 k");
    EXPECT_EQ(format_number(4.5e9), "4.50 G");
    EXPECT_EQ(format_quantity(0.00042, "s"), "420 µs");
    EXPECT_EQ(format_quantity(1500, "ms"), "1.50 s");
    EXPECT_EQ(format_quantity(3.0 * 1024 * 1024, "By"), "3.00 MiB");
    EXPECT_EQ(format_quantity(350, "W"), "350 W");
    EXPECT_EQ(format_quantity(12, "{token}/s"), "12.0 token/s");
    EXPECT_EQ(format_quantity(0.5, "1"), "0.5");
}

TEST(Quantity, FormatsDurations) {
    EXPECT_EQ(format_duration(milliseconds(150)), "150 ms");
    EXPECT_EQ(format_duration(seconds(90)), "90 s");
    EXPECT_EQ(format_duration(seconds(600)), "10 min");
    EXPECT_EQ(format_duration(seconds(217)), "3 min 37 s");
    EXPECT_EQ(format_duration(seconds(7500)), "2 h 5 min");
}

TEST(Downsample, KeepsEverySpike) {
    std::vector<double> values(10'000, 1.0);
    values[4321] = 99.0;
    values[7000] = -5.0;
    const auto points = downsample(values, 100);
    EXPECT_LE(points.size(), 200U);
    EXPECT_THAT(points, testing::Contains(testing::Pair(4321U, 99.0)));
    EXPECT_THAT(points, testing::Contains(testing::Pair(7000U, -5.0)));
    for (std::size_t i = 1; i < points.size(); ++i) EXPECT_LT(points[i - 1].first, points[i].first);
}

TEST(Downsample, LeavesAGapWhereThereIsNothing) {
    std::vector<double> values(1000, 1.0);
    for (std::size_t i = 300; i < 500; ++i) values[i] = std::numeric_limits<double>::quiet_NaN();
    const auto points = downsample(values, 10);
    EXPECT_TRUE(std::isnan(points[3].second));
    EXPECT_EQ(downsample(std::vector<double>{1, 2}, 10).size(), 2U);
}

Diagnosis with_finding(const char* fault, double probability) {
    Diagnosis diagnosis;
    Finding finding{
        .component = "r1", .fault = fault, .name = "Some fault", .probability = probability};
    finding.chain.push_back({.when = time_from_seconds(60.0), .text = "SM clock 1980 -> 930 MHz"});
    diagnosis.findings.push_back(finding);
    return diagnosis;
}

TEST(DoubtLine, IsThereOnlyWhileTheAnswerIsNot) {
    EXPECT_EQ(doubt_line({}), "");
    EXPECT_EQ(doubt_line(with_finding("x", 0.9)), "");
    EXPECT_EQ(doubt_line(with_finding("x", 0.3)),
              "no known fault fits; best 30 %: r1: Some fault; first to move: SM clock 1980 -> 930 "
              "MHz");
    EXPECT_EQ(doubt_line(with_finding("unknown", 0.8)),
              "r1 (80 %), but no known fault fits; first to move: SM clock 1980 -> 930 MHz");
    Diagnosis two = with_finding("x", 0.45);
    two.findings.push_back({.component = "r1", .fault = "y", .name = "Other", .probability = 0.4});
    EXPECT_EQ(
        doubt_line(two),
        "r1 (85 %), but no known fault fits for sure; best 45 %: Some fault; first to move: SM "
        "clock 1980 -> 930 MHz");
    two.ranking = Ranking::from({{.name = "r1", .service = "r1", .score = 0.97}});
    EXPECT_THAT(doubt_line(two), testing::StartsWith("r1 (97 %)"));  // with faults not told
    two.findings[1] = {.fault = "nothing", .name = "nothing is wrong", .probability = 0.49};
    EXPECT_THAT(doubt_line(two), testing::HasSubstr("; best 45 %: Some fault;"));
    Diagnosis second = with_finding("x", 0.1);
    second.findings.push_back(
        {.component = "r2", .fault = "y", .name = "Other", .probability = 0.2});
    EXPECT_THAT(doubt_line(second), testing::StartsWith("no known fault fits; best 20 %: r2: "));
    Diagnosis spread = with_finding("x", 0.1);
    spread.findings.insert(spread.findings.begin(),
                           {.fault = "unknown", .name = "nobody stands out", .probability = 0.9});
    EXPECT_EQ(
        doubt_line(spread),
        "nobody stands out; best 10 %: r1: Some fault; first to move: SM clock 1980 -> 930 MHz");
}

TEST(SymptomLine, SaysSinceWhenWithItsUncertainty) {
    MethodAnswer answer;
    EXPECT_EQ(symptom_line({answer}), "");
    answer.diagnosis.symptom = FindingStep{.when = time_from_seconds(3661.0),
                                           .uncertainty = seconds(5),
                                           .text = "request latency p95 1 -> 2 s",
                                           .remark = "load unchanged"};
    EXPECT_EQ(symptom_line({answer}),
              "request latency p95 1 -> 2 s since 01:01:01 ±5 s, load unchanged");
}

TEST(NewLogLines, NamesWhatWasNeverPrintedBeforeAndIsNotTold) {
    Diagnosis diagnosis = with_finding("x", 0.9);
    const auto line = [](const char* text, const char* example, double before, double score) {
        return LogEvidence{.source = "r1",
                           .log_template = text,
                           .baseline_per_minute = before,
                           .suspect_per_minute = 12,
                           .score = score,
                           .first_seen = time_from_seconds(60.0),
                           .example = example};
    };
    Suspect suspect{.name = "r1", .service = "r1", .score = 1.0};
    suspect.evidence = {line("<num> upstream timed out <*>", "7 upstream timed out (110)", 0, 4),
                        line("usual line <num>", "usual line 3", 5, 4),
                        line("rare line", "rare line", 0, 1)};
    diagnosis.ranking = Ranking::from({suspect});
    EXPECT_THAT(new_log_lines(diagnosis, diagnosis.findings[0]),
                testing::ElementsAre(
                    "00:01:00 \"7 upstream timed out (110)\", 12.0 per minute, none before"));
    diagnosis.findings[0].chain.push_back({.text = "log \"7 upstream timed out (110)\""});
    EXPECT_THAT(new_log_lines(diagnosis, diagnosis.findings[0]), testing::IsEmpty());
}

TEST(HtmlPage, CannotBeEndedByItsData) {
    const std::string page =
        html_page("a < b", PageScript::incident, {{"name", "</script><script>alert(1)</script>"}});
    EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
    EXPECT_NE(page.find("\\u003c/script>"), std::string::npos);
    EXPECT_NE(page.find("<title>a &lt; b</title>"), std::string::npos);
}

}  // namespace
}  // namespace culprit
