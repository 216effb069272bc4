#pragma once

#include <span>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit::stats {

struct LinearFit {
    double intercept = 0.0;
    std::vector<double> weights;  ///< [k]
};

/// Ordinary least squares with an intercept; the weights of smallest norm when regressors are
/// collinear (rank decided at 1e-12 of the largest pivot).
///
///   minimise |y - c - X w|^2,  solved on centred columns by a complete orthogonal decomposition
///
/// Shapes:   regressors: [N x k], target: [N], N >= 1, finite; k = 0 gives the mean.
/// Cost:     O(N k^2).
/// Parity:   scikit-learn LinearRegression, 1e-9 relative on well-conditioned columns.
LinearFit fit_least_squares(MatrixView regressors, std::span<const double> target);

/// target - intercept - regressors * weights.
std::vector<double> residuals(const LinearFit& fit, MatrixView regressors,
                              std::span<const double> target);

}  // namespace culprit::stats
