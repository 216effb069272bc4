#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "culprit/graph/mixed_graph.h"
#include "culprit/graph/numpy_generator.h"
#include "culprit/graph/page_rank.h"
#include "culprit/graph/random_walk.h"

namespace culprit {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;

TEST(MixedGraph, KeepsMarksAtTheirEnds) {
    MixedGraph graph(70);
    graph.set_edge(1, Mark::circle, 69, Mark::arrow);
    EXPECT_EQ(graph.mark_at(1, 69), Mark::circle);
    EXPECT_EQ(graph.mark_at(69, 1), Mark::arrow);
    graph.set_mark(1, 69, Mark::tail);
    EXPECT_TRUE(graph.is_directed(1, 69));
    EXPECT_FALSE(graph.is_directed(69, 1));
    EXPECT_THAT(graph.neighbours(69), ElementsAre(1U));
    EXPECT_EQ(to_string(graph), "1 --> 69");
    graph.remove_edge(69, 1);
    EXPECT_EQ(graph.num_edges(), 0U);
    EXPECT_EQ(graph, MixedGraph(70));
    EXPECT_EQ(MixedGraph::complete(5, Mark::circle).num_edges(), 10U);
}

TEST(NumpyGenerator, IsDefaultRngOfZero) {
    NumpyGenerator generator;
    for (const double expected : {0.6369616873214543, 0.2697867137638703, 0.04097352393619469,
                                  0.016527635528529094, 0.8132702392002724, 0.9127555772777217})
        EXPECT_EQ(generator.uniform(), expected);
}

TEST(UniformWalk, DrawsWhatNumpyDraws) {
    EXPECT_THAT(uniform_draws_from_seed_zero(5, 10), ElementsAre(3, 1, 0, 0, 4, 4, 3, 3, 2, 4));
    EXPECT_THAT(uniform_walk_from_seed_zero(5, 10), ElementsAre(0.2, 0.1, 0.1, 0.3, 0.3));
}

TEST(UniformWalk, RanksTwentyNineNodesAsPublishedVector) {
    const auto visits = uniform_walk_from_seed_zero(29, 71);
    std::vector<std::size_t> order(29);
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return visits[a] > visits[b]; });
    EXPECT_THAT(order, ElementsAre(18, 0, 11, 19, 25, 1, 3, 5, 6, 8, 9, 15, 17, 23, 27, 2, 10, 16,
                                   21, 24, 28, 4, 7, 12, 13, 14, 20, 22, 26));
}

// Two nodes pointing at each other and a third that only points in: by hand.
TEST(PageRank, SolvesAThreeNodeGraph) {
    Matrix steps(3, 3);
    steps(0, 1) = 2.0;
    steps(1, 0) = 0.5;
    steps(2, 0) = 1.0;
    const PageRankResult result = page_rank(steps).value();
    const double c = 0.15 / 3;
    const double a = (c + 0.85 * c + 0.85 * c) / (1 - 0.85 * 0.85);
    EXPECT_TRUE(result.converged);
    EXPECT_THAT(result.scores, ElementsAre(DoubleNear(a, 1e-9), DoubleNear(c + 0.85 * a, 1e-9),
                                           DoubleNear(c, 1e-9)));
}

TEST(PageRank, GivesTheMassOfDeadEndsToAll) {
    Matrix steps(2, 2);
    steps(0, 1) = 1.0;
    // x1 = .85 x0 + u, x0 = u, u = (.85 x1 + .15) / 2
    const double x0 = 1.0 / 2.85;
    EXPECT_THAT(page_rank(steps).value().scores,
                ElementsAre(DoubleNear(x0, 1e-9), DoubleNear(1 - x0, 1e-9)));
    EXPECT_THAT(page_rank(Matrix(2, 2)).value().scores, ElementsAre(0.5, 0.5));
    EXPECT_TRUE(page_rank(Matrix()).value().scores.empty());
    steps(1, 0) = -1.0;
    EXPECT_FALSE(page_rank(steps));
}

TEST(PageRank, RestartsWhereAsked) {
    Matrix steps(2, 2);
    steps(0, 1) = 1.0;
    const std::vector<double> restart = {0.0, 3.0};
    EXPECT_THAT(page_rank(steps, restart).value().scores, ElementsAre(0.0, DoubleEq(1.0)));
    const std::vector<double> nowhere = {0.0, 0.0};
    EXPECT_FALSE(page_rank(steps, nowhere));
}

TEST(PageRankScikitNetwork, GivesDeadEndsTheirOwnRestart) {
    Matrix steps(2, 2);
    steps(0, 1) = 1.0;
    // b = (.075, .5); one step from b: y0 = .075 s, y1 = .85 * .075 + .5 s, s = .575.
    const double y0 = 0.075 * 0.575;
    const double y1 = 0.85 * 0.075 + 0.5 * 0.575;
    const auto once =
        page_rank_scikit_network(steps, {.damping = 0.85, .iterations_max = 1, .tolerance = 1e-6});
    EXPECT_THAT(once.value().scores,
                ElementsAre(DoubleNear(y0 / (y0 + y1), 1e-15), DoubleNear(y1 / (y0 + y1), 1e-15)));
    EXPECT_FALSE(page_rank_scikit_network(Matrix(3, 3)));
}

TEST(CauseWalk, StepsToCausesAndBackWithRho) {
    Matrix causes(3, 3);
    causes(0, 1) = 1.0;  // 1 causes 0
    const std::vector<double> scores = {0.5, 0.9, 0.3};
    const Matrix weights = cause_walk_weights(causes, scores, 0.2);
    EXPECT_EQ(weights(0, 1), 0.9);
    EXPECT_EQ(weights(1, 0), 0.2 * 0.5);
    EXPECT_EQ(weights(0, 0), 0.0);
    EXPECT_EQ(weights(1, 1), 0.9 - 0.2 * 0.5);
    EXPECT_EQ(weights(2, 2), 0.3);
    EXPECT_EQ(weights(0, 2), 0.0);
}

TEST(ExpectedVisits, AreExact) {
    Matrix weights(3, 3);
    weights(0, 1) = 3.0;
    weights(1, 0) = 1.0;
    weights(1, 2) = 1.0;  // node 2 ends the walk
    // Step 1: at 1. Step 2: half at 0, half at 2. Step 3: half at 1.
    EXPECT_THAT(expected_visits(weights, 0, 3).value(),
                ElementsAre(DoubleEq(0.5 / 3), DoubleEq(1.5 / 3), DoubleEq(0.5 / 3)));
    weights(2, 2) = -1.0;
    EXPECT_FALSE(expected_visits(weights, 0, 3));
}

}  // namespace
}  // namespace culprit
