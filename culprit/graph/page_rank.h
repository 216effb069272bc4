#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"

namespace culprit {

struct PageRankOptions {
    double damping = 0.85;
    std::size_t iterations_max = 1000;
    double tolerance = 1e-10;  ///< on the sum of absolute changes
};

struct PageRankResult {
    std::vector<double> scores;  ///< [n], sum 1
    std::size_t iterations = 0;
    bool converged = false;
};

/// PageRank: the share of time that a surfer spends at each node who follows a random out-link with
/// probability d and else starts afresh (Page, Brin, Motwani, Winograd 1999).
///
///   x' = d W^T x + (d * sum of x over nodes without out-links + 1 - d) v,  W = rows of M divided
///   by their sums, v = restart distribution
///
/// Shapes:   M: [n x n], M(i, j) >= 0 the weight of the step i -> j; restart: [n] or empty
/// (uniform). Assumes:  nothing; the limit exists and is unique for d < 1. Cost:     O(iterations
/// n^2). Refuses:  negative or non-finite weights, restart without mass (invalid_input). Source:
/// Stanford InfoLab 1999-66.  Parity: networkx pagerank, 1e-9 at equal tolerance.
Result<PageRankResult> page_rank(MatrixView steps, std::span<const double> restart = {},
                                 const PageRankOptions& options = {});

/// PageRank as scikit-network 0.31 computes it, which is not the definition above: the restart mass
/// of a node depends on its own out-links (1/n without, (1 - d)/n with), the mass of nodes without
/// out-links is not redistributed, and the vector is normalised after every step.
///
///   b_i = (1 - d [i has out-links]) / n;  x = b;  repeat: y = d W^T x + b sum(x);  y /= sum(y);
///   stop keeping x when |x - y|_1 < tolerance, else x = y
///
/// Shapes:   as page_rank.   Cost: O(iterations n^2).
/// Refuses:  a matrix without any non-zero entry (invalid_input), as the library does.
/// Parity:   scikit-network 0.33.3, 1e-12.
Result<PageRankResult> page_rank_scikit_network(
    MatrixView steps,
    const PageRankOptions& options = {.damping = 0.85, .iterations_max = 10, .tolerance = 1e-6});

}  // namespace culprit
