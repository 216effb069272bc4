#pragma once

#include <cstddef>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit::stats {

/// The assignment of rows to columns with the least total cost.
///
///   minimise sum_i cost(i, column_of[i]) over permutations, by shortest augmenting paths.
///
/// Shapes:   cost: n x n, finite. Result: column_of[row].
/// Cost:     O(n^3).
/// Source:   Kuhn 1955; Jonker, Volgenant, Computing 38, 1987.
///           Parity: scipy linear_sum_assignment where the optimum is unique.
std::vector<std::size_t> assign_rows(MatrixView cost);

}  // namespace culprit::stats
