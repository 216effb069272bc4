#include "culprit/causal/direct_lingam.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "culprit/base/check.h"
#include "culprit/causal/independent_columns.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

// Hyvarinen's maximum-entropy approximation for a variable of mean 0 and variance 1.
double entropy(std::span<const double> u) {
    constexpr double k1 = 79.047;
    constexpr double k2 = 7.4129;
    constexpr double gamma = 0.37457;
    double log_cosh = 0.0;
    double odd = 0.0;
    for (const double v : u) {
        const double a = std::abs(v);
        log_cosh += a + std::log1p(std::exp(-2.0 * a)) - std::numbers::ln2;
        odd += v * std::exp(-0.5 * v * v);
    }
    const auto n = static_cast<double>(u.size());
    log_cosh = log_cosh / n - gamma;
    odd /= n;
    return 0.5 * (1.0 + std::log(2.0 * std::numbers::pi)) - k1 * log_cosh * log_cosh -
           k2 * odd * odd;
}

double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// To mean 0 and variance 1; false when nothing is left.
bool standardise(std::span<double> values) {
    const stats::Moments m = stats::moments(values);
    if (!(m.variance > 0.0)) return false;
    const double scale = 1.0 / std::sqrt(m.variance);
    for (double& v : values) v = (v - m.mean) * scale;
    return true;
}

// H of what remains of `a` when `b` with correlation r is regressed out, both standardised.
double residual_entropy(std::span<const double> a, std::span<const double> b, double r,
                        std::vector<double>& scratch) {
    const double scale = 1.0 / std::sqrt(std::max((1.0 - r) * (1.0 + r), 1e-24));
    for (std::size_t i = 0; i < a.size(); ++i) scratch[i] = (a[i] - r * b[i]) * scale;
    return entropy(scratch);
}

}  // namespace

Result<LinearDag> direct_lingam(MatrixView data, const Stop& stop) {
    const std::size_t n = data.num_rows();
    const std::size_t p = data.num_columns();
    CULPRIT_CHECK(p > 0);
    if (n <= p)
        return fail(ErrorCode::too_few_samples,
                    fmt::format("LiNGAM of {} variables needs {} samples, got {}", p, p + 1, n));
    const std::size_t rank = independent_columns(data).size();
    if (rank < p)
        return fail(ErrorCode::numerical,
                    fmt::format("LiNGAM needs {} linearly independent variables, got {}", p, rank));
    Matrix x(n, p);
    for (std::size_t c = 0; c < p; ++c)
        std::copy(data.column(c).begin(), data.column(c).end(), x.column(c).begin());
    std::vector<std::size_t> rest(p);
    for (std::size_t c = 0; c < p; ++c) rest[c] = c;
    std::vector<double> scratch(n);
    LinearDag model;
    while (!rest.empty()) {
        std::vector<double> own(p, 0.0);
        for (const std::size_t c : rest) {
            if (!standardise(x.column(c)))
                return fail(ErrorCode::numerical, "LiNGAM needs noise in every variable");
            own[c] = entropy(x.column(c));
        }
        std::vector<double> penalty(p, 0.0);
        for (std::size_t a = 0; a < rest.size(); ++a) {
            CULPRIT_TRY_STATUS(stop.check());
            for (std::size_t b = a + 1; b < rest.size(); ++b) {
                const std::size_t i = rest[a];
                const std::size_t j = rest[b];
                const auto xi = x.column(i);
                const auto xj = x.column(j);
                const double r = dot(xi, xj) / static_cast<double>(n);
                const double ratio = (own[j] + residual_entropy(xi, xj, r, scratch)) -
                                     (own[i] + residual_entropy(xj, xi, r, scratch));
                const double against_i = std::min(0.0, ratio);
                const double against_j = std::min(0.0, -ratio);
                penalty[i] += against_i * against_i;
                penalty[j] += against_j * against_j;
            }
        }
        const auto next = std::min_element(rest.begin(), rest.end(),
                                           [&](auto a, auto b) { return penalty[a] < penalty[b]; });
        const std::size_t cause = *next;
        model.order.push_back(cause);
        rest.erase(next);
        for (const std::size_t c : rest) {
            const double r = dot(x.column(c), x.column(cause)) / static_cast<double>(n);
            const auto target = x.column(c);
            const auto source = x.column(cause);
            for (std::size_t i = 0; i < n; ++i) target[i] -= r * source[i];
        }
    }
    CULPRIT_TRY(model.effects, effects_along_order(data, model.order, stop));
    return model;
}

}  // namespace culprit
