#include "culprit/stats/partial_correlation.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <limits>

namespace culprit::stats {
namespace {

constexpr double dependent_pivot = 1e-12;   // a member of the set below it is dropped
constexpr double degenerate_pivot = 1e-10;  // x or y below it have no variance of their own

}  // namespace

PartialCorrelation PartialCorrelator::of(std::size_t x, std::size_t y,
                                         std::span<const std::size_t> given) {
    order_.assign(given.begin(), given.end());
    order_.push_back(x);
    order_.push_back(y);
    const std::size_t k = order_.size();
    lower_.resize(k * k);
    diagonal_.resize(k);
    PartialCorrelation result;
    // Right-looking: the trailing block is updated by one outer product per pivot, which
    // vectorises.
    for (std::size_t j = 0; j < k; ++j)
        for (std::size_t i = j; i < k; ++i) lower_[j * k + i] = correlation_(order_[i], order_[j]);
    for (std::size_t j = 0; j + 1 < k; ++j) {
        const double* pivot_column = lower_.data() + j * k;
        const double pivot = pivot_column[j];
        if (j + 2 < k && pivot < dependent_pivot) continue;
        if (j + 2 == k && pivot < degenerate_pivot) {
            result.is_degenerate = true;
            return result;
        }
        result.pivot_min = std::min(result.pivot_min, pivot);
        for (std::size_t c = j + 1; c < k; ++c) {
            const double factor = pivot_column[c] / pivot;
            double* column = lower_.data() + c * k;
            for (std::size_t i = c; i < k; ++i) column[i] -= factor * pivot_column[i];
        }
    }
    const double variance_x = lower_[(k - 2) * k + k - 2];
    const double covariance = lower_[(k - 2) * k + k - 1];
    const double rest_y = lower_[(k - 1) * k + k - 1];  // variance of y given the set and x
    const double variance_y = rest_y + covariance * covariance / variance_x;
    if (variance_y < degenerate_pivot) {
        result.is_degenerate = true;
        return result;
    }
    result.pivot_min = std::min(result.pivot_min, variance_y);
    result.r = std::clamp(covariance / std::sqrt(variance_x * variance_y), -1.0, 1.0);
    return result;
}

double pseudo_inverse_correlation(MatrixView covariance, std::size_t x, std::size_t y,
                                  std::span<const std::size_t> given) {
    constexpr double cutoff = 1e-15;
    std::vector<std::size_t> order = {x, y};
    order.insert(order.end(), given.begin(), given.end());
    const auto k = static_cast<Eigen::Index>(order.size());
    Eigen::MatrixXd block(k, k);
    for (Eigen::Index i = 0; i < k; ++i)
        for (Eigen::Index j = 0; j < k; ++j)
            block(i, j) =
                covariance(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(block);
    const double largest = eigen.eigenvalues().cwiseAbs().maxCoeff();
    double vxx = 0.0;
    double vyy = 0.0;
    double vxy = 0.0;
    for (Eigen::Index e = 0; e < k; ++e) {
        const double value = eigen.eigenvalues()(e);
        if (!(std::abs(value) > cutoff * largest)) continue;
        const double in_x = eigen.eigenvectors()(0, e);
        const double in_y = eigen.eigenvectors()(1, e);
        vxx += in_x * in_x / value;
        vyy += in_y * in_y / value;
        vxy += in_x * in_y / value;
    }
    if (!(vxx > 0.0 && vyy > 0.0)) return std::numeric_limits<double>::quiet_NaN();
    return -vxy / std::sqrt(vxx * vyy);
}

double correlation_p_value(double r, double dof) {
    if (!(dof >= 1.0)) return std::numeric_limits<double>::quiet_NaN();
    const double rest = (1.0 - r) * (1.0 + r);
    if (rest <= std::numeric_limits<double>::min()) return 0.0;
    // P(|T| > t) = I_{dof / (dof + t^2)}(dof / 2, 1 / 2), and dof / (dof + t^2) = 1 - r^2.
    // In double, as asked for: Boost's default takes 80 bits and twice the time.
    using Policy = boost::math::policies::policy<boost::math::policies::promote_double<false>>;
    return boost::math::ibeta(dof * 0.5, 0.5, rest, Policy());
}

}  // namespace culprit::stats
