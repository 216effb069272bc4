// The default method on a fleet: up to 1,000 replicas with 200 known signals each, over one hour at
// 5 s. One GPU loses its clock; before a size is timed the answer must name its replica. Time per
// series has to stay the same from size to size: the method is linear in them.

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "culprit/base/parallel.h"
#include "culprit/base/random.h"
#include "culprit/catalogue/catalogue.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit {
namespace {

constexpr std::size_t num_rows = 720;
constexpr std::size_t alert_row = 660;
constexpr std::size_t num_signals = 200;

/// Gauges and counters of the catalogue; the ones that the fault moves come first.
std::vector<std::string> signal_names() {
    std::vector<std::string> names = {"DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_POWER_USAGE",
                                      "vllm:num_requests_running"};
    for (const Signal& signal : Catalogue::builtin().signals()) {
        if (names.size() == num_signals) break;
        if (signal.type != SignalType::gauge && signal.type != SignalType::counter) continue;
        if (std::ranges::find(names, signal.name) == names.end()) names.push_back(signal.name);
    }
    return names;
}

Incident make_fleet(std::size_t num_replicas) {
    const auto names = signal_names();
    std::vector<TimePoint> times;
    times.reserve(num_rows);
    for (std::size_t r = 0; r < num_rows; ++r)
        times.push_back(time_from_seconds(1.7e9 + 5.0 * static_cast<double>(r)));
    std::vector<Column> columns(num_replicas * names.size());
    const auto values = std::shared_ptr<double[]>(new double[columns.size() * num_rows]);
    const std::size_t broken = num_replicas / 2;
    parallel_for(columns.size(), 0, [&](std::size_t begin, std::size_t end) {
        for (std::size_t c = begin; c < end; ++c) {
            const std::size_t replica = c / names.size();
            const std::size_t signal = c % names.size();
            Random random(c);
            for (std::size_t r = 0; r < num_rows; ++r) {
                const bool hit = replica == broken && r >= alert_row && signal < 3;
                const double factor = !hit ? 1.0 : signal == 2 ? 1.8 : 0.5;
                values.get()[c * num_rows + r] = 100.0 * factor * (1.0 + 0.02 * random.normal());
            }
        }
    });
    for (std::size_t c = 0; c < columns.size(); ++c) {
        columns[c].service = "replica-" + std::to_string(c / names.size());
        columns[c].metric = names[c % names.size()];
        columns[c].name = columns[c].service + "_" + columns[c].metric;
    }
    Incident incident;
    incident.alert = times[alert_row];
    incident.baseline = {times.front(), times[alert_row]};
    incident.suspect = {times[alert_row], times.back() + Duration(1)};
    incident.metrics =
        Frame::make(std::move(times), std::move(columns), Frame::Values(values, values.get()))
            .value();
    return incident;
}

Diagnosis diagnosis_of(const Incident& incident) {
    RunContext context;
    context.num_threads = 0;
    auto diagnosis = run_method(*make_culprit(), incident, context);
    if (!diagnosis) {
        std::fprintf(stderr, "no answer: %s\n", diagnosis.error().message.c_str());
        std::exit(1);
    }
    return std::move(*diagnosis);
}

void diagnose_fleet(benchmark::State& state) {
    const auto num_replicas = static_cast<std::size_t>(state.range(0));
    const Incident incident = make_fleet(num_replicas);
    const std::string expected = "replica-" + std::to_string(num_replicas / 2);
    const std::string found = diagnosis_of(incident).ranking.suspects().front().service;
    if (found != expected) {
        std::fprintf(stderr, "expected %s first, found %s\n", expected.c_str(), found.c_str());
        std::exit(1);
    }
    for (auto _ : state) benchmark::DoNotOptimize(diagnosis_of(incident));
    const auto series = static_cast<double>(num_replicas * num_signals);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    state.counters["series"] = series;
    state.counters["s_per_million_series"] = benchmark::Counter(
        series * 1e-6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
    state.counters["data_MB"] = series * num_rows * 8e-6;
    state.counters["process_peak_MB"] = static_cast<double>(usage.ru_maxrss) * 1.024e-3;
}
BENCHMARK(diagnose_fleet)
    ->RangeMultiplier(2)
    ->Range(125, 1000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
