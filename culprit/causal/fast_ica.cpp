#include "culprit/causal/fast_ica.h"

#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

#include "culprit/base/check.h"
#include "culprit/base/random.h"
#include "culprit/causal/polar_factor.h"
#include "culprit/causal/small_product.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double rank_tolerance = 1e-10;
constexpr double shortest_step = 0.01;
constexpr double swing_share = 0.1;  // of the last change: nearer to the one before, it swings
constexpr int first_patience = 100;  // iterations without convergence that halve the step too

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

using Four = double __attribute__((vector_size(32)));
using FourAnywhere = double __attribute__((vector_size(32), aligned(8)));
using FourIntegers = std::int64_t __attribute__((vector_size(32)));

Four all(double value) { return Four{value, value, value, value}; }

Four multiply_add(Four a, Four b, Four c) {
#if defined(__AVX2__) && defined(__FMA__)
    return static_cast<Four>(_mm256_fmadd_pd(a, b, c));
#else
    return a * b + c;
#endif
}

// tanh x = 1 - 2 / (1 + e^2x), within a few 2^-53 in absolute terms, which is what sums need:
// e^2x = 2^k e^r with |r| <= ln(2) / 2, e^r by its Taylor series up to r^12 (1e-16).
Four hyperbolic_tangent(Four x) {
    constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
    const Four limit = all(20.0);                 // beyond, tanh is 1 in double precision
    x = x < -limit ? -limit : x;
    x = x > limit ? limit : x;
    const Four twice = x + x;
    const Four shifted = multiply_add(twice, all(1.4426950408889634), all(shift));
    const Four k = shifted - shift;
    Four r = multiply_add(k, all(-0.693147180369123816490), twice);
    r = multiply_add(k, all(-1.90821492927058770002e-10), r);
    constexpr std::array<double, 13> inverse_factorial = {1.0,
                                                          1.0,
                                                          1.0 / 2,
                                                          1.0 / 6,
                                                          1.0 / 24,
                                                          1.0 / 120,
                                                          1.0 / 720,
                                                          1.0 / 5040,
                                                          1.0 / 40320,
                                                          1.0 / 362880,
                                                          1.0 / 3628800,
                                                          1.0 / 39916800,
                                                          1.0 / 479001600};
    Four sum = all(inverse_factorial[12]);
    for (std::size_t d = 12; d-- > 0;) sum = multiply_add(sum, r, all(inverse_factorial[d]));
    const auto exponent = (reinterpret_cast<FourIntegers>(shifted) + 1023) << 52;
    return 1.0 - 2.0 / (1.0 + sum * reinterpret_cast<Four>(exponent));
}

// One step's sums over samples, in blocks that stay in the cache between the two products.
struct Sums {
    std::vector<double> gradient;  // g(W Z) Z'
    std::vector<double> squares;   // of g(W Z), per component
};

class Samples {
public:
    // z: p x N.
    explicit Samples(const MatrixXd& z)
        : size_(size_padded(static_cast<std::size_t>(z.rows()))),
          num_columns_(size_padded(static_cast<std::size_t>(z.cols()))),
          z_(size_ * num_columns_, 0.0),
          values_(size_ * std::min(block_columns, num_columns_)),
          part_(size_ * size_) {
        for (Index j = 0; j < z.cols(); ++j)
            std::copy_n(z.col(j).data(), z.rows(), z_.data() + static_cast<std::size_t>(j) * size_);
    }
    std::size_t size() const { return size_; }
    // Padding is zero, and so are its tangents: nothing is added.
    void sum(const std::vector<double>& w, Sums& sums);

private:
    static constexpr std::size_t block_columns = 128;
    std::size_t size_;  // rows, padded
    std::size_t num_columns_;
    std::vector<double> z_;
    std::vector<double> values_;
    std::vector<double> part_;
};

void Samples::sum(const std::vector<double>& w, Sums& sums) {
    sums.gradient.assign(size_ * size_, 0.0);
    sums.squares.assign(size_, 0.0);
    for (std::size_t first = 0; first < num_columns_; first += block_columns) {
        const std::size_t count = std::min(block_columns, num_columns_ - first);
        const double* z = z_.data() + first * size_;
        const SmallProduct forward{.rows = size_,
                                   .columns = count,
                                   .depth = size_,
                                   .stride = size_,
                                   .b_row = 1,
                                   .b_column = size_};
        forward.run(w.data(), z, values_.data());
        for (std::size_t i = 0; i < size_; i += 4) {
            Four squares = all(0.0);
            for (std::size_t j = 0; j < count; ++j) {
                auto& value = *reinterpret_cast<FourAnywhere*>(values_.data() + i + j * size_);
                const Four tangent = hyperbolic_tangent(value);
                value = tangent;
                squares = multiply_add(tangent, tangent, squares);
            }
            for (std::size_t v = 0; v < 4; ++v) sums.squares[i + v] += squares[v];
        }
        const SmallProduct back{.rows = size_,
                                .columns = size_,
                                .depth = count,
                                .stride = size_,
                                .b_row = size_,
                                .b_column = 1};
        back.run(values_.data(), z, part_.data());
        for (std::size_t k = 0; k < part_.size(); ++k) sums.gradient[k] += part_[k];
    }
}

// The decorrelated start, in a padded square.
std::vector<double> start_of(const FastIcaOptions& options, std::size_t p) {
    const std::size_t size = size_padded(p);
    std::vector<double> w(size * size, 0.0);
    Random random(options.seed);
    if (options.start)
        CULPRIT_CHECK(options.start->num_rows() == p && options.start->num_columns() == p);
    for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j)
            w[i + j * size] = options.start ? (*options.start)(i, j) : random.normal();
    replace_by_polar_factor(w, p);
    return w;
}

// max_i | |(A B')_ii| - 1 |; NaN comes through.
double distance(const std::vector<double>& a, const std::vector<double>& b, std::size_t p) {
    const std::size_t size = size_padded(p);
    std::vector<double> overlap(p, 0.0);
    for (std::size_t j = 0; j < p; ++j)
        for (std::size_t i = 0; i < p; ++i) overlap[i] += a[i + j * size] * b[i + j * size];
    double largest = 0.0;
    for (const double value : overlap) {
        const double moved = std::abs(std::abs(value) - 1.0);
        largest = moved <= largest ? largest : moved;
    }
    return largest;
}

// The full step from `w`.
std::vector<double> full_step(Samples& samples, std::size_t p, double n, Sums& sums,
                              const std::vector<double>& w) {
    const std::size_t size = samples.size();
    samples.sum(w, sums);
    std::vector<double> next(size * size, 0.0);
    for (std::size_t j = 0; j < p; ++j)
        for (std::size_t i = 0; i < p; ++i) {
            const std::size_t k = i + j * size;
            next[k] = sums.gradient[k] / n - (1.0 - sums.squares[i] / n) * w[k];
        }
    replace_by_polar_factor(next, p);
    return next;
}

// The share `length` of the way from `w` to `full`, whose rows may point the other way.
std::vector<double> part_of_step(const std::vector<double>& w, const std::vector<double>& full,
                                 double length, std::size_t p) {
    const std::size_t size = size_padded(p);
    std::vector<double> overlap(p, 0.0);
    for (std::size_t j = 0; j < p; ++j)
        for (std::size_t i = 0; i < p; ++i) overlap[i] += full[i + j * size] * w[i + j * size];
    std::vector<double> next(size * size, 0.0);
    for (std::size_t j = 0; j < p; ++j)
        for (std::size_t i = 0; i < p; ++i) {
            const std::size_t k = i + j * size;
            next[k] = (1.0 - length) * w[k] + std::copysign(length, overlap[i]) * full[k];
        }
    replace_by_polar_factor(next, p);
    return next;
}

}  // namespace

Result<FastIcaFinding> fast_ica(MatrixView data, const FastIcaOptions& options, const Stop& stop) {
    if (data.num_columns() == 0)
        return fail(ErrorCode::too_few_samples, "ICA needs a varying finite column, got none");
    CULPRIT_TRY(const Whitened whitened, whiten(data));
    const auto p = static_cast<std::size_t>(whitened.components.rows());
    const auto n = static_cast<double>(whitened.components.cols());
    Samples samples(whitened.components);
    Sums sums;
    std::vector<double> w = start_of(options, p);
    std::vector<double> before;
    double length = 1.0;
    int patience = first_patience;
    FastIcaFinding finding;
    while (finding.num_iterations < options.iterations_max && !finding.has_converged) {
        CULPRIT_TRY_STATUS(stop.check());
        std::vector<double> next = full_step(samples, p, n, sums, w);
        if (length < 1.0) next = part_of_step(w, next, length, p);
        const double change = distance(next, w, p);
        ++finding.num_iterations;
        if (!std::isfinite(change))
            return fail(ErrorCode::numerical, "ICA needs finite values, got NaN");
        finding.has_converged = change < options.tolerance * length;
        if (options.shortens_steps && !finding.has_converged && length > shortest_step) {
            const bool swings = !before.empty() && distance(next, before, p) < swing_share * change;
            if (swings || finding.num_iterations == patience) length /= 2.0;
            if (finding.num_iterations == patience) patience *= 2;
        }
        before = std::move(w);
        w = std::move(next);
    }
    finding.unmixing = Matrix(p, p);
    const auto rows = static_cast<Index>(p);
    const Eigen::Map<const MatrixXd, 0, Eigen::OuterStride<>> rotation(
        w.data(), rows, rows, Eigen::OuterStride<>(static_cast<Index>(samples.size())));
    Eigen::Map<MatrixXd>(finding.unmixing.data(), rows, rows) = rotation * whitened.whitening;
    return finding;
}

}  // namespace culprit
