// Learning a causal graph from metrics: PC on 300 columns of 4,000 rows, FCI and Granger tests of
// 45 columns of 1,440 rows. Each answer is checked first: PC and FCI against a search that asks one
// test at a time, Granger against another number of threads.
//
// Counters: tests_per_second, and `share_of_peak` = 12 floating-point operations per test over what
// one core does in a loop of independent multiplications and additions.

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

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

// Multiplications and additions per second of one core, without fused operations.
double operations_per_second() {
    std::array<double, 64> x{};
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 1.0 + 1e-9 * static_cast<double>(i);
    constexpr int rounds = 2'000'000;
    const auto start = std::chrono::steady_clock::now();
    for (int r = 0; r < rounds; ++r) {
        for (double& v : x) v = v * 0.999999999 + 1e-9;
        benchmark::DoNotOptimize(x);
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    return 2.0 * static_cast<double>(x.size()) * rounds / elapsed.count();
}

void report(benchmark::State& state, double tests, unsigned num_threads) {
    static const double peak = operations_per_second();
    state.counters["tests"] = tests;
    state.counters["tests_per_second"] =
        benchmark::Counter(tests, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["share_of_peak"] =
        benchmark::Counter(tests * operations_per_test / (peak * num_threads),
                           benchmark::Counter::kIsIterationInvariantRate);
}

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
    report(state, tests, threads);
}
BENCHMARK(BM_PcCausalLearn)
    ->Args({300, 1})
    ->Args({300, 2})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_Pc(benchmark::State& state) {
    const FisherZ small = FisherZ::of(sample(400, 25, 3.0, 7), 0.05);
    require(pc(small).value().graph == pc(PlainFisherZ(small)).value().graph, "pc");
    const Matrix data = sample(4000, 300, 3.0, 1);
    double tests = 0.0;
    for (auto _ : state)
        tests = static_cast<double>(pc(FisherZ::of(data, 0.05)).value().counts.tests);
    report(state, tests, 1);
}
BENCHMARK(BM_Pc)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_Fci(benchmark::State& state) {
    const FisherZ small = FisherZ::of(sample(400, 12, 2.0, 7), 0.05);
    require(fci(small).value().graph == fci(PlainFisherZ(small)).value().graph, "fci");
    const Matrix data = sample(1440, 45, 1.5, 2);
    double tests = 0.0;
    for (auto _ : state)
        tests = static_cast<double>(
            fci(FisherZ::of(data, 0.05), {.dsep_tests_max = 1'000'000}).value().counts.tests);
    report(state, tests, 1);
}
BENCHMARK(BM_Fci)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_Granger(benchmark::State& state) {
    const auto columns = static_cast<std::size_t>(state.range(0));
    const Matrix data = sample(1440, columns, 1.5, 3);
    const GrangerTable one = granger(data).value();
    const GrangerTable two = granger(data, {.num_threads = 2}).value();
    for (std::size_t i = 1; i < columns; ++i)
        require(one.finding(i, i - 1, 3).gain == two.finding(i, i - 1, 3).gain, "granger");
    for (auto _ : state) benchmark::DoNotOptimize(granger(data));
    state.counters["pairs_per_second"] =
        benchmark::Counter(static_cast<double>(columns * (columns - 1)),
                           benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Granger)->Arg(45)->Arg(300)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
