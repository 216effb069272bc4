// The searches against what the Python libraries answered on the same numbers
// (tests/golden/causal/<block>/graphs.json, packed by tools/golden/pack_graphs.py).

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "culprit/causal/fci.h"
#include "culprit/causal/fisher_z.h"
#include "culprit/causal/golden_case.h"
#include "culprit/causal/granger.h"
#include "culprit/causal/pc.h"
#include "culprit/graph/page_rank.h"
#include "culprit/stats/correlation_matrix.h"

namespace culprit {
namespace {

class GraphGolden : public testing::TestWithParam<std::string> {
protected:
    nlohmann::json golden = golden_json(GetParam() + "/graphs.json");
    FisherZ test{golden_matrix(golden["correlations"]), golden["num_rows"], 0.05};
};

// causal-learn's marks: [a][b] stands at a; -1 tail, 1 arrow, 2 circle.
MixedGraph graph_of(const nlohmann::json& rows) {
    const auto mark = [](int value) {
        return value == -1 ? Mark::tail : value == 1 ? Mark::arrow : Mark::circle;
    };
    MixedGraph graph(rows.size());
    for (std::size_t a = 0; a < rows.size(); ++a)
        for (std::size_t b = a + 1; b < rows.size(); ++b)
            if (rows[a][b].get<int>() != 0)
                graph.set_edge(a, mark(rows[a][b]), b, mark(rows[b][a]));
    return graph;
}

// A p-value near 0 is the difference of two numbers near 1 in the library: absolute 1e-9.
TEST_P(GraphGolden, FisherZ) {
    for (const auto& row : golden["p_values"]) {
        const auto given = row[2].get<std::vector<std::size_t>>();
        EXPECT_NEAR(test.p_value(row[0], row[1], given), row[3].get<double>(), 1e-9) << row;
    }
}

TEST_P(GraphGolden, Pc) {
    const PcResult found = pc_causal_learn(test).value();
    EXPECT_EQ(to_string(found.graph), to_string(graph_of(golden["cpdag"])));
    for (const auto& [pair, expected] : golden["sepsets"].items()) {
        const std::size_t comma = pair.find(',');
        const auto& set = found.sepsets.find(std::stoul(pair), std::stoul(pair.substr(comma + 1)));
        ASSERT_TRUE(set) << pair;
        EXPECT_EQ(*set, expected.get<std::vector<std::size_t>>()) << pair;
    }
    const Skeleton first = find_skeleton(test).value();
    EXPECT_EQ(to_string(first.graph), to_string(graph_of(golden["skeleton"])))
        << "which set is kept does not change what is removed";
}

TEST_P(GraphGolden, Fci) {
    EXPECT_EQ(to_string(fci_causal_learn(test).value().graph), to_string(graph_of(golden["pag"])));
}

TEST_P(GraphGolden, PageRank) {
    const Matrix steps = golden_matrix(golden["steps"]);
    for (const std::size_t iterations : {10U, 60U}) {
        const auto& expected = golden["scores_" + std::to_string(iterations)];
        const auto found = page_rank_scikit_network(
            steps, {.damping = 0.85, .iterations_max = iterations, .tolerance = 1e-6});
        for (std::size_t i = 0; i < expected.size(); ++i)
            EXPECT_NEAR(found.value().scores[i], expected[i].get<double>(), 1e-12);
    }
}

INSTANTIATE_TEST_SUITE_P(Blocks, GraphGolden,
                         testing::Values("sem8", "small_cpu", "small_gpu_collinear", "medium_net"),
                         [](const auto& block) { return block.param; });

class InputGolden : public testing::TestWithParam<std::string> {
protected:
    nlohmann::json golden = golden_json(GetParam() + "/graphs.json");
    GoldenTable table = golden_csv(GetParam() + "/input.csv");
};

TEST_P(InputGolden, Correlations) {
    const Matrix expected = golden_matrix(golden["correlations"]);
    const Matrix found = stats::correlation_matrix(table.values);
    for (std::size_t i = 0; i < expected.num_rows(); ++i)
        for (std::size_t j = 0; j < expected.num_columns(); ++j)
            EXPECT_NEAR(found(i, j), expected(i, j), 1e-12);
}

// 1e-9 relative where p is not lost in the library's rounding.
TEST_P(InputGolden, Granger) {
    const GrangerTable found = granger(table.values).value();
    for (const auto& row : golden["granger_tests"]) {
        const GrangerFinding finding = found.finding(row[0], row[1], row[2]);
        const GrangerPValues p = p_values(finding);
        EXPECT_NEAR(finding.f(), row[3].get<double>(), 1e-9 * (1 + row[3].get<double>())) << row;
        EXPECT_NEAR(p.f, row[4].get<double>(), 1e-9 * row[4].get<double>() + 1e-15) << row;
        EXPECT_NEAR(p.chi_squared, row[5].get<double>(), 1e-9 * row[5].get<double>() + 1e-15);
        EXPECT_NEAR(p.likelihood_ratio, row[6].get<double>(), 1e-9 * row[6].get<double>() + 1e-15);
    }
    const auto& edges = golden["granger_edges"];
    for (std::size_t effect = 0; effect < edges.size(); ++effect)
        for (std::size_t cause = 0; cause < edges.size(); ++cause) {
            bool edge = false;
            for (std::size_t lag = 1; lag <= 3 && effect != cause; ++lag)
                edge = edge || p_values(found.finding(effect, cause, lag)).mean_of_four() < 0.05;
            EXPECT_EQ(edge, edges[effect][cause].get<int>() == 1) << effect << " <- " << cause;
        }
}

INSTANTIATE_TEST_SUITE_P(Blocks, InputGolden,
                         testing::Values("sem8", "small_cpu", "small_gpu_collinear"),
                         [](const auto& block) { return block.param; });

}  // namespace
}  // namespace culprit
