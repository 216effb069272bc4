#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

struct FastIcaOptions {
    int iterations_max = 1000;
    double tolerance = 1e-4;
    std::uint64_t seed = 0;
    std::optional<Matrix> start = {};  ///< p x p; drawn from `seed` when absent
};

struct FastIcaFinding {
    Matrix unmixing;  ///< p x p: components = unmixing * (x - mean)
    int num_iterations = 0;
    bool has_converged = false;
};

/// Independent components of samples, symmetric FastICA with the log cosh contrast.
///
///   Z = whitened data;  W <- sym(g(W Z) Z' / N - diag(mean g'(W Z)) W),  g = tanh,
///   sym(W) = (W W')^(-1/2) W;  ends when max_i | |(W_new W')_ii| - 1 | < tolerance.
///   unmixing = W K with K the whitening matrix (unit scale: K X has covariance I / N).
///
/// Shapes:   data: N x p, finite.
/// Assumes:  at most one Gaussian component; the answer of an unconverged run is returned as it is
///           (`has_converged` says so), as the reference does.
/// Cost:     O(p^2 N + p^3) per iteration.
/// Refuses:  N < p + 1 (too_few_samples); a variable that others
///           determine to 1e-10 of its norm (numerical); a stop request.
/// Source:   Hyvarinen, IEEE Trans. Neural Networks 10(3), 1999.   Parity: scikit-learn FastICA
///           (parallel, logcosh, svd whitening) from the same start, 1e-6 when converged.
Result<FastIcaFinding> fast_ica(MatrixView data, const FastIcaOptions& options, const Stop& stop);

}  // namespace culprit
