// What every method of the catalog promises, whatever the incident: an answer or a reasoned
// refusal, never an exception; finite scores in falling order; the same answer for the same seed on
// any number of threads; an end when told to stop. And what each method promises beyond that
// (promises.h): a property is only run for the methods that promise it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <map>
#include <numeric>
#include <string>
#include <thread>

#include "culprit/methods/catalog.h"
#include "incidents.h"
#include "promises.h"

namespace culprit {
namespace {

using Clock = std::chrono::steady_clock;

struct Contestant {
    std::string method;
    Variant variant;
};

void PrintTo(const Contestant& c, std::ostream* out) {  // NOLINT(readability-identifier-naming)
    *out << c.method << " " << to_string(c.variant);
}

std::vector<Contestant> contestants() {
    std::vector<Contestant> all;
    for (const CatalogEntry& entry : catalog()) {
        const std::unique_ptr<Method> method = entry.make();
        for (const Variant variant : method->info().variants)
            all.push_back({std::string(entry.name), variant});
    }
    return all;
}

std::vector<Contestant> contestants_that_promise(Promise promise) {
    std::vector<Contestant> all = contestants();
    std::erase_if(all, [promise](const Contestant& c) {
        return !exemption(promise, c.method, c.variant).empty();
    });
    return all;
}

class Conformance : public testing::TestWithParam<Contestant> {
protected:
    Result<Diagnosis> run(const Incident& incident, RunContext context = {}) const {
        context.variant = GetParam().variant;
        return run_method(*method_, incident, context);
    }

    const std::unique_ptr<Method> method_ = make_method(GetParam().method).value();
};

class OrderFree : public Conformance {};
class UnitFree : public Conformance {};
class Answering : public Conformance {};

/// Every byte that a user could see.
std::string bytes_of(const Result<Diagnosis>& diagnosis) {
    if (!diagnosis)
        return fmt::format("{}: {}", to_string(diagnosis.error().code), diagnosis.error().message);
    std::string text = fmt::format("{} {}\n", to_string(diagnosis->status), diagnosis->reason);
    for (const Suspect& s : diagnosis->ranking.suspects())
        text += fmt::format("{} {} {:a} {}\n", s.name, s.service, s.score, s.evidence.size());
    for (const std::string& note : diagnosis->notes) text += note + "\n";
    return text;
}

std::map<std::string, double> scores_of(const Diagnosis& diagnosis) {
    std::map<std::string, double> scores;
    for (const Suspect& s : diagnosis.ranking.suspects()) scores[s.name] = s.score;
    return scores;
}

void expect_same_scores(const Result<Diagnosis>& one, const Result<Diagnosis>& other) {
    ASSERT_EQ(one.has_value(), other.has_value());
    if (!one) return;
    EXPECT_EQ(one->status, other->status);
    const auto expected = scores_of(*one);
    const auto found = scores_of(*other);
    ASSERT_EQ(expected.size(), found.size());
    for (const auto& [name, score] : expected) {
        ASSERT_TRUE(found.count(name)) << name;
        EXPECT_NEAR(found.at(name), score, 1e-9 * std::abs(score)) << name;
    }
}

void expect_sound(const Result<Diagnosis>& diagnosis) {
    if (!diagnosis) {
        EXPECT_FALSE(diagnosis.error().message.empty());
        return;
    }
    EXPECT_EQ(diagnosis->status == DiagnosisStatus::degenerate, !diagnosis->reason.empty())
        << diagnosis->reason;
    double last = std::numeric_limits<double>::infinity();
    for (const Suspect& s : diagnosis->ranking.suspects()) {
        EXPECT_FALSE(s.name.empty());
        EXPECT_TRUE(std::isfinite(s.score)) << s.name;
        EXPECT_LE(s.score, last) << s.name;
        last = s.score;
    }
}

TEST_P(Conformance, DescribesItself) {
    const MethodInfo& info = method_->info();
    EXPECT_EQ(info.name, GetParam().method);
    for (const std::string* text :
         {&info.summary, &info.citation, &info.reads, &info.ranks, &info.cost})
        EXPECT_FALSE(text->empty());
    EXPECT_TRUE(info.summary.ends_with('.')) << info.summary;
    if (info.variants.size() == 2) {
        EXPECT_FALSE(info.divergences.empty()) << "two variants: say where they differ";
    }
    for (const OptionInfo& option : info.options) {
        EXPECT_FALSE(option.help.empty()) << option.name;
        EXPECT_LE(option.minimum, option.default_value) << option.name;
        EXPECT_LE(option.default_value, option.maximum) << option.name;
    }
}

TEST_P(Conformance, AnswersOrRefusesWhateverComes) {
    for (const NamedIncident& hostile : hostile_incidents()) {
        SCOPED_TRACE(hostile.name);
        EXPECT_NO_THROW(
            expect_sound(run(hostile.incident, {.stop = Stop::after(std::chrono::seconds(5))})));
    }
}

// 504 columns, copies and constants among them, in 40 rows: an answer, a reason or the deadline,
// and what answers at all answers the same again.
TEST_P(Conformance, IsDefinedAtFiveHundredColumns) {
    static const Incident incident = wide_incident();
    const auto limit = std::chrono::milliseconds(200);
    const std::clock_t begin = std::clock();  // processor time: the machine may have other work
    Result<Diagnosis> found = fail(ErrorCode::cancelled, "not run");
    EXPECT_NO_THROW(found = run(incident, {.seed = 7, .stop = Stop::after(limit)}));
    expect_sound(found);
    EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 3.0);
    if (!found) {
        // What needs the study's own components refuses any other system, at any width.
        const auto narrow = run(complete_incident());
        EXPECT_TRUE(found.error().code == ErrorCode::deadline_exceeded || !narrow)
            << found.error().message;
        return;
    }
    const auto again = run(incident, {.seed = 7, .stop = Stop::after(limit), .num_threads = 2});
    if (again) {
        EXPECT_EQ(bytes_of(found), bytes_of(again));
    }
}

TEST_P(Answering, RanksTheCompleteIncident) {
    const auto diagnosis = run(complete_incident());
    ASSERT_TRUE(diagnosis) << diagnosis.error().message;
    EXPECT_FALSE(diagnosis->ranking.empty()) << diagnosis->reason;
}

TEST_P(Conformance, RepeatsItselfOnAnyNumberOfThreads) {
    const Incident incident = complete_incident();
    const std::string once = bytes_of(run(incident, {.seed = 7}));
    EXPECT_EQ(once, bytes_of(run(incident, {.seed = 7})));
    for (const unsigned num_threads : {2U, 5U})
        EXPECT_EQ(once, bytes_of(run(incident, {.seed = 7, .num_threads = num_threads})));
    if (!method_->info().uses_randomness) {
        EXPECT_EQ(once, bytes_of(run(incident, {.seed = 8}))) << "depends on the seed";
    }
}

TEST_P(OrderFree, GivesTheSameScoresInAnyOrderOfColumns) {
    const Incident incident = complete_incident();
    std::vector<std::size_t> order(incident.metrics.num_columns());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::reverse(order.begin() + 2, order.end());
    expect_same_scores(run(incident), run(with_columns(incident, order)));
}

TEST_P(UnitFree, GivesTheSameScoresInAnyUnit) {
    const Incident incident = complete_incident();
    // Powers of two: the arithmetic stays exact.
    const auto scaled = run(with_values(incident, [](double v, std::size_t, std::size_t c) {
        return std::ldexp(v, static_cast<int>(c % 9) - 4);
    }));
    expect_same_scores(run(incident), scaled);
}

TEST_P(Conformance, StopsWhenTold) {
    std::stop_source source;
    source.request_stop();
    const auto stopped = run(complete_incident(), {.stop = Stop(source.get_token())});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);

    const Incident large =
        complete_incident({.num_services = 30, .num_rows = 2000, .num_traces = 20000});
    const auto begin = Clock::now();
    const auto result = run(large, {.stop = Stop::after(std::chrono::milliseconds(20))});
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    // Generous, for a machine that has other work: what must not happen is minutes.
    EXPECT_LT(seconds, 3.0);
    if (!result) {
        EXPECT_EQ(result.error().code, ErrorCode::deadline_exceeded) << result.error().message;
    }
}

std::string name_of(const testing::TestParamInfo<Contestant>& contestant) {
    return fmt::format("{}_{}", contestant.param.method, to_string(contestant.param.variant));
}

INSTANTIATE_TEST_SUITE_P(Catalog, Conformance, testing::ValuesIn(contestants()), name_of);
INSTANTIATE_TEST_SUITE_P(Catalog, OrderFree,
                         testing::ValuesIn(contestants_that_promise(Promise::column_order)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Catalog, UnitFree,
                         testing::ValuesIn(contestants_that_promise(Promise::units)), name_of);
INSTANTIATE_TEST_SUITE_P(Catalog, Answering,
                         testing::ValuesIn(contestants_that_promise(Promise::answer)), name_of);

}  // namespace
}  // namespace culprit
