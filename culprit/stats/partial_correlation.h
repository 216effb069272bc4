#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit::stats {

struct PartialCorrelation {
    double r = 0.0;
    /// Smallest share of variance that a variable keeps once those before it are regressed out: the
    /// answer is good to about 2^-52 / pivot_min.
    double pivot_min = 1.0;
    /// x or y is a linear function of the conditioning set (within 1e-10 of its variance): r is set
    /// to 0, since what is left is rounding noise.
    bool is_degenerate = false;
};

/// Correlation of x and y once both are regressed on a set of others, from the correlation matrix.
///
///   [given, x, y] = L D L^T without pivoting;  r = L_yx sqrt(D_x) / sqrt(L_yx^2 D_x + D_y).
///   A member of the set whose pivot is below 1e-12 is a linear function of those before it and
///   leaves the set: the projection, and so r, stays what minimum-norm least squares gives.
///
/// Shapes:   correlation: p x p, unit diagonal, symmetric; x, y and given distinct.
/// Cost:     O(k^3 / 6), k = |given| + 2.   Memory: reused between calls; one object per thread.
class PartialCorrelator {
public:
    explicit PartialCorrelator(MatrixView correlation) : correlation_(correlation) {}
    PartialCorrelation of(std::size_t x, std::size_t y, std::span<const std::size_t> given);

private:
    MatrixView correlation_;
    std::vector<std::size_t> order_;
    std::vector<double> lower_;  // column-major, one column after the other
    std::vector<double> diagonal_;
};

/// The same from the Moore-Penrose inverse of a covariance matrix, as pingouin has it: eigenvalues
/// up to 1e-15 of the largest count as zero. Where the covariance is singular this is no partial
/// correlation any more; it exists for parity with the study. NaN when a diagonal entry of the
/// inverse is not positive.
///
///   V = pinv(C[x, y, given]);  r = -V_xy / sqrt(V_xx V_yy)
///
/// Cost:     O(k^3), k = |given| + 2.
double pseudo_inverse_correlation(MatrixView covariance, std::size_t x, std::size_t y,
                                  std::span<const std::size_t> given);

/// Two-sided p-value of a (partial) correlation r with `dof` degrees of freedom under independence:
/// t = r sqrt(dof / (1 - r^2)). |r| = 1 gives 0; dof < 1 gives NaN.
double correlation_p_value(double r, double dof);

}  // namespace culprit::stats
