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
    bool shortens_steps = false;       ///< m < 1 where full steps would swing to and fro
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
///   Full steps can swing between two answers for ever, mostly where a component is near Gaussian.
///   With `shortens_steps` a step goes the share m of the way:
///     W <- sym((1 - m) W + m S F(W)), F the full step, S = +-1 per row: the sign that F swings by,
///   which ends where the full step would, up to signs; m is halved when the full steps swing
///   (W is nearer to the one before the last than to the last) and after 100, 200, 400 ...
///   iterations; ends below m times the tolerance. The steps of Newton's kind that the author
///   proposes for this end in saddle points of the contrast.
///
/// Shapes:   data: N x p, finite.
/// Assumes:  at most one Gaussian component; the answer of an unconverged run is returned as it is
///           (`has_converged` says so), as the reference does.
/// Cost:     O(p^2 N + p^3) per iteration.
/// Refuses:  N < p + 1 (too_few_samples); a variable that others
///           determine to 1e-10 of its norm (numerical); a stop request.
/// Source:   Hyvarinen, IEEE Trans. Neural Networks 10(3), 1999.   Parity: scikit-learn FastICA
///           (parallel, logcosh, svd whitening) from the same start, full steps, 1e-6 when
///           converged.
Result<FastIcaFinding> fast_ica(MatrixView data, const FastIcaOptions& options, const Stop& stop);

}  // namespace culprit
