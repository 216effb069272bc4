// Ranking operations from traces: 10,000 to 1,000,000 spans. Before timing, the answers are checked
// against plain loops over a small table: TraceRCA's Jaccard index counted span by span,
// MicroRank's weights by dense matrices over all traces.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "culprit/base/random.h"
#include "culprit/methods/catalog.h"
#include "culprit/methods/operations.h"
#include "culprit/methods/trace_coverage.h"

namespace culprit {
namespace {

constexpr std::size_t num_services = 40;
const TimePoint alert = time_from_seconds(1000.0);

/// Requests of 2 to 14 spans over 40 services with 4 operations each, half of them after the alert;
/// from then on one service is slow.
Incident make_incident(std::size_t num_spans) {
    auto spans = std::make_shared<SpanTable>();
    Random random(3);
    std::vector<std::string> services;
    std::vector<std::string> methods;
    services.reserve(num_services);
    for (std::size_t s = 0; s < num_services; ++s)
        services.push_back("service-" + std::to_string(s));
    methods.reserve(4);
    for (std::size_t m = 0; m < 4; ++m) methods.push_back("/v1/method-" + std::to_string(m));
    std::size_t trace = 0;
    while (spans->size() < num_spans) {
        const bool is_after = trace % 2 == 1;
        const double start = (is_after ? 1001.0 : 1.0) + 900.0 * random.uniform();
        const std::size_t length = 2 + random.below(13);
        const std::string name = "trace-" + std::to_string(trace++);
        std::vector<std::uint64_t> ids;
        for (std::size_t k = 0; k < length; ++k) {
            const std::size_t service = k == 0 ? 0 : 1 + random.below(num_services - 1);
            const double ms = 5.0 + random.uniform() + (is_after && service == 17 ? 80.0 : 0.0);
            spans->start.push_back(time_from_seconds(start));
            spans->duration.push_back(Duration(static_cast<std::int64_t>(ms * 1e6)));
            spans->trace.push_back(spans->traces.intern(name));
            spans->parent_id.push_back(ids.empty() ? 0 : ids[random.below(ids.size())]);
            ids.push_back(spans->size() + 1);
            spans->id.push_back(ids.back());
            spans->service.push_back(spans->services.intern(services[service]));
            spans->method.push_back(spans->operations.intern(methods[service % 4]));
            spans->operation.push_back(spans->operations.intern("POST"));
            spans->status.push_back(200);
        }
    }
    Incident incident;
    incident.alert = alert;
    incident.baseline = {time_from_seconds(0.0), alert};
    incident.suspect = {alert, time_from_seconds(2000.0)};
    incident.spans = spans;
    return incident;
}

[[noreturn]] void disagree(const std::string& what, double expected, double found) {
    std::fprintf(stderr, "%s: expected %.17g, found %.17g\n", what.c_str(), expected, found);
    std::exit(1);
}

void check_tracerca(const Incident& incident) {
    const SpanTable& spans = *incident.spans;
    const Operations operations = Operations::of(spans);
    std::map<std::string, std::vector<double>> before;
    for (std::size_t i = 0; i < spans.size(); ++i)
        if (spans.end(i) < alert)
            before[operations.names[operations.of_span[i]]].push_back(duration_ms(spans, i));
    std::map<std::string, double> limit;
    for (const auto& [name, durations] : before) {
        double mean = 0.0;
        double squares = 0.0;
        for (const double d : durations) mean += d / static_cast<double>(durations.size());
        for (const double d : durations) squares += (d - mean) * (d - mean);
        const double deviation = std::sqrt(squares / static_cast<double>(durations.size() - 1));
        limit[name] = std::rint(mean * 100) / 100 + 3 * (std::rint(deviation * 100) / 100);
    }
    std::map<std::string, double> slow;
    std::map<std::string, double> all;
    double num_slow = 0.0;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (spans.end(i) < alert) continue;
        const std::string& name = operations.names[operations.of_span[i]];
        const bool is_slow = duration_ms(spans, i) >= limit[name];
        all[name] += 1.0;
        slow[name] += is_slow ? 1.0 : 0.0;
        num_slow += is_slow ? 1.0 : 0.0;
    }
    const auto diagnosis =
        run_method(*make_method("tracerca").value(), incident, {.variant = Variant::reference});
    if (!diagnosis || diagnosis->ranking.empty()) disagree("tracerca", 1, 0);
    for (const Suspect& suspect : diagnosis->ranking.suspects()) {
        const double support = slow[suspect.name] / num_slow;
        const double confidence = slow[suspect.name] / all[suspect.name];
        const double expected = 2 * support * confidence / (support + confidence);
        const double found = std::get<SpanEvidence>(suspect.evidence.at(0)).score;
        if (std::abs(expected - found) > 1e-12) disagree(suspect.name, expected, found);
    }
}

// MicroRank's weights with one row per trace and no classes.
std::vector<double> plain_weights(const SpanTable& spans, const Operations& operations,
                                  const TraceCoverage& coverage) {
    const std::size_t num_operations = coverage.num_operations();
    std::map<std::uint32_t, std::vector<double>> passes;  // trace -> 0 or 1 per operation
    std::vector<std::size_t> local(operations.size());
    for (std::size_t o = 0; o < num_operations; ++o) local[coverage.operation[o]] = o;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (spans.end(i) >= alert) continue;
        auto& row = passes[spans.trace[i]];
        row.resize(num_operations);
        row[local[operations.of_span[i]]] = 1.0;
    }
    std::vector<std::vector<double>> rows;
    rows.reserve(passes.size());
    for (const auto& [trace, row] : passes) rows.push_back(row);
    std::vector<double> v(rows.size());
    double sum = 0.0;
    for (std::size_t t = 0; t < rows.size(); ++t) {
        v[t] = 1.0 / static_cast<double>(std::count(rows.begin(), rows.end(), rows[t]));
        sum += v[t];
    }
    const auto f = [](double x) { return static_cast<double>(static_cast<float>(x)); };
    for (double& value : v) value = f(f(0.15) * f(value / sum));
    std::vector<double> s(num_operations, 1.0 / static_cast<double>(num_operations + rows.size()));
    std::vector<double> r(rows.size(), s[0]);
    const auto normalise = [](std::vector<double>& x) {
        const double most = *std::max_element(x.begin(), x.end());
        for (double& value : x) value /= most;
    };
    for (int step = 0; step < 25; ++step) {
        std::vector<double> next_s(num_operations);
        std::vector<double> next_r = v;
        for (std::size_t o = 0; o < num_operations; ++o) {
            for (const std::uint32_t child : coverage.children[o])
                next_s[child] +=
                    0.85 * 0.01 * f(1.0 / static_cast<double>(coverage.children[o].size())) * s[o];
            for (std::size_t t = 0; t < rows.size(); ++t) {
                if (rows[t][o] == 0.0) continue;
                const auto length =
                    static_cast<double>(std::count(rows[t].begin(), rows[t].end(), 1.0));
                next_s[o] += 0.85 * f(1.0 / length) * r[t];
                next_r[t] += 0.85 * f(1.0 / coverage.num_traces_of[o]) * s[o];
            }
        }
        s = next_s;
        r = next_r;
        normalise(s);
        normalise(r);
    }
    double total = 0.0;
    for (const double value : s) total += value;
    for (double& value : s) value *= total / static_cast<double>(num_operations);
    return s;
}

void check_microrank(const Incident& incident) {
    const SpanTable& spans = *incident.spans;
    const Operations operations = Operations::of(spans);
    const TraceCoverage coverage = trace_coverage(
        spans, operations, [&](std::size_t i) { return spans.end(i) < alert; },
        CallGraph::last_span);
    const auto found = operation_weights(coverage, TracePreference::rare_kinds);
    const auto expected = plain_weights(spans, operations, coverage);
    for (std::size_t o = 0; o < found.size(); ++o)
        if (std::abs(found[o] - expected[o]) > 1e-9 * expected[o])
            disagree(operations.names[coverage.operation[o]], expected[o], found[o]);
}

void rank_traces(benchmark::State& state, const std::string& name, Variant variant) {
    static std::map<std::int64_t, Incident> incidents;
    static const bool is_checked = [] {
        const Incident small = make_incident(3000);
        check_tracerca(small);
        check_microrank(small);
        return true;
    }();
    benchmark::DoNotOptimize(is_checked);
    if (incidents.count(state.range(0)) == 0)
        incidents[state.range(0)] = make_incident(static_cast<std::size_t>(state.range(0)));
    const Incident& incident = incidents[state.range(0)];
    const auto method = make_method(name).value();
    for (auto _ : state) {
        auto diagnosis = run_method(*method, incident, {.variant = variant});
        if (!diagnosis || diagnosis->ranking.empty()) state.SkipWithError("no answer");
        benchmark::DoNotOptimize(diagnosis);
    }
    state.SetItemsProcessed(state.range(0) * state.iterations());
}

void BM_tracerca_reference(benchmark::State& state) {
    rank_traces(state, "tracerca", Variant::reference);
}
void BM_tracerca_published(benchmark::State& state) {
    rank_traces(state, "tracerca", Variant::published);
}
void BM_microrank_reference(benchmark::State& state) {
    rank_traces(state, "microrank", Variant::reference);
}
void BM_microrank_published(benchmark::State& state) {
    rank_traces(state, "microrank", Variant::published);
}

#define SIZES RangeMultiplier(10)->Range(10'000, 1'000'000)->Unit(benchmark::kMillisecond)
BENCHMARK(BM_tracerca_reference)->SIZES;
BENCHMARK(BM_tracerca_published)->SIZES;
BENCHMARK(BM_microrank_reference)->SIZES;
BENCHMARK(BM_microrank_published)->SIZES;

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
