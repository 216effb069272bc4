#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/graph/mixed_graph.h"

namespace culprit {

/// How well `parents` (ascending) explain `node`; the score of a graph is the sum over its nodes.
/// Search assumes that equivalent DAGs score alike.
using LocalScore = std::function<double(std::size_t node, std::span<const std::size_t> parents)>;

/// Gaussian BIC from a correlation matrix:
///   -n / 2 ln(1 - R^2 of node on parents) - penalty / 2 |parents| ln n.
/// A share of variance below 1e-12 counts as 1e-12, so copies cannot win without bound.
LocalScore gaussian_bic(MatrixView correlation, std::size_t num_samples, double penalty = 1.0);

struct GesOptions {
    std::size_t subset_size_max = 4;  ///< of the sets T and H below
    Stop stop = {};
};

struct GesResult {
    MixedGraph graph;   ///< CPDAG
    double gain = 0.0;  ///< score over the empty graph's
    std::size_t num_insertions = 0;
    std::size_t num_deletions = 0;
    std::size_t num_scores = 0;  ///< distinct local scores computed
    bool truncated = false;      ///< a set T or H could have been larger than the bound
};

/// Greedy equivalence search: the equivalence class of DAGs with the best score, greedily.
///
///   forward: best insertion (X, Y, T) while one improves; backward: best deletion (X, Y, H).
///   N = undirected neighbours of Y that are adjacent to X.
///   insert: N + T a clique, every semi-directed path Y ~> X meets it;
///           gain s(Y, N + T + Pa + X) - s(Y, N + T + Pa)
///   delete: N - H a clique; gain s(Y, (N - H) + Pa - X) - s(Y, (N - H) + Pa + X)
///   After each: a DAG of the class (Dor, Tarsi 1992), then its CPDAG.
///
/// Assumes:  no hidden common cause; recovers the true class as samples grow.
/// Cost:     each local score once; operators of a pair are re-listed only when its surroundings
///           changed. Exponential in the undirected degree up to subset_size_max.
/// Refuses:  a stop request.
/// Source:   Chickering, JMLR 3, 2002; the caching after Ramsey, Glymour, Sanchez-Romero, Glymour,
///           Int. J. Data Sci. Anal. 3, 2017 (FGES).
Result<GesResult> ges(std::size_t num_nodes, const LocalScore& score,
                      const GesOptions& options = {});

/// The CPDAG of a DAG: its skeleton, its colliders, Meek's rules.
MixedGraph cpdag_of(const MixedGraph& dag);

}  // namespace culprit
