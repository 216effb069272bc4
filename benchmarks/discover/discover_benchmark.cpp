// Speed of the causal kernels on tables of the study's size (73 x 23) and of 1440 x 38.
//
// Each answer is checked before it is timed. Next to a kernel: what the study's Python took for the
// same step and shape on 2 cores of the same kind (seconds), as recorded with the golden answers.
//   DAG-GNN   73 x 23: torch 9 ms per epoch; 1440 x 28: 142 ms per epoch
//   PCMCI     73 x 23: tigramite 7.8 s
//   RCD       73 x 23: 0.113 s; 1440 x 38: 0.257 s
//   LiNGAM    73 x 23: 0.070 s; 1440 x 38: 2.5 s

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "benchmarks/peak.h"
#include "culprit/base/random.h"
#include "culprit/causal/dag_gnn_objective.h"
#include "culprit/causal/ges.h"
#include "culprit/causal/ica_lingam.h"
#include "culprit/causal/pcmci.h"
#include "culprit/causal/psi_pc.h"
#include "culprit/stats/correlation_matrix.h"
#include "culprit/stats/kmeans_bins.h"

namespace culprit {
namespace {

// A linear chain with exponential noise, each variable with some memory of itself.
Matrix chain_table(std::size_t n, std::size_t p) {
    Random random(7);
    Matrix data(n, p);
    for (std::size_t row = 0; row < n; ++row)
        for (std::size_t v = 0; v < p; ++v) {
            double value = random.exponential();
            if (v > 0) value += 0.5 * data(row, v - 1);
            if (row > 0) value += 0.3 * data(row - 1, v);
            data(row, v) = value;
        }
    return data;
}

void check(benchmark::State& state, bool is_right, const char* what) {
    if (!is_right) state.SkipWithError(what);
}

Matrix table_of(const benchmark::State& state) {
    return chain_table(static_cast<std::size_t>(state.range(0)),
                       static_cast<std::size_t>(state.range(1)));
}

// Operations that the algorithm counts per processor time, over benchmarks/peak.h.
void report_share(benchmark::State& state, double operations) {
    state.counters["share_of_peak"] = benchmark::Counter(
        operations / peak_operations_per_second(), benchmark::Counter::kIsIterationInvariantRate);
}

void BM_DagGnnEpoch(benchmark::State& state) {
    const Matrix data = table_of(state);
    DagGnnObjective objective(data, 64);
    Random random(1);
    std::vector<double> parameters(objective.layout().size());
    std::vector<double> gradient(parameters.size());
    for (double& v : parameters) v = 0.05 * random.normal();
    const double loss = objective.evaluate(parameters, 0.5, 10.0, gradient);
    // A step against the gradient must lower the loss by its squared length, to first order.
    double squares = 0.0;
    for (const double g : gradient) squares += g * g;
    std::vector<double> moved = parameters;
    const double step = 1e-6 * loss / squares;
    for (std::size_t k = 0; k < moved.size(); ++k) moved[k] -= step * gradient[k];
    std::vector<double> ignored(parameters.size());
    const double fall = loss - objective.evaluate(moved, 0.5, 10.0, ignored);
    check(state, std::abs(fall - step * squares) < 1e-2 * step * squares, "gradient is wrong");
    for (auto _ : state)
        benchmark::DoNotOptimize(objective.evaluate(parameters, 0.5, 10.0, gradient));
    // The algebra that is left: Z Z', M M'Z and some nine products of the graph's size.
    const auto n = static_cast<double>(state.range(0));
    const auto m = static_cast<double>(state.range(1));
    report_share(state, 2.0 * (2.0 * n * m * m + 9.0 * m * m * m));
}
BENCHMARK(BM_DagGnnEpoch)->Args({73, 23})->Args({1440, 28})->Unit(benchmark::kMicrosecond);

void BM_Pcmci(benchmark::State& state) {
    const Matrix data = table_of(state);
    const auto found = pcmci(data, {}, Stop());
    check(state, found && found->link(5, 5, 1) == LagLink::causes,
          "memory of a variable not found");
    for (auto _ : state) benchmark::DoNotOptimize(pcmci(data, {}, Stop()));
    // The correlations of all columns at 21 lags; the tests, some hundred operations each, are
    // less.
    const double lagged = 21.0 * static_cast<double>(state.range(1));
    report_share(state, static_cast<double>(state.range(0)) * lagged * lagged);
    state.counters["tests"] = found ? static_cast<double>(found->num_tests) : 0.0;
}
BENCHMARK(BM_Pcmci)->Args({73, 23})->Args({1440, 38})->Unit(benchmark::kMillisecond);

void BM_IcaLingam(benchmark::State& state) {
    const Matrix data = table_of(state);
    const auto found = ica_lingam(data, {}, Stop());
    check(state, found.has_value(), "refused");
    for (auto _ : state) benchmark::DoNotOptimize(ica_lingam(data, {}, Stop()));
    state.counters["iterations"] = found ? found->num_iterations : 0;
    // Per iteration two products with the samples, 30 for each tanh, some 8 steps of two products
    // of p x p for the polar factor.
    const auto n = static_cast<double>(state.range(0));
    const auto p = static_cast<double>(state.range(1));
    if (found)
        report_share(state, found->num_iterations *
                                (4.0 * p * p * n + 30.0 * p * n + 8.0 * 4.0 * p * p * p));
}
BENCHMARK(BM_IcaLingam)->Args({73, 23})->Args({1440, 38})->Unit(benchmark::kMillisecond);

void BM_Rcd(benchmark::State& state) {
    const Matrix data = table_of(state);
    const std::size_t p = data.num_columns();
    const auto search = [&] {
        stats::CodeTable table;
        for (std::size_t v = 0; v < p; ++v) {
            // Variable 3 jumps for the last fifth of the rows.
            std::vector<double> values(data.column(v).begin(), data.column(v).end());
            if (v == 3)
                for (std::size_t i = values.size() * 4 / 5; i < values.size(); ++i)
                    values[i] += 8.0;
            const auto edges = stats::kmeans_bin_edges(values, 5);
            table.codes.push_back(stats::bins_of(values, edges));
            table.cardinality.push_back(edges.size() - 1);
        }
        std::vector<std::uint8_t> regime(data.num_rows(), 0);
        for (std::size_t i = regime.size() * 4 / 5; i < regime.size(); ++i) regime[i] = 1;
        table.codes.push_back(regime);
        table.cardinality.push_back(2);
        Random random(1);
        return hierarchical_psi_pc(
                   table, p, {}, [&](std::vector<std::size_t>& v) { random.shuffle(v); }, Stop())
            .value()
            .ranked;
    };
    const auto found = search();
    check(state, !found.empty() && found.front() == 3, "the changed variable is not first");
    for (auto _ : state) benchmark::DoNotOptimize(search());
}
BENCHMARK(BM_Rcd)->Args({73, 23})->Args({1440, 38})->Unit(benchmark::kMillisecond);

void BM_Ges(benchmark::State& state) {
    const Matrix data = table_of(state);
    const Matrix correlation = stats::correlation_matrix(data);
    const auto score = gaussian_bic(correlation, data.num_rows());
    const auto found = ges(data.num_columns(), score);
    check(state, found && found->graph.adjacent(4, 5), "an edge of the chain is missing");
    for (auto _ : state) benchmark::DoNotOptimize(ges(data.num_columns(), score));
    // A score of k parents is a Cholesky factor: k^3 / 3, with the chain's k of 2 to 6 some 50.
    if (found) report_share(state, 50.0 * static_cast<double>(found->num_scores));
    state.counters["scores"] = found ? static_cast<double>(found->num_scores) : 0.0;
}
BENCHMARK(BM_Ges)->Args({73, 23})->Args({1440, 38})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
