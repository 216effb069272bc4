#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "culprit/base/random.h"
#include "culprit/methods/catalog.h"

namespace culprit {
namespace {

using testing::IsEmpty;
using testing::Not;

const char* const causal_methods[] = {"lingam_pagerank", "lingam_randomwalk", "causalrca",
                                      "causalai",        "microcause",        "rcd"};

// A front end whose latency follows the backend's, which follows the backend's CPU; the CPU jumps
// at the alert. Times are a second apart.
Incident chain_incident(std::size_t num_rows, std::size_t num_others, std::uint64_t seed) {
    Random random(seed);
    std::vector<Column> columns = {
        {.name = "front_latency"}, {.name = "back_latency"}, {.name = "back_cpu"}};
    for (std::size_t k = 0; k < num_others; ++k)
        columns.push_back({.name = "other-" + std::to_string(k) + "_cpu"});
    Matrix values(num_rows, columns.size());
    std::vector<TimePoint> times;
    const std::size_t alert = num_rows * 2 / 3;
    double cpu = 0.0;
    double back = 0.0;
    for (std::size_t row = 0; row < num_rows; ++row) {
        times.push_back(time_from_seconds(static_cast<double>(row)));
        const double front = 0.8 * back + 0.3 * random.exponential();
        back = 0.8 * cpu + 0.3 * random.exponential();
        cpu = (row >= alert ? 6.0 : 0.0) + random.exponential();
        values(row, 0) = front;
        values(row, 1) = back;
        values(row, 2) = cpu;
        for (std::size_t k = 0; k < num_others; ++k) values(row, 3 + k) = random.exponential();
    }
    Incident incident;
    incident.metrics = Frame::make(times, std::move(columns), std::move(values)).value();
    incident.alert = time_from_seconds(static_cast<double>(alert));
    incident.symptom = "front_latency";
    return incident;
}

Incident replace_values(const Incident& incident, Matrix values) {
    Incident result = incident;
    const auto columns = incident.metrics.columns();
    const auto times = incident.metrics.times().first(values.num_rows());
    result.metrics = Frame::make({times.begin(), times.end()}, {columns.begin(), columns.end()},
                                 std::move(values))
                         .value();
    return result;
}

Diagnosis diagnose(const std::string& method, const Incident& incident,
                   const RunContext& context = {}) {
    const auto made = make_method(method).value();
    auto result = run_method(*made, incident, context);
    if (!result) throw std::runtime_error(method + ": " + result.error().message);
    return *std::move(result);
}

std::string text_of(const Diagnosis& diagnosis) {
    std::string text(to_string(diagnosis.status));
    for (const Suspect& s : diagnosis.ranking.suspects())
        text += ' ' + s.name + '=' + std::to_string(s.score);
    return text;
}

TEST(CausalMethods, PublishedVariantsFindTheBrokenBackend) {
    // Of five services one is broken; each method must place it first or, where it answers with a
    // set, name it.
    for (const std::string method : {"microcause", "rcd", "causalai"}) {
        int num_found = 0;
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
            const auto diagnosis = diagnose(method, chain_incident(300, 4, seed));
            const auto services = diagnosis.ranking.services();
            num_found += !services.empty() && services.front() == "back" ? 1 : 0;
        }
        EXPECT_GE(num_found, 4) << method;
    }
}

// One row, fewer rows than columns, constants, copies and sums of columns: an answer or a refusal
// with its reason, never a crash, the same on every thread count.
TEST(CausalMethods, OddTablesGiveDefinedAnswers) {
    const Incident base = chain_incident(40, 5, 1);
    std::vector<std::pair<std::string, Incident>> tables;
    tables.emplace_back("as it is", base);
    for (const std::size_t rows : {1U, 2U, 5U, 7U}) {
        Matrix few(rows, base.metrics.num_columns());
        for (std::size_t c = 0; c < few.num_columns(); ++c)
            for (std::size_t r = 0; r < rows; ++r) few(r, c) = base.metrics.values(c)[r];
        Incident incident = replace_values(base, std::move(few));
        incident.alert = base.metrics.times()[rows / 2];
        tables.emplace_back(std::to_string(rows) + " rows", incident);
    }
    const auto changed = [&](const std::string& name, const auto& value) {
        Matrix values(base.metrics.num_rows(), base.metrics.num_columns());
        for (std::size_t c = 0; c < values.num_columns(); ++c)
            for (std::size_t r = 0; r < values.num_rows(); ++r) values(r, c) = value(r, c);
        tables.emplace_back(name, replace_values(base, std::move(values)));
    };
    const auto raw = [&](std::size_t r, std::size_t c) { return base.metrics.values(c)[r]; };
    changed("all constant", [](std::size_t, std::size_t) { return 1.0; });
    changed("one moves", [&](std::size_t r, std::size_t c) { return c == 2 ? raw(r, c) : 0.0; });
    changed("copies", [&](std::size_t r, std::size_t c) { return raw(r, c % 2); });
    changed("a sum", [&](std::size_t r, std::size_t c) {
        return c == 0 ? raw(r, 1) + raw(r, 2) : raw(r, c);
    });
    changed("huge and tiny", [&](std::size_t r, std::size_t c) {
        return raw(r, c) * std::pow(10.0, 24.0 - 6.0 * static_cast<double>(c));
    });
    changed("missing", [&](std::size_t r, std::size_t c) {
        return (r + c) % 3 == 0 ? std::numeric_limits<double>::quiet_NaN() : raw(r, c);
    });
    changed("a step", [](std::size_t r, std::size_t c) { return r > 30 + c ? 1.0 : 0.0; });
    for (const std::string method : causal_methods)
        for (const auto& [name, incident] : tables)
            for (const Variant variant : {Variant::reference, Variant::published}) {
                SCOPED_TRACE(fmt::format("{}, {}", method, name));
                const auto made = make_method(method).value();
                RunContext context = {.variant = variant};
                if (method == "causalrca") context.options["epochs"] = 20;
                const auto first = run_method(*made, incident, context);
                context.num_threads = 2;
                const auto again = run_method(*made, incident, context);
                ASSERT_EQ(first.has_value(), again.has_value());
                if (!first) {
                    EXPECT_THAT(first.error().message, Not(IsEmpty()));
                    continue;
                }
                EXPECT_EQ(text_of(*first), text_of(*again));
                EXPECT_EQ(first->status == DiagnosisStatus::ok, first->reason.empty());
            }
}

TEST(CausalMethods, AStopEndsThem) {
    const Incident incident = chain_incident(200, 20, 2);
    for (const std::string method : causal_methods) {
        const auto made = make_method(method).value();
        RunContext context;
        context.stop = Stop::after(std::chrono::microseconds(300));
        const auto result = made->diagnose(incident, context);
        if (result) continue;  // done before the deadline
        EXPECT_EQ(result.error().code, ErrorCode::deadline_exceeded) << method;
    }
}

}  // namespace
}  // namespace culprit
