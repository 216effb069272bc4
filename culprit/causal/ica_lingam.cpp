#include "culprit/causal/ica_lingam.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "culprit/base/check.h"
#include "culprit/stats/lasso_lars.h"
#include "culprit/stats/linear_assignment.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

constexpr double zero_weight_cost = 1e300;  // of an unmixing weight of 0, whose inverse is infinite

// The causal order of the graph with the edges `by_size[from..]`, empty when it has a cycle.
std::vector<std::size_t> order_without(std::size_t p, const std::vector<std::size_t>& by_size,
                                       std::size_t from) {
    std::vector<std::vector<std::size_t>> effects_of(p);
    std::vector<std::size_t> num_causes(p, 0);
    for (std::size_t k = from; k < by_size.size(); ++k) {
        const std::size_t effect = by_size[k] / p;
        const std::size_t cause = by_size[k] % p;
        ++num_causes[effect];
        effects_of[cause].push_back(effect);
    }
    std::vector<std::size_t> order;
    std::vector<bool> is_done(p, false);
    while (order.size() < p) {
        std::size_t next = 0;
        while (next < p && (is_done[next] || num_causes[next] > 0)) ++next;
        if (next == p) return {};
        is_done[next] = true;
        order.push_back(next);
        for (const std::size_t effect : effects_of[next]) --num_causes[effect];
    }
    return order;
}

std::vector<std::size_t> causal_order(const Matrix& b) {
    const std::size_t p = b.num_rows();
    std::vector<std::size_t> by_size(p * p);  // row-major positions, smallest |B| first
    std::iota(by_size.begin(), by_size.end(), std::size_t{0});
    std::stable_sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t c) {
        return std::abs(b(a / p, a % p)) < std::abs(b(c / p, c % p));
    });
    std::size_t low = std::min(p * (p + 1) / 2 + 1, p * p);  // zeroed at least
    std::size_t high = p * p;                                // always orderable
    std::vector<std::size_t> order = order_without(p, by_size, high);
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        auto found = order_without(p, by_size, middle);
        if (found.empty()) {
            low = middle + 1;
        } else {
            high = middle;
            order = std::move(found);
        }
    }
    return order;
}

}  // namespace

UnmixedModel order_from_unmixing(MatrixView unmixing) {
    const std::size_t p = unmixing.num_rows();
    CULPRIT_CHECK(unmixing.num_columns() == p && p > 0);
    Matrix cost(p, p);
    for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j)
            cost(i, j) = std::min(1.0 / std::abs(unmixing(i, j)), zero_weight_cost);
    UnmixedModel model;
    model.position_of = stats::assign_rows(cost);
    model.raw_effects = Matrix(p, p);
    for (std::size_t row = 0; row < p; ++row) {
        const std::size_t variable = model.position_of[row];
        const double diagonal = unmixing(row, variable);
        for (std::size_t j = 0; j < p; ++j) {
            const double scaled = unmixing(row, j) / diagonal;
            model.raw_effects(variable, j) = (j == variable ? 1.0 : 0.0) - scaled;
        }
    }
    model.order = causal_order(model.raw_effects);
    return model;
}

Result<Matrix> effects_along_order(MatrixView data, const std::vector<std::size_t>& order,
                                   const Stop& stop) {
    const std::size_t n = data.num_rows();
    const std::size_t p = data.num_columns();
    CULPRIT_CHECK(order.size() == p);
    if (n <= p)
        return fail(ErrorCode::too_few_samples,
                    fmt::format("LiNGAM of {} variables needs {} samples, got {}", p, p + 1, n));
    Eigen::MatrixXd centred(n, p);
    for (std::size_t t = 0; t < p; ++t) {
        const auto column = data.column(order[t]);
        // Not Eigen's mean of a Map: its order of summation depends on the address.
        centred.col(static_cast<long>(t)) =
            Eigen::Map<const Eigen::VectorXd>(column.data(), static_cast<long>(n)).array() -
            stats::mean(column);
    }
    // Predictors are nested along the order, so one QR holds every regression: in the basis of Q
    // the first t + 1 columns of R are the data of target t, and inner products are unchanged.
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(centred);
    const Eigen::MatrixXd r =
        qr.matrixQR().topRows(static_cast<long>(p)).triangularView<Eigen::Upper>();
    Matrix effects(p, p);
    for (std::size_t t = 1; t < p; ++t) {
        CULPRIT_TRY_STATUS(stop.check());
        const auto k = static_cast<long>(t);
        const Eigen::VectorXd target = r.col(k).head(k + 1);
        if (n <= t + 1)
            return fail(
                ErrorCode::too_few_samples,
                fmt::format("LiNGAM needs {} samples for {} predictors, got {}", t + 2, t, n));
        const double rss = target(k) * target(k);
        if (!(rss > 1e-24 * target.squaredNorm()))
            return fail(ErrorCode::numerical,
                        fmt::format("LiNGAM needs noise in every variable; number {} is a linear "
                                    "function of others",
                                    order[t]));
        const Eigen::VectorXd ols =
            r.topLeftCorner(k, k).triangularView<Eigen::Upper>().solve(target.head(k));
        if (!ols.allFinite())
            return fail(ErrorCode::numerical, "LiNGAM needs linearly independent variables");
        Matrix weighted(t + 1, t);
        for (std::size_t c = 0; c < t; ++c)
            for (std::size_t i = 0; i <= c; ++i)
                weighted(i, c) = r(static_cast<long>(i), static_cast<long>(c)) *
                                 std::abs(ols(static_cast<long>(c)));
        const double noise = rss / static_cast<double>(n - t - 1);
        const auto lasso = stats::lasso_lars_bic(
            weighted, std::vector<double>(target.data(), target.data() + k + 1), noise, n);
        for (std::size_t c = 0; c < t; ++c)
            effects(order[t], order[c]) = lasso[c] * std::abs(ols(static_cast<long>(c)));
    }
    return effects;
}

Result<IcaLingamFinding> ica_lingam(MatrixView data, const FastIcaOptions& options,
                                    const Stop& stop) {
    CULPRIT_TRY(const FastIcaFinding ica, fast_ica(data, options, stop));
    IcaLingamFinding finding;
    finding.num_iterations = ica.num_iterations;
    finding.has_converged = ica.has_converged;
    finding.model.order = order_from_unmixing(ica.unmixing).order;
    CULPRIT_TRY(finding.model.effects, effects_along_order(data, finding.model.order, stop));
    return finding;
}

}  // namespace culprit
