#pragma once

#include <cstddef>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit::stats {

/// Lasso by least-angle regression, with the knot of the path chosen by BIC.
///
///   path: minimise |y - X b|^2 / 2 + t |b|_1 for t from max |X'y| down to 0; at every knot
///   BIC = N ln(2 pi s2) + RSS / s2 + df ln N,  df = #{|b| > 2^-52},  s2 = noise variance.
///   The first minimum is taken.
///
/// Shapes:   x: n x k, y: [n], both centred (or any rotation of centred data, which leaves inner
///           products alone); num_samples = N of the original data; result: [k].
/// Assumes:  noise_variance > 0.
/// Cost:     O(k^3 + k n) per knot, at most 500 knots.
/// Source:   Efron, Hastie, Johnstone, Tibshirani, Ann. Stat. 32(2), 2004; Zou, Hastie, Tibshirani,
///           Ann. Stat. 35(5), 2007.   Parity: scikit-learn 1.2 LassoLarsIC(bic), 1e-8 relative.
std::vector<double> lasso_lars_bic(MatrixView x, const std::vector<double>& y,
                                   double noise_variance, std::size_t num_samples);

}  // namespace culprit::stats
