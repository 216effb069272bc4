#include "culprit/causal/fast_ica.h"

#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/check.h"
#include "culprit/base/random.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double rank_tolerance = 1e-10;

struct Whitened {
    MatrixXd components;  // p x N, identity covariance
    MatrixXd whitening;   // p x p: components / sqrt(N) = whitening * centred data
};

struct RightSingular {
    VectorXd values;   // falling
    MatrixXd vectors;  // one per column, of unit length
};

// From the eigenvectors of [0 R; R' 0], which are the pairs (u, v) of singular vectors: as exact as
// an SVD where R is far from singular (what follows refuses the rest), and Eigen's SVDs take half a
// minute to compile.
RightSingular right_singular(const MatrixXd& r) {
    const Index p = r.rows();
    MatrixXd paired = MatrixXd::Zero(2 * p, 2 * p);
    paired.topRightCorner(p, p) = r;
    paired.bottomLeftCorner(p, p) = r.transpose();
    const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(paired);
    RightSingular result{eigen.eigenvalues().tail(p).reverse(), MatrixXd(p, p)};
    for (Index k = 0; k < p; ++k)
        result.vectors.col(k) = eigen.eigenvectors().col(2 * p - 1 - k).tail(p).normalized();
    return result;
}

Result<Whitened> whiten(MatrixView data) {
    const auto n = static_cast<Index>(data.num_rows());
    const auto p = static_cast<Index>(data.num_columns());
    if (n < p + 1)
        return fail(ErrorCode::too_few_samples,
                    fmt::format("ICA of {} variables needs {} samples, got {}", p, p + 1, n));
    MatrixXd centred(n, p);
    for (Index c = 0; c < p; ++c) {
        const auto column = data.column(static_cast<std::size_t>(c));
        // Not Eigen's mean of a Map: its order of summation depends on the address.
        centred.col(c) = Eigen::Map<const VectorXd>(column.data(), n).array() - stats::mean(column);
    }
    // X = Q R, R = U S V': the singular values and V of X without an SVD of N rows.
    const Eigen::HouseholderQR<MatrixXd> qr(centred);
    const MatrixXd r = qr.matrixQR().topRows(p).triangularView<Eigen::Upper>();
    const RightSingular svd = right_singular(r);
    const VectorXd& d = svd.values;
    // Scale-free: what a column keeps after regression on those before it, as a share of its norm.
    Index rank = 0;
    for (Index k = 0; k < p; ++k)
        rank += std::abs(r(k, k)) > rank_tolerance * r.col(k).norm() ? 1 : 0;
    if (rank < p || !(d(p - 1) > 0.0)) {
        return fail(ErrorCode::numerical,
                    fmt::format("ICA needs {} linearly independent variables, got {}", p, rank));
    }
    MatrixXd v = svd.vectors;
    for (Index k = 0; k < p; ++k)
        if (v(0, k) < 0.0) v.col(k) = -v.col(k);
    Whitened result;
    result.whitening = (v * d.cwiseInverse().asDiagonal()).transpose();
    result.components = std::sqrt(static_cast<double>(n)) * result.whitening * centred.transpose();
    return result;
}

MatrixXd decorrelate(const MatrixXd& w) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(w * w.transpose());
    const VectorXd scale =
        eigen.eigenvalues().cwiseMax(std::numeric_limits<double>::min()).cwiseSqrt().cwiseInverse();
    return eigen.eigenvectors() * scale.asDiagonal() * eigen.eigenvectors().transpose() * w;
}

// values <- tanh(values); returns the mean of 1 - tanh^2 per row.
VectorXd contrast(MatrixXd& values) {
    // 1 - 2 / (1 + e^2x): within a few 2^-53 of tanh in absolute terms, which is what sums need.
    values = (1.0 - 2.0 / (1.0 + (2.0 * values.array()).exp())).matrix();
    const auto n = static_cast<double>(values.cols());
    return (1.0 - values.array().square().rowwise().sum() / n).matrix();
}

MatrixXd start_of(const FastIcaOptions& options, Index p) {
    MatrixXd w(p, p);
    if (options.start) {
        CULPRIT_CHECK(options.start->num_rows() == static_cast<std::size_t>(p) &&
                      options.start->num_columns() == static_cast<std::size_t>(p));
        w = Eigen::Map<const MatrixXd>(options.start->data(), p, p);
    } else {
        Random random(options.seed);
        for (Index i = 0; i < p; ++i)
            for (Index j = 0; j < p; ++j) w(i, j) = random.normal();
    }
    return decorrelate(w);
}

}  // namespace

Result<FastIcaFinding> fast_ica(MatrixView data, const FastIcaOptions& options, const Stop& stop) {
    if (data.num_columns() == 0)
        return fail(ErrorCode::too_few_samples, "ICA needs a varying finite column, got none");
    CULPRIT_TRY(const Whitened whitened, whiten(data));
    const MatrixXd& z = whitened.components;
    const Index p = z.rows();
    const auto n = static_cast<double>(z.cols());
    MatrixXd w = start_of(options, p);
    MatrixXd values(p, z.cols());
    FastIcaFinding finding;
    while (finding.num_iterations < options.iterations_max && !finding.has_converged) {
        CULPRIT_TRY_STATUS(stop.check());
        values.noalias() = w * z;
        const VectorXd slope = contrast(values);
        MatrixXd next = values * z.transpose() / n;
        next -= slope.asDiagonal() * w;
        next = decorrelate(next);
        const double change =
            ((next.cwiseProduct(w)).rowwise().sum().array().abs() - 1.0).abs().maxCoeff();
        w = std::move(next);
        ++finding.num_iterations;
        if (!std::isfinite(change))
            return fail(ErrorCode::numerical, "ICA needs finite values, got NaN");
        finding.has_converged = change < options.tolerance;
    }
    finding.unmixing = Matrix(static_cast<std::size_t>(p), static_cast<std::size_t>(p));
    Eigen::Map<MatrixXd>(finding.unmixing.data(), p, p) = w * whitened.whitening;
    return finding;
}

}  // namespace culprit
