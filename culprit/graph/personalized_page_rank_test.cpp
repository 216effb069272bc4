#include "culprit/graph/personalized_page_rank.h"

#include <gtest/gtest.h>

#include <numeric>

namespace culprit::graph {
namespace {

TEST(PersonalizedPageRank, SolvesTwoNodesByHand) {
    // 0 -> 1, restart at 0 only: x0 = 0.15 + 0.85 x1 (1 is dangling and restarts), x1 = 0.85 x0.
    WeightedDigraph graph;
    graph.set_edge(0, 1, 3.0);
    const auto x = personalized_page_rank(graph, {1.0, 0.0}, {.tolerance = 1e-14}).value();
    EXPECT_NEAR(x[0], 1.0 / 1.85, 1e-12);
    EXPECT_NEAR(x[1], 0.85 / 1.85, 1e-12);
}

TEST(PersonalizedPageRank, FollowsWeightsAndSumsToOne) {
    WeightedDigraph graph;
    graph.set_edge(0, 1, 1.0);
    graph.set_edge(0, 2, 3.0);
    graph.set_edge(1, 0, 1.0);
    graph.set_edge(2, 0, 1.0);
    const auto x = personalized_page_rank(graph, {}, {.tolerance = 1e-14}).value();
    EXPECT_NEAR(std::accumulate(x.begin(), x.end(), 0.0), 1.0, 1e-12);
    EXPECT_NEAR((x[2] - 0.05) / (x[1] - 0.05), 3.0, 1e-9);
}

TEST(PersonalizedPageRank, RefusesWhatItCannotSolve) {
    WeightedDigraph graph;
    EXPECT_TRUE(personalized_page_rank(graph, {}).value().empty());
    graph.set_edge(0, 1, 1.0);
    EXPECT_EQ(personalized_page_rank(graph, {0.0, 0.0}).error().code, ErrorCode::invalid_input);
    EXPECT_EQ(
        personalized_page_rank(graph, {}, {.tolerance = 0.0, .iterations_max = 3}).error().code,
        ErrorCode::not_converged);
    graph.set_edge(1, 0, std::numeric_limits<double>::infinity());
    EXPECT_EQ(personalized_page_rank(graph, {}).error().code, ErrorCode::numerical);
}

TEST(WeightedDigraph, OverwritesInPlaceAndReverses) {
    WeightedDigraph graph;
    graph.set_edge(5, 3, 1.0);
    graph.set_edge(5, 4, 2.0);
    graph.set_edge(5, 3, 7.0);
    ASSERT_EQ(graph.out_edges(5).size(), 2U);
    EXPECT_EQ(graph.out_edges(5)[0].weight, 7.0);
    const WeightedDigraph back = graph.reversed();
    EXPECT_EQ(back.nodes()[0], 5U);
    EXPECT_EQ(back.out_edges(3)[0].to, 5U);
    EXPECT_EQ(back.in_edges(5).size(), 2U);
    EXPECT_TRUE(back.out_edges(99).empty());
}

}  // namespace
}  // namespace culprit::graph
