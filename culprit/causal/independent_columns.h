#pragma once

#include <cstddef>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit {

/// The columns that are no linear function (with intercept) of those before them: what is left of a
/// column after regression on the kept ones must exceed 1e-8 of its norm. At most N - 1 are kept.
///
/// Shapes:   data: N x p; result ascending.   Cost: O(N p^2), Gram-Schmidt applied twice.
std::vector<std::size_t> independent_columns(MatrixView data);

}  // namespace culprit
