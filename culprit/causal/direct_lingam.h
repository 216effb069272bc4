#pragma once

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/causal/ica_lingam.h"

namespace culprit {

/// LiNGAM without independent components: the most exogenous variable comes next.
///
///   For standardised x_i, x_j and their mutual residuals r: the likelihood ratio
///   D_ij = H(x_j) + H(r_i|j / s) - H(x_i) - H(r_j|i / s);  H(u) ~ H(normal)
///   - 79.047 (E ln cosh u - 0.37457)^2 - 7.4129 (E u exp(-u^2 / 2))^2.
///   Next is the variable with the least sum_j min(0, D_ij)^2; it is regressed out of the others.
///   Effects along the order by adaptive lasso (ica_lingam.h).
///
/// Shapes:   data: N x p, finite.
/// Assumes:  as ICA-LiNGAM; converges in p steps, no start value, no scale dependence.
/// Cost:     O(N p^3).
/// Refuses:  N <= p (too_few_samples); linearly dependent columns (numerical); a stop request.
/// Source:   Shimizu et al., JMLR 12, 2011; the measure: Hyvarinen, Smith, JMLR 14, 2013.
Result<LinearDag> direct_lingam(MatrixView data, const Stop& stop);

}  // namespace culprit
