#include "culprit/causal/granger.h"

#include <fmt/format.h>

#include <Eigen/QR>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "culprit/base/parallel.h"
#include "culprit/stats/correlation_matrix.h"
#include "culprit/stats/distributions.h"

namespace culprit {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double eps = std::numeric_limits<double>::epsilon();
// Co-moments carry about 1e-16 of a variance; what is left after elimination must stand 1e10 above
// that for nine digits.
constexpr double pivot_min = 1e-6;
constexpr std::size_t lag_limit = 8;

using Block = std::array<double, lag_limit * lag_limit>;  // [i * lag_limit + j]
using Column = std::array<double, lag_limit>;

// Cholesky in place (lower triangle). False when a pivot is below `pivot_min` of its diagonal.
bool factorise(Block& a, std::size_t n) {
    for (std::size_t j = 0; j < n; ++j) {
        const double diagonal = a[j * lag_limit + j];
        double pivot = diagonal;
        for (std::size_t k = 0; k < j; ++k) pivot -= a[j * lag_limit + k] * a[j * lag_limit + k];
        if (!(pivot >= pivot_min)) return false;
        const double root = std::sqrt(pivot);
        a[j * lag_limit + j] = root;
        for (std::size_t i = j + 1; i < n; ++i) {
            double sum = a[i * lag_limit + j];
            for (std::size_t k = 0; k < j; ++k) sum -= a[i * lag_limit + k] * a[j * lag_limit + k];
            a[i * lag_limit + j] = sum / root;
        }
    }
    return true;
}

// x := L^-1 x for the factor above.
void forward(const Block& l, std::size_t n, Column& x) {
    for (std::size_t i = 0; i < n; ++i) {
        double sum = x[i];
        for (std::size_t k = 0; k < i; ++k) sum -= l[i * lag_limit + k] * x[k];
        x[i] = sum / l[i * lag_limit + i];
    }
}

double square(const Column& x, std::size_t n) {
    double sum = 0.0;
    for (std::size_t i = 0; i < n; ++i) sum += x[i] * x[i];
    return sum;
}

// All series at lags 0..lag on the rows lag..N-1, and their co-moments scaled to unit variance.
class LaggedMoments {
public:
    LaggedMoments(MatrixView data, std::size_t lag, unsigned num_threads)
        : data_(data), lag_(lag), moments_(scaled_moments(data, lag, num_threads)) {
        for (std::size_t v = 0; v < data.num_columns(); ++v)
            for (std::size_t l = 0; l <= lag; ++l) constant_.push_back(is_constant(series(v, l)));
    }

    std::size_t lag() const { return lag_; }
    std::size_t num_rows() const { return data_.num_rows() - lag_; }
    /// x_{t-l} for t = lag..N-1.
    std::span<const double> series(std::size_t variable, std::size_t l) const {
        return data_.column(variable).subspan(lag_ - l, num_rows());
    }
    double moment(std::size_t a, std::size_t la, std::size_t b, std::size_t lb) const {
        return moments_(a * (lag_ + 1) + la, b * (lag_ + 1) + lb);
    }
    bool past_is_constant(std::size_t v) const {
        for (std::size_t l = 1; l <= lag_; ++l)
            if (constant_[v * (lag_ + 1) + l]) return true;
        return false;
    }
    bool present_is_constant(std::size_t v) const { return constant_[v * (lag_ + 1)]; }

private:
    static bool is_constant(std::span<const double> values) {
        return std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; });
    }
    static Matrix scaled_moments(MatrixView data, std::size_t lag, unsigned num_threads) {
        const std::size_t n = data.num_rows() - lag;
        Matrix lagged(n, data.num_columns() * (lag + 1));
        for (std::size_t v = 0; v < data.num_columns(); ++v)
            for (std::size_t l = 0; l <= lag; ++l) {
                const auto from = data.column(v).subspan(lag - l, n);
                std::copy(from.begin(), from.end(), lagged.column(v * (lag + 1) + l).begin());
            }
        return stats::correlation_matrix(lagged, num_threads);
    }

    MatrixView data_;
    std::size_t lag_;
    Matrix moments_;
    std::vector<bool> constant_;
};

struct PairAnswer {
    double gain = nan;
    std::size_t lost_rank = 0;
};

// One effect with its own past eliminated.
class Effect {
public:
    Effect(const LaggedMoments& moments, std::size_t effect) : m_(moments), y_(effect) {
        const std::size_t p = m_.lag();
        for (std::size_t i = 0; i < p; ++i) {
            for (std::size_t j = 0; j <= i; ++j)
                past_[i * lag_limit + j] = m_.moment(y_, i + 1, y_, j + 1);
            projection_[i] = m_.moment(y_, 0, y_, i + 1);
        }
        well_conditioned_ = factorise(past_, p);
        if (!well_conditioned_) return;
        forward(past_, p, projection_);
        rest_ = 1.0 - square(projection_, p);
        well_conditioned_ = rest_ >= pivot_min;
    }

    PairAnswer with(std::size_t cause) const {
        if (m_.present_is_constant(y_) || m_.past_is_constant(y_) || m_.past_is_constant(cause))
            return {};
        if (const auto answer = solve(cause)) return *answer;
        return regress(cause);
    }

private:
    std::optional<PairAnswer> solve(std::size_t x) const {
        if (!well_conditioned_) return std::nullopt;
        const std::size_t p = m_.lag();
        std::array<Column, lag_limit> w;  // L^-1 of the moments of y's past with each lag of x
        for (std::size_t j = 0; j < p; ++j) {
            for (std::size_t i = 0; i < p; ++i) w[j][i] = m_.moment(y_, i + 1, x, j + 1);
            forward(past_, p, w[j]);
        }
        Block a;
        Column b;
        for (std::size_t i = 0; i < p; ++i) {
            b[i] = m_.moment(y_, 0, x, i + 1);
            for (std::size_t k = 0; k < p; ++k) b[i] -= w[i][k] * projection_[k];
            for (std::size_t j = 0; j <= i; ++j) {
                double sum = m_.moment(x, i + 1, x, j + 1);
                for (std::size_t k = 0; k < p; ++k) sum -= w[i][k] * w[j][k];
                a[i * lag_limit + j] = sum;
            }
        }
        if (!factorise(a, p)) return std::nullopt;
        forward(a, p, b);
        const double explained = square(b, p);
        const double unexplained = rest_ - explained;
        if (!(unexplained >= pivot_min)) return std::nullopt;
        return PairAnswer{explained / unexplained, 0};
    }

    // Orthogonal factorisation of the centred series, for what moments cannot resolve.
    PairAnswer regress(std::size_t x) const {
        const std::size_t p = m_.lag();
        const auto n = static_cast<Eigen::Index>(m_.num_rows());
        const auto centred = [&](std::size_t v, std::size_t l) {
            const auto s = m_.series(v, l);
            Eigen::VectorXd values = Eigen::Map<const Eigen::VectorXd>(s.data(), n);
            values.array() -= values.mean();
            return values;
        };
        Eigen::MatrixXd own(n, static_cast<Eigen::Index>(p));
        Eigen::MatrixXd joint(n, static_cast<Eigen::Index>(2 * p));
        for (std::size_t l = 1; l <= p; ++l) {
            const auto at = static_cast<Eigen::Index>(l - 1);
            own.col(at) = centred(y_, l).normalized();
            joint.col(at) = own.col(at);
            joint.col(at + static_cast<Eigen::Index>(p)) = centred(x, l).normalized();
        }
        const Eigen::VectorXd target = centred(y_, 0);
        std::size_t rank = 0;
        const double restricted = residual_squares(own, target, rank);
        const double unrestricted = residual_squares(joint, target, rank);
        if (!(unrestricted >= eps * target.squaredNorm())) return {};
        return {std::max(0.0, restricted - unrestricted) / unrestricted, 2 * p - rank};
    }

    static double residual_squares(const Eigen::MatrixXd& regressors, const Eigen::VectorXd& target,
                                   std::size_t& rank) {
        Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(regressors);
        qr.setThreshold(1e-13);
        rank = static_cast<std::size_t>(qr.rank());
        const Eigen::VectorXd rotated = qr.householderQ().adjoint() * target;
        return rotated.tail(rotated.size() - qr.rank()).squaredNorm();
    }

    const LaggedMoments& m_;
    std::size_t y_;
    Block past_{};
    Column projection_{};
    double rest_ = 0.0;
    bool well_conditioned_ = false;
};

Status test_lag(MatrixView data, std::size_t lag, const GrangerOptions& options,
                GrangerTable& table) {
    CULPRIT_TRY_STATUS(options.stop.check());
    const LaggedMoments moments(data, lag, options.num_threads);
    const std::size_t v = data.num_columns();
    const auto body = [&](std::size_t begin, std::size_t end) {
        for (std::size_t effect = begin; effect < end; ++effect) {
            if (options.stop.requested()) return;
            const Effect own_past(moments, effect);
            for (std::size_t cause = 0; cause < v; ++cause) {
                if (cause == effect) continue;
                const PairAnswer answer = own_past.with(cause);
                table.set(effect, cause, lag, answer.gain, answer.lost_rank);
            }
        }
    };
    parallel_for(v, options.num_threads, body);
    return options.stop.check();
}

}  // namespace

double GrangerFinding::f() const {
    return gain / static_cast<double>(lag) * static_cast<double>(degrees_of_freedom);
}
double GrangerFinding::chi_squared() const { return gain * static_cast<double>(num_rows); }
double GrangerFinding::likelihood_ratio() const {
    return std::log1p(gain) * static_cast<double>(num_rows);
}

GrangerPValues p_values(const GrangerFinding& finding) {
    if (!finding.is_feasible()) return {};
    const auto lag = static_cast<double>(finding.lag);
    return {stats::f_upper_tail(finding.f(), lag, static_cast<double>(finding.degrees_of_freedom)),
            stats::chi_squared_upper_tail(finding.chi_squared(), lag),
            stats::chi_squared_upper_tail(finding.likelihood_ratio(), lag)};
}

GrangerTable::GrangerTable(std::size_t num_variables, std::size_t num_rows, std::size_t lag_max)
    : num_variables_(num_variables),
      num_rows_(num_rows),
      lag_max_(lag_max),
      gain_(num_variables * num_variables * lag_max, nan),
      lost_rank_(gain_.size(), 0) {}

GrangerFinding GrangerTable::finding(std::size_t effect, std::size_t cause, std::size_t lag) const {
    const std::size_t n = num_rows_ - lag;
    const std::size_t regressors = 2 * lag + 1 - lost_rank_[slot(effect, cause, lag)];
    if (n <= regressors) return {nan, lag, n, 0};
    return {gain_[slot(effect, cause, lag)], lag, n, n - regressors};
}

void GrangerTable::set(std::size_t effect, std::size_t cause, std::size_t lag, double gain,
                       std::size_t lost_rank) {
    gain_[slot(effect, cause, lag)] = gain;
    lost_rank_[slot(effect, cause, lag)] = static_cast<std::uint8_t>(lost_rank);
}

Result<GrangerTable> granger(MatrixView data, const GrangerOptions& options) {
    const std::size_t lag_max = options.lag_max;
    if (lag_max == 0 || lag_max > lag_limit)
        return fail(ErrorCode::invalid_input,
                    fmt::format("granger needs a lag of 1 to {}, got {}", lag_limit, lag_max));
    if (data.num_rows() <= 3 * lag_max + 1)
        return fail(ErrorCode::too_few_samples,
                    fmt::format("granger needs 3p + 2 = {} samples for lag {}, got {}",
                                3 * lag_max + 2, lag_max, data.num_rows()));
    GrangerTable table(data.num_columns(), data.num_rows(), lag_max);
    for (std::size_t lag = 1; lag <= lag_max; ++lag)
        CULPRIT_TRY_STATUS(test_lag(data, lag, options, table));
    return table;
}

}  // namespace culprit
