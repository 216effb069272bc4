#include "culprit/causal/pc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "culprit/base/random.h"
#include "culprit/causal/chi_square.h"
#include "culprit/causal/fisher_z.h"
#include "culprit/causal/separation_oracle.h"
#include "culprit/graph/enumeration.h"

namespace culprit {
namespace {

// The CPDAG by definition: DAGs with the same separations form a class; an arrow that all members
// share is directed, every other edge is not.
std::map<std::vector<bool>, std::vector<MixedGraph>> classes_of_dags(std::size_t n) {
    std::map<std::vector<bool>, std::vector<MixedGraph>> classes;
    for_each_dag(n, [&](const MixedGraph& dag) { classes[separations_of(dag)].push_back(dag); });
    return classes;
}

MixedGraph cpdag_of(std::span<const MixedGraph> members) {
    MixedGraph graph = common_marks(members);
    for (std::size_t a = 0; a < graph.num_nodes(); ++a)
        for (const std::size_t b : graph.neighbours(a))
            if (graph.mark_at(a, b) == Mark::circle) graph.set_edge(a, Mark::tail, b, Mark::tail);
    return graph;
}

void expect_truth_for_all_dags(std::size_t n, std::size_t num_dags) {
    std::size_t seen = 0;
    for (const auto& [separations, members] : classes_of_dags(n)) {
        const MixedGraph truth = cpdag_of(members);
        for (const MixedGraph& dag : members) {
            ++seen;
            const SeparationOracle oracle(dag);
            ASSERT_EQ(pc(oracle).value().graph, truth) << to_string(dag);
            ASSERT_EQ(pc(oracle, {.collider_rule = ColliderRule::majority}).value().graph, truth)
                << to_string(dag);
            ASSERT_EQ(pc_causal_learn(oracle).value().graph, truth) << to_string(dag);
        }
    }
    EXPECT_EQ(seen, num_dags);
}

TEST(Pc, FindsTheClassOfEveryDagOnFourNodes) {
    expect_truth_for_all_dags(3, 25);
    expect_truth_for_all_dags(4, 543);
}

TEST(PcLong, FindsTheClassOfEveryDagOnFiveNodes) { expect_truth_for_all_dags(5, 29281); }

TEST(Meek, RuleFourNeedsAKnownEdge) {
    // a - b, b -> c -> d, a - c, a - d; b and d not adjacent.
    MixedGraph graph(4);
    for (const std::size_t v : {1U, 2U, 3U}) graph.set_edge(0, Mark::tail, v, Mark::tail);
    graph.set_directed(1, 2);
    graph.set_directed(2, 3);
    apply_meek_rules(graph);
    EXPECT_TRUE(graph.is_directed(0, 3));
    EXPECT_TRUE(graph.is_undirected(0, 1));
}

Matrix noise(std::size_t num_rows, std::size_t num_columns, std::uint64_t seed) {
    Random random(seed);
    Matrix data(num_rows, num_columns);
    for (std::size_t c = 0; c < num_columns; ++c)
        for (double& v : data.column(c)) v = random.normal();
    return data;
}

// Linear Gaussian data of a DAG, weights +-[0.5, 1.5].
Matrix sample(const MixedGraph& dag, std::size_t num_rows, std::uint64_t seed) {
    Random random(seed);
    Matrix data = noise(num_rows, dag.num_nodes(), seed + 1);
    for (const std::size_t v : topological_order(dag))
        for (const std::size_t parent : dag.neighbours(v)) {
            if (!dag.is_directed(parent, v)) continue;
            const double weight = (0.5 + random.uniform()) * (random.uniform() < 0.5 ? -1.0 : 1.0);
            for (std::size_t r = 0; r < num_rows; ++r) data(r, v) += weight * data(r, parent);
        }
    return data;
}

TEST(FisherZ, EqualsItsDefinitionOnThreeVariables) {
    Matrix r(3, 3, 1.0);
    const double xy = 0.3, xz = 0.5, yz = -0.4;
    r(0, 1) = r(1, 0) = xy;
    r(0, 2) = r(2, 0) = xz;
    r(1, 2) = r(2, 1) = yz;
    const FisherZ test(r, 103, 0.05);
    const std::size_t given[] = {2};
    const double partial = (xy - xz * yz) / std::sqrt((1 - xz * xz) * (1 - yz * yz));
    EXPECT_NEAR(test.partial_correlation(0, 1, given), partial, 1e-15);
    EXPECT_NEAR(test.p_value(0, 1, given),
                std::erfc(std::sqrt(99.0) * std::abs(std::atanh(partial)) / std::sqrt(2.0)), 1e-15);
}

// The shared elimination must decide what single tests decide, for both rules, at every size.
TEST(FisherZ, SweepDecidesAsSingleTestsDo) {
    Random random(11);
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        const FisherZ test =
            FisherZ::of(sample(random_dag(9, 0.4, random), 60 + 40 * seed, seed), 0.05);
        const std::vector<std::size_t> others = {0, 1, 2, 4, 5, 6, 7, 8};
        for (std::size_t size = 0; size < 8; ++size)
            for (const SepsetRule rule : {SepsetRule::first, SepsetRule::union_of_all}) {
                TestCounts fast_counts, plain_counts;
                const auto fast = test.separate(3, others, size, rule, {}, fast_counts);
                const auto plain =
                    test.IndependenceTest::separate(3, others, size, rule, {}, plain_counts);
                ASSERT_EQ(fast.value(), plain.value()) << "seed " << seed << " size " << size;
                if (rule == SepsetRule::union_of_all) {
                    EXPECT_EQ(fast_counts.tests, plain_counts.tests);
                    EXPECT_EQ(fast_counts.fragile, plain_counts.fragile);
                }
            }
    }
}

TEST(FisherZ, RejectsTrueHypothesesAtItsLevel) {
    std::size_t rejected = 0;
    std::size_t tests = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const FisherZ test = FisherZ::of(noise(80, 20, seed), 0.05);
        for (std::size_t x = 0; x + 4 < 20; x += 4) {
            const std::size_t given[] = {x + 2, x + 3};
            rejected += test.p_value(x, x + 1, given) <= 0.05 ? 1 : 0;
            rejected += test.p_value(x, x + 1, {}) <= 0.05 ? 1 : 0;
            tests += 2;
        }
    }
    const double share = static_cast<double>(rejected) / static_cast<double>(tests);
    EXPECT_NEAR(share, 0.05, 4 * std::sqrt(0.05 * 0.95 / static_cast<double>(tests)));
}

TEST(FisherZ, IsDefinedForCollinearAndFewRows) {
    Matrix data = noise(50, 4, 5);
    for (std::size_t r = 0; r < 50; ++r) {
        data(r, 2) = data(r, 0) + data(r, 1);
        data(r, 3) = 7.0;
    }
    const FisherZ test = FisherZ::of(data, 0.05);
    const std::size_t both[] = {0, 1};
    TestCounts counts;
    EXPECT_FALSE(test.independent(2, 3, both, counts)) << "2 is determined by 0 and 1";
    EXPECT_EQ(counts.degenerate, 1U);
    EXPECT_TRUE(test.independent(0, 3, {}, counts)) << "a constant correlates with nothing";
    EXPECT_EQ(pc(test).value().graph, pc(test, {.num_threads = 2}).value().graph);
    for (const std::size_t rows : {0U, 1U, 2U, 3U, 4U}) {
        const FisherZ few = FisherZ::of(noise(rows, 6, 1), 0.05);
        EXPECT_EQ(few.p_value(0, 1, {}), rows <= 3 ? 1.0 : few.p_value(1, 0, {}));
        EXPECT_TRUE(pc(few));
        EXPECT_TRUE(pc_causal_learn(few));
    }
}

TEST(Pc, DoesNotDependOnThreadsAndStopsWhenAsked) {
    Random random(2);
    const FisherZ test = FisherZ::of(sample(random_dag(40, 0.1, random), 500, 3), 0.05);
    const PcResult one = pc_causal_learn(test).value();
    const PcResult four = pc_causal_learn(test, {.num_threads = 4}).value();
    EXPECT_EQ(one.graph, four.graph);
    EXPECT_EQ(one.counts.tests, four.counts.tests);
    EXPECT_GT(one.counts.fragile_share(), 0.0);
    const auto late = pc(test, {.stop = Stop::after(std::chrono::nanoseconds(0))});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
    const PcResult shallow = pc(test, {.size_max = 0}).value();
    EXPECT_TRUE(shallow.truncated);
}

// 0 -> 2 <- 1, 2 -> 3 with binary variables: noisy or, then a noisy copy.
TEST(Pc, FindsAColliderInDiscreteData) {
    Random random(5);
    stats::CodeTable table{std::vector<std::vector<std::uint8_t>>(4), {2, 2, 2, 2}};
    for (int i = 0; i < 5000; ++i) {
        const bool a = random.uniform() < 0.4;
        const bool b = random.uniform() < 0.5;
        const bool c = (a || b) != (random.uniform() < 0.1);
        const bool d = c != (random.uniform() < 0.15);
        const bool row[] = {a, b, c, d};
        for (std::size_t v = 0; v < 4; ++v) table.codes[v].push_back(row[v] ? 1 : 0);
    }
    const ChiSquareIndependence test(table, 0.01);
    EXPECT_EQ(to_string(pc(test).value().graph), "0 --> 2, 1 --> 2, 2 --> 3");
    EXPECT_EQ(pc_causal_learn(test).value().graph, pc(test).value().graph);
    const ChiSquareIndependence flat = ChiSquareIndependence::of(Matrix(30, 3), 5, 0.05);
    TestCounts counts;
    EXPECT_TRUE(flat.independent(0, 1, {}, counts)) << "constant columns have no table";
    EXPECT_EQ(counts.degenerate, 1U);
}

TEST(Pc, RecoversALargeSampleModel) {
    Random random(8);
    const MixedGraph dag = random_dag(8, 0.25, random);
    const MixedGraph truth = pc(SeparationOracle(dag)).value().graph;
    EXPECT_EQ(pc(FisherZ::of(sample(dag, 200000, 4), 0.001)).value().graph, truth)
        << to_string(dag);
}

}  // namespace
}  // namespace culprit
