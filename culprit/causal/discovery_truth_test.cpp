// Kernels against models whose graph is known.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "culprit/base/random.h"
#include "culprit/causal/direct_lingam.h"
#include "culprit/causal/fast_ica.h"
#include "culprit/causal/ges.h"
#include "culprit/causal/ica_lingam.h"
#include "culprit/causal/pc.h"
#include "culprit/causal/pc_single.h"
#include "culprit/causal/pcmci.h"
#include "culprit/causal/polar_factor.h"
#include "culprit/causal/separation_oracle.h"
#include "culprit/graph/enumeration.h"
#include "culprit/stats/correlation_matrix.h"

namespace culprit {
namespace {

struct Model {
    Matrix effects;  // effects(i, j): j -> i
    Matrix data;
};

// A random linear acyclic model with uniform noise over variables in shuffled order.
Model non_gaussian_model(std::size_t p, std::size_t n, std::uint64_t seed) {
    Random random(seed);
    std::vector<std::size_t> order(p);
    for (std::size_t i = 0; i < p; ++i) order[i] = i;
    random.shuffle(order);
    Model model = {Matrix(p, p), Matrix(n, p)};
    for (std::size_t a = 0; a < p; ++a)
        for (std::size_t b = 0; b < a; ++b)
            if (random.uniform() < 0.5)
                model.effects(order[a], order[b]) =
                    (random.uniform() < 0.5 ? -1.0 : 1.0) * (0.6 + 0.6 * random.uniform());
    for (std::size_t row = 0; row < n; ++row)
        for (const std::size_t i : order) {
            double value = 2.0 * random.uniform() - 1.0;
            for (std::size_t j = 0; j < p; ++j) value += model.effects(i, j) * model.data(row, j);
            model.data(row, i) = value;
        }
    return model;
}

void expect_recovered(const LinearDag& found, const Model& model, const std::string& what) {
    for (std::size_t i = 0; i < model.effects.num_rows(); ++i)
        for (std::size_t j = 0; j < model.effects.num_rows(); ++j)
            EXPECT_NEAR(found.effects(i, j), model.effects(i, j), 0.1) << what << i << ' ' << j;
}

TEST(Lingam, BothFormsRecoverNonGaussianModels) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const Model model = non_gaussian_model(6, 4000, seed);
        const auto by_ica = ica_lingam(model.data, {.seed = seed}, Stop()).value();
        EXPECT_TRUE(by_ica.has_converged);
        expect_recovered(by_ica.model, model, "ica ");
        expect_recovered(direct_lingam(model.data, Stop()).value(), model, "direct ");
    }
}

// Eight Gaussian sources beside two that are not: full steps swing among the Gaussian ones.
TEST(FastIca, ShorterStepsConvergeWhereFullOnesSwing) {
    Random random(3);
    Matrix data(3000, 10);
    for (std::size_t v = 0; v < 10; ++v)
        for (double& value : data.column(v)) value = v < 2 ? random.exponential() : random.normal();
    const auto full = fast_ica(data, {.iterations_max = 300}, Stop()).value();
    const auto shorter =
        fast_ica(data, {.iterations_max = 300, .shortens_steps = true}, Stop()).value();
    EXPECT_FALSE(full.has_converged);
    EXPECT_TRUE(shorter.has_converged);
    // The two that have a direction are found by both: a row with one weight of note.
    for (std::size_t source = 0; source < 2; ++source) {
        double best = 0.0;
        for (std::size_t row = 0; row < 10; ++row) {
            double squares = 0.0;
            for (std::size_t v = 0; v < 10; ++v)
                squares += shorter.unmixing(row, v) * shorter.unmixing(row, v);
            best = std::max(best, std::pow(shorter.unmixing(row, source), 2.0) / squares);
        }
        EXPECT_GT(best, 0.97) << source;
    }
}

TEST(PolarFactor, IsOrthogonalAndLeavesAPositiveFactor) {
    for (const std::size_t p : {1U, 5U, 23U, 100U}) {
        const std::size_t size = size_padded(p);
        Random random(p);
        Matrix a(p, p);
        std::vector<double> square(size * size, 0.0);
        for (std::size_t i = 0; i < p; ++i)
            for (std::size_t j = 0; j < p; ++j)
                a(i, j) = square[i + j * size] =
                    random.normal() *
                    std::pow(10.0, -4.0 * static_cast<double>(i) / static_cast<double>(p));
        replace_by_polar_factor(square, p);
        const auto q = [&](std::size_t i, std::size_t j) { return square[i + j * size]; };
        for (std::size_t i = 0; i < p; ++i)
            for (std::size_t j = 0; j < p; ++j) {
                double product = 0.0;  // Q Q' = I
                double left = 0.0;     // A Q' is symmetric
                double right = 0.0;
                for (std::size_t k = 0; k < p; ++k) {
                    product += q(i, k) * q(j, k);
                    left += a(i, k) * q(j, k);
                    right += a(j, k) * q(i, k);
                }
                EXPECT_NEAR(product, i == j ? 1.0 : 0.0, 1e-13) << p;
                EXPECT_NEAR(left, right, 1e-12) << p;
                if (i == j) {
                    EXPECT_GT(left, 0.0) << p;
                }
            }
    }
    std::vector<double> singular(16, 1.0);  // of rank one: no division by zero
    replace_by_polar_factor(singular, 4);
    for (const double value : singular) EXPECT_TRUE(std::isfinite(value));
}

TEST(Lingam, RefusesDependentColumnsAndFewRows) {
    Model model = non_gaussian_model(4, 100, 1);
    for (std::size_t row = 0; row < 100; ++row)
        model.data(row, 3) = model.data(row, 0) + model.data(row, 1);
    EXPECT_EQ(ica_lingam(model.data, {}, Stop()).error().code, ErrorCode::numerical);
    EXPECT_EQ(direct_lingam(model.data, Stop()).error().code, ErrorCode::numerical);
    const Model short_model = non_gaussian_model(6, 5, 1);
    EXPECT_EQ(ica_lingam(short_model.data, {}, Stop()).error().code, ErrorCode::too_few_samples);
    EXPECT_EQ(direct_lingam(short_model.data, Stop()).error().code, ErrorCode::too_few_samples);
}

// x0(t) <- x0(t-1);  x1(t) <- x0(t-2);  x2(t) <- x1(t-1);  x3 alone.
TEST(Pcmci, RecoversALaggedGraphAndKeepsItsLevel) {
    constexpr std::size_t n = 1500;
    int num_false = 0;
    int num_absent = 0;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        Random random(seed);
        Matrix data(n, 4);
        for (std::size_t t = 0; t < n; ++t)
            for (std::size_t v = 0; v < 4; ++v) {
                double value = random.normal();
                if (v == 0 && t >= 1) value += 0.6 * data(t - 1, 0);
                if (v == 1 && t >= 2) value += 0.7 * data(t - 2, 0);
                if (v == 2 && t >= 1) value += 0.7 * data(t - 1, 1);
                data(t, v) = value;
            }
        const auto found = pcmci(data, {.lag_max = 3}, Stop()).value();
        EXPECT_EQ(found.link(0, 0, 1), LagLink::causes);
        EXPECT_EQ(found.link(0, 1, 2), LagLink::causes);
        EXPECT_EQ(found.link(1, 2, 1), LagLink::causes);
        for (std::size_t i = 0; i < 4; ++i)
            for (std::size_t j = 0; j < 4; ++j)
                for (std::size_t lag = 1; lag <= 3; ++lag) {
                    const bool is_true = (i == 0 && j == 0 && lag == 1) ||
                                         (i == 0 && j == 1 && lag == 2) ||
                                         (i == 1 && j == 2 && lag == 1);
                    if (is_true) continue;
                    ++num_absent;
                    num_false += found.link(i, j, lag) == LagLink::causes ? 1 : 0;
                }
    }
    // 180 tests at alpha 0.05: 9 expected, standard deviation 2.9.
    EXPECT_EQ(num_absent, 180);
    EXPECT_LE(num_false, 18);
    EXPECT_GE(num_false, 1) << "a test that never errs at 5 % is no test at 5 %";
}

// A chain 0 -> 1 -> 2 -> 3 and 4 alone: the neighbours of 1 are 0 and 2.
TEST(PcSingle, FindsTheNeighboursOfAVariable) {
    Random random(3);
    Matrix data(2000, 5);
    for (std::size_t row = 0; row < data.num_rows(); ++row)
        for (std::size_t v = 0; v < 5; ++v)
            data(row, v) = random.normal() + (v > 0 && v < 4 ? 0.8 * data(row, v - 1) : 0.0);
    const auto found =
        pc_single(stats::correlation_matrix(data), data.num_rows(), 1, {0, 2, 3, 4}, {}, Stop())
            .value();
    std::vector<std::size_t> neighbours;
    neighbours.reserve(found.links.size());
    for (const auto& link : found.links) neighbours.push_back(link.variable);
    EXPECT_THAT(neighbours, testing::ElementsAre(0, 2));
}

// Covariance of a linear model over a DAG, without samples: (I - B)^-1 (I - B)^-T, unit noise.
Matrix implied_correlation(const MixedGraph& dag, Random& random) {
    const std::size_t p = dag.num_nodes();
    const auto order = topological_order(dag);
    Matrix total(p, p);  // total(i, k): effect of noise k on variable i
    for (const std::size_t i : order) {
        total(i, i) = 1.0;
        for (std::size_t j = 0; j < p; ++j) {
            if (!dag.is_directed(j, i)) continue;
            const double weight =
                (random.uniform() < 0.5 ? -1.0 : 1.0) * (0.5 + 0.5 * random.uniform());
            for (std::size_t k = 0; k < p; ++k) total(i, k) += weight * total(j, k);
        }
    }
    Matrix correlation(p, p);
    for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j)
            for (std::size_t k = 0; k < p; ++k) correlation(i, j) += total(i, k) * total(j, k);
    std::vector<double> scale(p);
    for (std::size_t i = 0; i < p; ++i) scale[i] = std::sqrt(correlation(i, i));
    for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j) correlation(i, j) /= scale[i] * scale[j];
    return correlation;
}

// BIC is consistent as samples grow: of 543 random models some come within 1e-4 of a cancellation,
// which 1e9 samples would not tell from one, and rounding costs 1e-3 of a score at 1e13.
constexpr std::size_t samples_without_doubt = 10'000'000'000'000;

TEST(Ges, ReturnsTheCpdagOfEveryDagOnFourNodes) {
    Random random(1);
    int num_dags = 0;
    for_each_dag(4, [&](const MixedGraph& dag) {
        const Matrix correlation = implied_correlation(dag, random);
        const auto found = ges(4, gaussian_bic(correlation, samples_without_doubt)).value();
        const MixedGraph expected = pc(SeparationOracle(dag)).value().graph;
        EXPECT_EQ(found.graph, expected) << to_string(dag) << " found " << to_string(found.graph);
        EXPECT_EQ(cpdag_of(dag), expected);
        ++num_dags;
    });
    EXPECT_EQ(num_dags, 543);
}

TEST(Ges, RecoversLargerGraphsFromTheirCovariance) {
    Random random(2);
    for (int trial = 0; trial < 5; ++trial) {
        const MixedGraph dag = random_dag(12, 0.25, random);
        const Matrix correlation = implied_correlation(dag, random);
        EXPECT_EQ(ges(12, gaussian_bic(correlation, samples_without_doubt)).value().graph,
                  cpdag_of(dag))
            << to_string(dag);
    }
}

TEST(Ges, CopiesAndAStopAreDefined) {
    Matrix same(3, 3, 1.0);
    EXPECT_TRUE(ges(3, gaussian_bic(same, 100)).has_value());
    std::stop_source source;
    source.request_stop();
    EXPECT_EQ(ges(3, gaussian_bic(same, 100), {.stop = Stop(source.get_token())}).error().code,
              ErrorCode::cancelled);
}

}  // namespace
}  // namespace culprit
