#include "culprit/causal/polar_factor.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/check.h"
#include "culprit/causal/small_product.h"

namespace culprit {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Square = Eigen::Map<MatrixXd>;

constexpr std::size_t small_max = 96;  // beyond, blocking for the caches pays
constexpr int steps_max = 60;          // 1.5^60 = 4e10: the spread that is still taken
constexpr double nearly_done = 1e-7;   // its square is below the last digit
constexpr double smallest_share =
    0.3;  // of the shortest row, taken for the smallest singular value

// C = A B or A B', squares of one stride.
void multiply(const std::vector<double>& a, const std::vector<double>& b, bool transposed,
              std::vector<double>& c, std::size_t size) {
    if (size <= small_max) {
        SmallProduct product{.rows = size, .columns = size, .depth = size, .stride = size};
        product.b_row = transposed ? size : 1;
        product.b_column = transposed ? 1 : size;
        product.run(a.data(), b.data(), c.data());
        return;
    }
    const auto n = static_cast<Index>(size);
    const Eigen::Map<const MatrixXd> left(a.data(), n, n);
    const Eigen::Map<const MatrixXd> right(b.data(), n, n);
    if (transposed)
        Square(c.data(), n, n).noalias() = left * right.transpose();
    else
        Square(c.data(), n, n).noalias() = left * right;
}

// max |I - Y| over the p x p corner.
double distance_to_identity(const std::vector<double>& y, std::size_t p, std::size_t stride) {
    double largest = 0.0;
    for (std::size_t j = 0; j < p; ++j)
        for (std::size_t i = 0; i < p; ++i)
            largest = std::max(largest, std::abs(y[i + j * stride] - (i == j ? 1.0 : 0.0)));
    return largest;
}

void through_eigenvectors(std::vector<double>& a, std::size_t p, std::size_t stride) {
    const auto n = static_cast<Index>(p);
    Eigen::Map<MatrixXd, 0, Eigen::OuterStride<>> w(
        a.data(), n, n, Eigen::OuterStride<>(static_cast<Index>(stride)));
    const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(w * w.transpose());
    const Eigen::VectorXd scale =
        eigen.eigenvalues().cwiseMax(std::numeric_limits<double>::min()).cwiseSqrt().cwiseInverse();
    const MatrixXd factor =
        eigen.eigenvectors() * scale.asDiagonal() * eigen.eigenvectors().transpose() * w;
    w = factor;
}

}  // namespace

void replace_by_polar_factor(std::vector<double>& a, std::size_t p) {
    const std::size_t size = size_padded(p);
    CULPRIT_CHECK(a.size() == size * size);
    std::vector<double> x = a;
    std::vector<double> y(a.size());
    std::vector<double> yx(a.size());
    multiply(x, x, true, y, size);
    // The largest row sum of A A' bounds its largest eigenvalue, a row's length any singular value.
    double bound = 0.0;
    double shortest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < p; ++i) {
        double sum = 0.0;
        for (std::size_t j = 0; j < p; ++j) sum += std::abs(y[i + j * size]);
        bound = std::max(bound, sum);
        shortest = std::min(shortest, y[i + i * size]);
    }
    if (!(bound > 0.0) || !std::isfinite(bound)) return through_eigenvectors(a, p, size);
    for (double& v : x) v /= std::sqrt(bound);
    for (double& v : y) v /= bound;
    double smallest = smallest_share * std::sqrt(shortest / bound);
    for (int step = 0; step < steps_max; ++step) {
        const double distance = distance_to_identity(y, p, size);
        const bool is_last = distance < nearly_done;
        const double squared = is_last ? 1.0 : 3.0 / (1.0 + smallest + smallest * smallest);
        const double ratio = std::sqrt(squared);
        smallest = std::min(1.0, 0.5 * ratio * smallest * (3.0 - squared * smallest * smallest));
        multiply(y, x, false, yx, size);
        for (std::size_t k = 0; k < x.size(); ++k)
            x[k] = 0.5 * ratio * (3.0 * x[k] - squared * yx[k]);
        if (is_last) {
            a = std::move(x);
            return;
        }
        multiply(x, x, true, y, size);
    }
    through_eigenvectors(a, p, size);
}

}  // namespace culprit
