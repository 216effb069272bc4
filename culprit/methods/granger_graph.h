#pragma once

#include <variant>

#include "culprit/causal/granger.h"
#include "culprit/methods/graph_ranking.h"

namespace culprit {

/// Edges that Granger tests of all pairs of columns give.
struct GrangerGraph {
    MixedGraph graph;  ///< cause -> effect; <-> when each helps predict the other
    TestCounts counts;
    std::size_t infeasible_pairs =
        0;  ///< a lagged column is constant, or nothing is left unexplained
};

/// The study's rule: an edge when at some lag 1..3 the mean of the four p-values is below alpha.
/// The published one: when the F test of all three lags together has p < alpha.
Result<GrangerGraph> granger_graph(const StudyMatrix& table, const RunContext& context,
                                   double alpha);

/// The steps effect -> cause, as 0 and 1.
Matrix granger_steps(const GrangerGraph& found);

/// The graph, or the answer by rule when there is none: too few rows; a pair that allows no test
/// (reference: a random order, here seeded); no edge (column order, unless `empty_counts`).
Result<std::variant<GrangerGraph, Diagnosis>> granger_search(const StudyView& view,
                                                             const StudyMatrix& table,
                                                             const RunContext& context,
                                                             const MethodInfo& info,
                                                             bool empty_counts = false);

}  // namespace culprit
