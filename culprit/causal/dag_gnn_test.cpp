#include "culprit/causal/dag_gnn.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "culprit/base/random.h"
#include "culprit/causal/dag_gnn_objective.h"
#include "culprit/causal/golden_case.h"

namespace culprit {
namespace {

using Eigen::MatrixXd;

double through_network(const double* network, std::size_t hidden, double s) {
    double sum = network[3 * hidden];
    for (std::size_t u = 0; u < hidden; ++u)
        sum += network[2 * hidden + u] * std::max(0.0, network[u] * s + network[hidden + u]);
    return sum;
}

// The loss as the papers write it, matrix inverse and all.
double textbook_loss(const MatrixXd& x, const DagGnnLayout& layout,
                     const std::vector<double>& parameters, double lambda, double c) {
    const auto m = static_cast<long>(layout.num_variables);
    const auto n = static_cast<double>(x.rows());
    const MatrixXd a1 =
        (3.0 * Eigen::Map<const MatrixXd>(parameters.data(), m, m)).array().sinh().matrix();
    const double w = parameters[layout.offset()];
    const MatrixXd mix = MatrixXd::Identity(m, m) - a1.transpose();
    const MatrixXd inverse = mix.inverse();
    double loss = 0.0;
    for (long row = 0; row < x.rows(); ++row) {
        Eigen::VectorXd code(m);
        for (long i = 0; i < m; ++i)
            code(i) =
                through_network(parameters.data() + layout.encoder(), layout.num_hidden, x(row, i));
        const Eigen::VectorXd logits = (mix * (code.array() + w).matrix()).array() - w;
        const Eigen::VectorXd decoded = (inverse * (logits.array() + w).matrix()).array() - w;
        loss += logits.squaredNorm() / (2.0 * n);
        for (long i = 0; i < m; ++i) {
            const double y = through_network(parameters.data() + layout.decoder(),
                                             layout.num_hidden, decoded(i));
            loss += (y - x(row, i)) * (y - x(row, i)) / (2.0 * n);
        }
    }
    const MatrixXd base = MatrixXd::Identity(m, m) + a1.cwiseProduct(a1) / static_cast<double>(m);
    MatrixXd power = MatrixXd::Identity(m, m);
    for (long k = 0; k < m; ++k) power = power * base;
    const double h = power.trace() - static_cast<double>(m);
    return loss + lambda * h + 0.5 * c * h * h + 100.0 * a1.diagonal().squaredNorm();
}

struct Problem {
    Matrix data;
    std::vector<double> parameters;
};

Problem problem(std::size_t n, std::size_t m, std::size_t hidden, std::uint64_t seed) {
    Random random(seed);
    Problem result = {Matrix(n, m), {}};
    for (std::size_t c = 0; c < m; ++c)
        for (double& v : result.data.column(c)) v = random.normal();
    result.parameters.resize(DagGnnLayout{m, hidden}.size());
    // Small weights in A: otherwise h, a power, drowns the other terms.
    for (std::size_t k = 0; k < result.parameters.size(); ++k)
        result.parameters[k] = (k < m * m ? 0.5 / static_cast<double>(m) : 0.5) * random.normal();
    return result;
}

// The piecewise-linear evaluation must be the textbook loss, over sizes that do and do not fill the
// vector registers and exponents with every kind of bit pattern.
TEST(DagGnnObjective, EqualsTheTextbookLoss) {
    for (const std::size_t m : {1U, 2U, 3U, 5U, 8U, 11U, 12U, 16U})
        for (const std::size_t n : {1U, 7U, 40U}) {
            const Problem p = problem(n, m, 9, 100 * m + n);
            DagGnnObjective objective(p.data, 9);
            std::vector<double> gradient(p.parameters.size());
            const double loss = objective.evaluate(p.parameters, 0.7, 10.0, gradient);
            const MatrixXd x = Eigen::Map<const MatrixXd>(p.data.data(), static_cast<long>(n),
                                                          static_cast<long>(m));
            const double expected = textbook_loss(x, objective.layout(), p.parameters, 0.7, 10.0);
            EXPECT_NEAR(loss, expected, 1e-9 * std::abs(expected)) << n << " x " << m;
        }
}

TEST(DagGnnObjective, GradientEqualsFiniteDifferences) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        Problem p = problem(30, 6, 12, seed);
        DagGnnObjective objective(p.data, 12);
        std::vector<double> gradient(p.parameters.size());
        objective.evaluate(p.parameters, 0.7, 10.0, gradient);
        const MatrixXd x = Eigen::Map<const MatrixXd>(p.data.data(), 30, 6);
        constexpr double step = 1e-6;
        for (std::size_t k = 0; k < gradient.size(); ++k) {
            auto moved = p.parameters;
            moved[k] += step;
            const double above = textbook_loss(x, objective.layout(), moved, 0.7, 10.0);
            moved[k] -= 2.0 * step;
            const double below = textbook_loss(x, objective.layout(), moved, 0.7, 10.0);
            const double expected = (above - below) / (2.0 * step);
            // A corner within `step` of an input would show; none does for these seeds.
            EXPECT_NEAR(gradient[k], expected, 2e-5 * (1.0 + std::abs(expected)))
                << seed << ' ' << k;
        }
    }
}

// Re-evaluating with other parameters in between must not change the answer: orders and corners are
// kept between evaluations.
TEST(DagGnnObjective, DependsOnItsArgumentsAlone) {
    const Problem p = problem(20, 4, 16, 5);
    const Problem other = problem(20, 4, 16, 6);
    DagGnnObjective objective(p.data, 16);
    std::vector<double> first(p.parameters.size());
    std::vector<double> again(p.parameters.size());
    const double loss = objective.evaluate(p.parameters, 0.0, 1.0, first);
    objective.evaluate(other.parameters, 0.0, 1.0, again);
    EXPECT_EQ(objective.evaluate(p.parameters, 0.0, 1.0, again), loss);
    EXPECT_EQ(first, again);
}

TEST(DagGnn, LearnsAnAcyclicGraph) {
    const auto data = golden_csv("small_cpu/input.csv");
    Matrix scaled = data.values;
    for (std::size_t c = 0; c < scaled.num_columns(); ++c) {
        double largest = 0.0;
        for (const double v : scaled.column(c)) largest = std::max(largest, std::abs(v));
        for (double& v : scaled.column(c)) v /= largest;
    }
    const auto finding = dag_gnn(scaled, {.seed = 1}, Stop()).value();
    EXPECT_LE(finding.acyclicity, 1e-8);
    const auto again = dag_gnn(scaled, {.seed = 1}, Stop()).value();
    for (std::size_t i = 0; i < scaled.num_columns(); ++i)
        for (std::size_t j = 0; j < scaled.num_columns(); ++j)
            EXPECT_EQ(finding.weights(i, j), again.weights(i, j));
}

}  // namespace
}  // namespace culprit
