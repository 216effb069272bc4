#pragma once

#include <memory>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/causal/independence_test.h"

namespace culprit {

/// Fisher's z test of a vanishing partial correlation, from correlations computed once.
///
///   r = -P01 / sqrt(P00 P11),  P = inverse of R over (x, y, S);   z = atanh(r)
///   p = P(|Z| > sqrt(N - |S| - 3) |z|),  Z standard normal
///
/// Shapes:   correlations: [p x p], symmetric, unit diagonal; num_samples = N.
/// Assumes:  jointly normal variables, independent samples.
/// Cost:     `p_value` O((|S| + 2)^3). `separate` eliminates the members of S one after the other
///           from the correlations of the neighbourhood and shares every elimination between all
///           sets that begin alike: about 12 operations per test. It compares r^2 with the critical
///           value of (N, |S|) and asks `p_value` only where the two are within 1e-6 of each other,
///           so that its decisions are those of `p_value`.
/// Degenerate: variables that the rest determine to within 1e-12 of their variance, and
///           |r| >= 1 - 1e-12, count as dependent (p = 0); N - |S| - 3 <= 0 counts as independent
///           (p = 1). Both are counted.
/// Source:   R. A. Fisher, Metron 1, 1921; T. W. Anderson, Multivariate Analysis, 4.3.
/// Parity:   causal-learn 0.1.3.3 fisherz, 1e-9 absolute where the sub-matrix has condition < 1e6.
class FisherZ : public IndependenceTest {
public:
    /// Values of r^2 at which p reaches alpha, alpha / 2 and 2 alpha.
    struct Critical {
        double alpha, half_alpha, twice_alpha;
    };

    /// Computes the correlations of `data` [N x p].
    static FisherZ of(MatrixView data, double alpha, unsigned num_threads = 1);
    FisherZ(Matrix correlations, std::size_t num_samples, double alpha);

    std::size_t num_variables() const override { return correlations_.num_columns(); }
    double alpha() const override { return alpha_; }
    double p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) const override;
    bool independent(std::size_t x, std::size_t y, std::span<const std::size_t> given,
                     TestCounts& counts) const override;
    Result<SeparationResult> separate(std::size_t x, std::span<const std::size_t> others,
                                      std::size_t size, SepsetRule rule, const Stop& stop,
                                      TestCounts& counts) const override;

    const Matrix& correlations() const { return correlations_; }
    std::size_t num_samples() const { return num_samples_; }
    /// For conditioning sets of `size` < N - 3 members.
    const Critical& critical(std::size_t size) const { return critical_[size]; }
    /// NaN when the sub-matrix is degenerate.
    double partial_correlation(std::size_t x, std::size_t y,
                               std::span<const std::size_t> given) const;

private:
    Matrix correlations_;
    std::size_t num_samples_ = 0;
    double alpha_ = 0.05;
    std::vector<Critical> critical_;  // [|S|], while degrees of freedom are left
};

}  // namespace culprit
