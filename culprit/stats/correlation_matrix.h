#pragma once

#include "culprit/base/matrix.h"

namespace culprit::stats {

/// Pearson correlations of all pairs of columns.
///
///   R = Z^T Z,  Z = (x - mean) / sqrt(sum (x - mean)^2) per column, in two passes
///
/// Shapes:   data: [N x p]; result: [p x p], symmetric to the bit, diagonal exactly 1, entries
///           clipped to [-1, 1].
/// Units:    none.
/// Assumes:  no NaN. A constant column (or N < 2) correlates 0 with every other one.
/// Cost:     O(N p^2), blocked; the same bits for every number of threads.
/// Parity:   numpy corrcoef, 1e-13 absolute on columns whose mean is not much larger than their
///           spread.
Matrix correlation_matrix(MatrixView data, unsigned num_threads = 1);

/// X^T X of columns with their means removed: co-moments, not divided by N.
Matrix co_moment_matrix(MatrixView data, unsigned num_threads = 1);

}  // namespace culprit::stats
