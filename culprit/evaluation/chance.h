#pragma once

#include <cstddef>
#include <span>

#include "culprit/evaluation/accuracy.h"

namespace culprit {

/// Exact expectation of the score of a uniformly random order of columns, reduced to services at
/// their first appearance: the line below which a method knows nothing.
///
/// Services with more columns tend to come earlier. Give every column an independent uniform key
/// and sort by it. With v = 1 - (smallest key of the root cause's n columns), service s of n_s
/// columns comes before it with probability 1 - v^n_s, independently of the others, so
///
///   P(rank = r) = integral over v in [0, 1] of  n v^(n-1) P(exactly r - 1 of the others precede)
///
/// whose integrand is a polynomial in v of degree N - 1, N = number of columns. Gauss-Legendre
/// quadrature with N / 2 + 1 nodes integrates it exactly, up to rounding; beyond 4000 columns 2000
/// nodes are kept, with an error below 1e-9.
///
/// Shapes:  `others`: columns of each service that is no root cause, zeros allowed;
///          `num_truth_columns`: columns of all root causes together (the best placed one counts);
///          0 gives the score 0: a root cause without columns can't be named.
/// Cost:    O(N S^2), S services.
Score chance_of_service(std::size_t num_truth_columns, std::span<const std::size_t> others);

/// The same without services: `num_true` of `num_columns` columns are right.
///   P(rank > k) = C(N - t, k) / C(N, k)  (hypergeometric)
Score chance_of_metric(std::size_t num_true, std::size_t num_columns);

}  // namespace culprit
