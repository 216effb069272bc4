// Learning a causal graph from metrics: PC on 300 columns of 4,000 rows, FCI and Granger tests of
// 45 columns of 1,440 rows. Each answer is checked first: PC and FCI against a search that asks one
// test at a time, Granger against another number of threads.
//
// Counters: tests_per_second, and `share_of_peak` = the operations that the algorithm counts (12
// per test and n p^2 for the correlations of p columns) per processor time over benchmarks/peak.h.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>

#include "benchmarks/peak.h"
#include "culprit/base/random.h"
#include "culprit/causal/fci.h"
#include "culprit/causal/fisher_z.h"
#include "culprit/causal/granger.h"
#include "culprit/causal/pc.h"
#include "culprit/graph/enumeration.h"

namespace culprit {
namespace {

constexpr double operations_per_test = 12.0;

Matrix sample(std::size_t num_rows, std::size_t num_columns, double parents, std::uint64_t seed) {
    Random random(seed);
    const MixedGraph dag =
        random_dag(num_columns, parents / static_cast<double>(num_columns - 1), random);
    Matrix data(num_rows, num_columns);
    for (const std::size_t v : topological_order(dag)) {
        for (double& value : data.column(v)) value = random.normal();
        for (const std::size_t parent : dag.neighbours(v)) {
            if (!dag.is_directed(parent, v)) continue;
            const double weight = 0.3 + 0.5 * random.uniform();
            for (std::size_t r = 0; r < num_rows; ++r) data(r, v) += weight * data(r, parent);
        }
    }
    return data;
}

// The same decisions, one test at a time: hides the shared elimination.
class PlainFisherZ : public IndependenceTest {
public:
    explicit PlainFisherZ(const FisherZ& test) : test_(test) {}
    std::size_t num_variables() const override { return test_.num_variables(); }
    double alpha() const override { return test_.alpha(); }
    double p_value(std::size_t x, std::size_t y,
                   std::span<const std::size_t> given) const override {
        return test_.p_value(x, y, given);
    }

private:
    const FisherZ& test_;
};

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "wrong answer: %s\n", what);
    std::abort();
}

void report(benchmark::State& state, double tests, double operations, unsigned num_threads) {
    state.counters["tests"] = tests;
    state.counters["tests_per_second"] =
        benchmark::Counter(tests, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["share_of_peak"] =
        benchmark::Counter(operations / (peak_operations_per_second() * num_threads),
                           benchmark::Counter::kIsIterationInvariantRate);
}

// Of the correlations of p columns of n rows: one triangle of the product.
double correlation_operations(double n, double p) { return n * p * p; }

void BM_PcCausalLearn(benchmark::State& state) {
    const auto columns = static_cast<std::size_t>(state.range(0));
    const auto threads = static_cast<unsigned>(state.range(1));
    const FisherZ small = FisherZ::of(sample(400, 25, 3.0, 7), 0.05);
    require(
        pc_causal_learn(small).value().graph == pc_causal_learn(PlainFisherZ(small)).value().graph,
        "pc_causal_learn");
    const Matrix data = sample(4000, columns, 3.0, 1);
    double tests = 0.0;
    for (auto _ : state) {
        const FisherZ test = FisherZ::of(data, 0.05, threads);
        const PcResult found = pc_causal_learn(test, {.num_threads = threads}).value();
        tests = static_cast<double>(found.counts.tests);
    }
    const auto p = static_cast<double>(columns);
    report(state, tests, operations_per_test * tests + correlation_operations(4000, p), threads);
}
BENCHMARK(BM_PcCausalLearn)
    ->Args({300, 1})
    ->Args({300, 2})
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

void BM_Pc(benchmark::State& state) {
    const FisherZ small = FisherZ::of(sample(400, 25, 3.0, 7), 0.05);
    require(pc(small).value().graph == pc(PlainFisherZ(small)).value().graph, "pc");
    const Matrix data = sample(4000, 300, 3.0, 1);
    double tests = 0.0;
    for (auto _ : state)
        tests = static_cast<double>(pc(FisherZ::of(data, 0.05)).value().counts.tests);
    report(state, tests, operations_per_test * tests + correlation_operations(4000, 300), 1);
}
BENCHMARK(BM_Pc)->Unit(benchmark::kMillisecond);

void BM_Fci(benchmark::State& state) {
    const FisherZ small = FisherZ::of(sample(400, 12, 2.0, 7), 0.05);
    require(fci(small).value().graph == fci(PlainFisherZ(small)).value().graph, "fci");
    const Matrix data = sample(1440, 45, 1.5, 2);
    double tests = 0.0;
    for (auto _ : state)
        tests = static_cast<double>(
            fci(FisherZ::of(data, 0.05), {.dsep_tests_max = 1'000'000}).value().counts.tests);
    report(state, tests, operations_per_test * tests + correlation_operations(1440, 45), 1);
}
BENCHMARK(BM_Fci)->Unit(benchmark::kMillisecond);

void BM_Granger(benchmark::State& state) {
    const auto columns = static_cast<std::size_t>(state.range(0));
    const Matrix data = sample(1440, columns, 1.5, 3);
    const GrangerTable one = granger(data).value();
    const GrangerTable two = granger(data, {.num_threads = 2}).value();
    for (std::size_t i = 1; i < columns; ++i)
        require(one.finding(i, i - 1, 3).gain == two.finding(i, i - 1, 3).gain, "granger");
    for (auto _ : state) benchmark::DoNotOptimize(granger(data));
    // Per lag l the moments of (l + 1) p lagged columns; per pair some 8 l^3 / 3 for two Cholesky
    // factors and what stands between them.
    const auto p = static_cast<double>(columns);
    double operations = 0.0;
    for (const double lag : {1.0, 2.0, 3.0})
        operations += correlation_operations(1440, (lag + 1.0) * p) +
                      p * (p - 1.0) * 8.0 * lag * lag * lag / 3.0;
    report(state, 3.0 * p * (p - 1.0), operations, 1);
}
BENCHMARK(BM_Granger)->Arg(45)->Arg(300)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
