// Ranking many series: 100,000 of 1,000 points, as a fleet has them. The answers are checked
// against a plain reference (sums in one loop, quantiles by sorting) before anything is timed.
//
// Bytes are counted as the size of the table, once: `share_of_copy` is the table's size per second
// over what a plain copy of the same table reads per second on the same number of threads.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "culprit/base/parallel.h"
#include "culprit/base/random.h"
#include "culprit/methods/catalog.h"

namespace culprit {
namespace {

constexpr std::size_t num_rows = 1000;
constexpr std::size_t alert_row = 500;

Incident make_incident(std::size_t num_series) {
    std::vector<TimePoint> times;
    times.reserve(num_rows);
    for (std::size_t r = 0; r < num_rows; ++r)
        times.push_back(time_from_seconds(static_cast<double>(r)));
    std::vector<Column> columns(num_series);
    const auto values = std::shared_ptr<double[]>(new double[num_series * num_rows]);
    parallel_for(num_series, 0, [&](std::size_t begin, std::size_t end) {
        for (std::size_t c = begin; c < end; ++c) {
            Random random(c);
            const double shift = c % 1000 == 7 ? 5.0 + random.uniform() : 0.0;
            for (std::size_t r = 0; r < num_rows; ++r)
                values.get()[c * num_rows + r] =
                    100.0 + random.uniform() + random.uniform() + (r < alert_row ? 0.0 : shift);
        }
    });
    for (std::size_t c = 0; c < num_series; ++c) {
        columns[c].service = "service-" + std::to_string(c / 10);
        columns[c].metric = "metric-" + std::to_string(c % 10);
        columns[c].name = columns[c].service + "_" + columns[c].metric;
    }
    Incident incident;
    incident.alert = times[alert_row];
    incident.metrics =
        Frame::make(std::move(times), std::move(columns), Frame::Values(values, values.get()))
            .value();
    return incident;
}

const Incident& fleet() {
    static const Incident incident = make_incident(100'000);
    return incident;
}

double plain_score(const std::string& method, std::span<const double> before,
                   std::span<const double> after) {
    double center = 0.0;
    double scale = 0.0;
    if (method == "nsigma") {
        for (const double v : before) center += v / static_cast<double>(before.size());
        for (const double v : before) scale += (v - center) * (v - center);
        scale = std::sqrt(scale / static_cast<double>(before.size()));
    } else {
        std::vector<double> sorted(before.begin(), before.end());
        std::sort(sorted.begin(), sorted.end());
        const auto quantile = [&](double q) {
            const double h = q * static_cast<double>(sorted.size() - 1);
            const auto k = static_cast<std::size_t>(h);
            const double next = sorted[std::min(k + 1, sorted.size() - 1)];
            return sorted[k] + (h - static_cast<double>(k)) * (next - sorted[k]);
        };
        center = quantile(0.5);
        scale = quantile(0.75) - quantile(0.25);
    }
    double largest = 0.0;
    for (const double v : after) largest = std::max(largest, std::abs(v - center) / scale);
    return largest;
}

/// Ends the program when the method's answer is not that of the plain loop.
void check_answer(const std::string& method) {
    const Incident incident = make_incident(3000);
    const Diagnosis diagnosis =
        run_method(*make_method(method).value(), incident, {.num_threads = 2}).value();
    double last = INFINITY;
    for (const Suspect& suspect : diagnosis.ranking.suspects()) {
        const auto values = incident.metrics.values(*incident.metrics.find(suspect.name));
        const double expected =
            plain_score(method, values.first(alert_row), values.subspan(alert_row));
        const bool agrees = std::abs(suspect.score - expected) <= 1e-9 * expected;
        if (!agrees || suspect.score > last) {
            std::fprintf(stderr, "%s: %s scores %.17g, the plain loop %.17g\n", method.c_str(),
                         suspect.name.c_str(), suspect.score, expected);
            std::exit(1);
        }
        last = suspect.score;
    }
    if (diagnosis.ranking.size() != incident.metrics.num_columns()) std::exit(1);
}

std::size_t table_bytes() { return fleet().metrics.num_columns() * num_rows * sizeof(double); }

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Copies the table in 8 MB pieces, each thread into its own buffer... of the table's size, so that
// the target does not stay in a cache.
double copy_seconds(unsigned num_threads) {
    static std::vector<double> target(fleet().metrics.num_columns() * num_rows);
    const double* source = fleet().metrics.values(0).data();
    const auto begin = std::chrono::steady_clock::now();
    parallel_for(
        fleet().metrics.num_columns(), num_threads,
        [&](std::size_t first, std::size_t last) {
            std::memcpy(target.data() + first * num_rows, source + first * num_rows,
                        (last - first) * num_rows * sizeof(double));
        },
        1000);
    benchmark::ClobberMemory();
    return seconds_since(begin);
}

double best_copy_seconds(unsigned num_threads) {
    static std::map<unsigned, double> known;
    if (known.count(num_threads) == 0) {
        double best = copy_seconds(num_threads);
        for (int i = 0; i < 5; ++i) best = std::min(best, copy_seconds(num_threads));
        known[num_threads] = best;
    }
    return known[num_threads];
}

void BM_copy(benchmark::State& state) {
    const auto num_threads = static_cast<unsigned>(state.range(0));
    copy_seconds(num_threads);
    for (auto _ : state) state.SetIterationTime(copy_seconds(num_threads));
    state.SetBytesProcessed(static_cast<std::int64_t>(table_bytes()) * state.iterations());
}

void rank_series(benchmark::State& state, const std::string& name) {
    check_answer(name);
    const auto method = make_method(name).value();
    const RunContext context = {.num_threads = static_cast<unsigned>(state.range(0))};
    fleet();
    for (auto _ : state) {
        const auto begin = std::chrono::steady_clock::now();
        auto diagnosis = run_method(*method, fleet(), context);
        state.SetIterationTime(seconds_since(begin));
        benchmark::DoNotOptimize(diagnosis);
    }
    const double bytes =
        static_cast<double>(table_bytes()) * static_cast<double>(state.iterations());
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
    state.counters["share_of_copy"] = benchmark::Counter(
        best_copy_seconds(context.num_threads) * static_cast<double>(state.iterations()),
        benchmark::Counter::kIsRate);
}

void BM_nsigma(benchmark::State& state) { rank_series(state, "nsigma"); }
void BM_baro(benchmark::State& state) { rank_series(state, "baro"); }

BENCHMARK(BM_copy)->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_nsigma)->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_baro)->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
