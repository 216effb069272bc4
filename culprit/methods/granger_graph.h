#pragma once

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

/// The study's fallback when one pair is not feasible: a random order of all columns, here seeded.
Diagnosis infeasible_order(const StudyView& view, const StudyMatrix& table,
                           const RunContext& context, std::size_t pairs);

}  // namespace culprit
