#include "culprit/causal/independent_columns.h"

#include <Eigen/Dense>

#include "culprit/stats/moments.h"

namespace culprit {

std::vector<std::size_t> independent_columns(MatrixView data) {
    constexpr double share_min = 1e-8;
    const auto n = static_cast<Eigen::Index>(data.num_rows());
    const auto p = static_cast<Eigen::Index>(data.num_columns());
    std::vector<std::size_t> kept;
    if (n == 0) return kept;
    Eigen::MatrixXd basis(n, std::min(n, p));
    Eigen::Index rank = 0;
    for (std::size_t c = 0; c < data.num_columns() && rank + 1 < n; ++c) {
        Eigen::VectorXd v = Eigen::Map<const Eigen::VectorXd>(data.column(c).data(), n);
        const double level = v.norm();
        v.array() -= stats::mean(data.column(c));
        const double norm = v.norm();
        if (!(norm > 1e-14 * level)) continue;
        for (int pass = 0; pass < 2; ++pass)
            v -= basis.leftCols(rank) * (basis.leftCols(rank).transpose() * v);
        const double rest = v.norm();
        if (!(rest > share_min * norm)) continue;
        basis.col(rank++) = v / rest;
        kept.push_back(c);
    }
    return kept;
}

}  // namespace culprit
