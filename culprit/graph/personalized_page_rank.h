#pragma once

#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/graph/weighted_digraph.h"

namespace culprit::graph {

struct PersonalizedPageRankOptions {
    double damping = 0.85;
    double tolerance = 1e-6;  ///< of the mean change per node
    int iterations_max = 10000;
};

/// PageRank with weighted steps and a preferred place to restart (Page et al. 1999; Haveliwala
/// 2002).
///
///   x'_v = d sum_u x_u w_uv / sum_k w_uk + (d sum_{u dangling} x_u + 1 - d) p_v
///   from x = 1 / n until sum |x' - x| < n tolerance;  p = preference / sum(preference)
///
/// Shapes:   preference: one number per place in graph.nodes(), or empty for 1 / n each; result
/// alike. Assumes:  nothing of the weights: negative ones are taken as they are (a reference uses
/// them). Cost:     O(iterations (nodes + edges)). Refuses:  invalid_input: preferences that sum to
/// 0 or are not finite. not_converged: the bound
///           was reached. numerical: a weight that is not finite. An empty graph gives an empty
///           result.
/// Source:   L. Page et al., Stanford InfoLab 1999-66; T. Haveliwala, WWW 2002.
/// Parity:   networkx 2.5 pagerank, order of summation included, 1e-12 relative.
Result<std::vector<double>> personalized_page_rank(const WeightedDigraph& graph,
                                                   const std::vector<double>& preference,
                                                   const PersonalizedPageRankOptions& options = {},
                                                   const Stop& stop = {});

}  // namespace culprit::graph
