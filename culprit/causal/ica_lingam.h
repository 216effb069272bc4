#pragma once

#include <cstddef>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/causal/fast_ica.h"

namespace culprit {

/// A linear acyclic model x_i = sum_j effects(i, j) x_j + e_i.
struct LinearDag {
    std::vector<std::size_t> order;  ///< causes before effects
    Matrix effects;                  ///< p x p; effects(i, j) != 0: j -> i
};

struct UnmixedModel {
    std::vector<std::size_t> position_of;  ///< component -> variable
    Matrix raw_effects;                    ///< B = I - W', before any pruning
    std::vector<std::size_t> order;
};

/// Matches components to variables and finds a causal order.
///
///   Rows of W go where sum 1 / |W_ii| is least, each row is divided by its diagonal, B = I - W'.
///   The p (p + 1) / 2 smallest |B| are zeroed, then one more at a time until a permutation makes B
///   strictly lower triangular; among variables that qualify the first in column order comes next.
///
/// Shapes:   unmixing: p x p.   Cost: O(p^3).
/// Differs:  finds the number of entries to zero by bisection (being acyclic is monotone in it);
///           ties of |B| by index.
UnmixedModel order_from_unmixing(MatrixView unmixing);

/// Effects along a known order, by adaptive lasso.
///
///   Target at position t, predictors = all earlier ones: OLS with intercept gives weights |b|;
///   LassoLarsIC (BIC) on the predictors times weights; effect = lasso coefficient times weight.
///
/// Shapes:   data: N x p.   Cost: O(N p^2) once (one QR serves all targets) + O(p^4) for the paths.
/// Refuses:  N <= p (too_few_samples); a target that its predecessors determine exactly
/// (numerical);
///           a stop request.
/// Source:   Zou, JASA 101, 2006; as in the LiNGAM package.   Parity: causal-learn 0.1.3.3, 1e-7.
Result<Matrix> effects_along_order(MatrixView data, const std::vector<std::size_t>& order,
                                   const Stop& stop);

struct IcaLingamFinding {
    LinearDag model;
    int num_iterations = 0;
    bool has_converged = false;
};

/// ICA-LiNGAM: fast_ica, order_from_unmixing, effects_along_order.
///
/// Assumes:  linear, acyclic, non-Gaussian independent errors, no hidden common cause.
/// Refuses:  as its three parts.
/// Source:   Shimizu, Hoyer, Hyvarinen, Kerminen, JMLR 7, 2006.
Result<IcaLingamFinding> ica_lingam(MatrixView data, const FastIcaOptions& options,
                                    const Stop& stop);

}  // namespace culprit
