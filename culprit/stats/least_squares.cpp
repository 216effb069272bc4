#include "culprit/stats/least_squares.h"

#include <Eigen/QR>

#include "culprit/stats/moments.h"

namespace culprit::stats {

LinearFit fit_least_squares(MatrixView regressors, std::span<const double> target) {
    LinearFit fit{mean(target), {}};
    const auto n = static_cast<Eigen::Index>(target.size());
    const auto k = static_cast<Eigen::Index>(regressors.num_columns());
    if (k == 0) return fit;
    Eigen::MatrixXd x(n, k);
    std::vector<double> means;
    for (Eigen::Index j = 0; j < k; ++j) {
        const auto column = regressors.column(static_cast<std::size_t>(j));
        means.push_back(mean(column));
        x.col(j) = Eigen::Map<const Eigen::VectorXd>(column.data(), n).array() - means.back();
    }
    const Eigen::VectorXd y =
        Eigen::Map<const Eigen::VectorXd>(target.data(), n).array() - fit.intercept;
    Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> solver;
    solver.setThreshold(1e-12);
    solver.compute(x);
    const Eigen::VectorXd w = solver.solve(y);
    fit.weights.assign(w.data(), w.data() + k);
    for (std::size_t j = 0; j < means.size(); ++j) fit.intercept -= means[j] * fit.weights[j];
    return fit;
}

std::vector<double> residuals(const LinearFit& fit, MatrixView regressors,
                              std::span<const double> target) {
    std::vector<double> rest(target.begin(), target.end());
    for (double& r : rest) r -= fit.intercept;
    for (std::size_t j = 0; j < fit.weights.size(); ++j) {
        const auto column = regressors.column(j);
        for (std::size_t i = 0; i < rest.size(); ++i) rest[i] -= fit.weights[j] * column[i];
    }
    return rest;
}

}  // namespace culprit::stats
