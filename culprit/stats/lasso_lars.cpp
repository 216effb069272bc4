#include "culprit/stats/lasso_lars.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "culprit/base/check.h"

namespace culprit::stats {
namespace {

constexpr int knots_max = 500;
constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double tiny = std::numeric_limits<float>::min();  // keeps quotients finite
constexpr double diagonal_min = 1e-7;  // a regressor below it repeats the active ones

double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// The smallest positive quotient so far.
void lower_to_positive(double& best, double candidate) {
    if (candidate > 0.0 && candidate < best) best = candidate;
}

// One walk along the path. Variables are `active` (in the model), out, or `is_excluded` for good.
class LarsPath {
public:
    LarsPath(MatrixView x, const std::vector<double>& y)
        : num_(x.num_columns()),
          gram_(num_, num_),
          target_(num_),
          covariance_(num_),
          coefficients_(num_, 0.0),
          is_active_(num_, false),
          is_excluded_(num_, false) {
        for (std::size_t a = 0; a < num_; ++a) {
            for (std::size_t b = a; b < num_; ++b)
                gram_(a, b) = gram_(b, a) = dot(x.column(a), x.column(b));
            target_[a] = dot(x.column(a), y);
        }
        covariance_ = target_;
    }

    const std::vector<double>& coefficients() const { return coefficients_; }

    // Goes to the next knot; false when the path has ended.
    bool advance(double alpha_end) {
        while (true) {
            const std::size_t entering = most_correlated();
            const double c = entering == num_ ? 0.0 : std::abs(covariance_[entering]);
            if (c <= alpha_end) return false;
            if (!has_dropped_) {
                if (active_.size() >= num_) return false;
                if (!enter(entering)) continue;
            }
            if (num_knots_ > 0 && last_c_ < c) return false;  // rounding took over
            if (active_.empty()) return false;
            last_c_ = c;
            step(c);
            ++num_knots_;
            return true;
        }
    }

private:
    std::size_t most_correlated() const {
        std::size_t best = num_;
        for (std::size_t v = 0; v < num_; ++v) {
            if (is_active_[v] || is_excluded_[v]) continue;
            if (best == num_ || std::abs(covariance_[v]) > std::abs(covariance_[best])) best = v;
        }
        return best;
    }

    // Adds v to the active set and a row to the Cholesky factor; false if v repeats what is there.
    bool enter(std::size_t v) {
        std::vector<double> row;
        double rest = gram_(v, v);
        for (std::size_t i = 0; i < active_.size(); ++i) {
            double value = gram_(v, active_[i]);
            for (std::size_t k = 0; k < i; ++k) value -= factor_[i][k] * row[k];
            row.push_back(value / factor_[i][i]);
            rest -= row.back() * row.back();
        }
        const double diagonal = std::max(std::sqrt(std::abs(rest)), eps);
        if (diagonal < diagonal_min) {
            is_excluded_[v] = true;
            return false;
        }
        row.push_back(diagonal);
        factor_.push_back(std::move(row));
        active_.push_back(v);
        signs_.push_back(covariance_[v] < 0.0 ? -1.0 : 1.0);
        is_active_[v] = true;
        return true;
    }

    // Equiangular direction: solves factor factor' d = signs, scaled to unit length.
    std::vector<double> direction(double& scale) const {
        std::vector<double> d = signs_;
        const std::size_t m = d.size();
        for (std::size_t i = 0; i < m; ++i) {
            for (std::size_t k = 0; k < i; ++k) d[i] -= factor_[i][k] * d[k];
            d[i] /= factor_[i][i];
        }
        for (std::size_t i = m; i-- > 0;) {
            for (std::size_t k = i + 1; k < m; ++k) d[i] -= factor_[k][i] * d[k];
            d[i] /= factor_[i][i];
        }
        scale = 1.0 / std::sqrt(dot(d, signs_));
        for (double& value : d) value *= scale;
        return d;
    }

    void step(double c) {
        double scale = 0.0;
        const std::vector<double> d = direction(scale);
        std::vector<double> along(num_, 0.0);
        double gamma = c / scale;
        for (std::size_t v = 0; v < num_; ++v) {
            if (is_active_[v]) continue;
            for (std::size_t i = 0; i < active_.size(); ++i)
                along[v] += gram_(v, active_[i]) * d[i];
            if (is_excluded_[v]) continue;
            lower_to_positive(gamma, (c - covariance_[v]) / (scale - along[v] + tiny));
            lower_to_positive(gamma, (c + covariance_[v]) / (scale + along[v] + tiny));
        }
        double crossing = std::numeric_limits<double>::infinity();
        std::size_t leaving = active_.size();
        for (std::size_t i = 0; i < active_.size(); ++i) {
            const double z = -coefficients_[active_[i]] / (d[i] + tiny);
            if (z > 0.0 && z < crossing) {
                crossing = z;
                leaving = i;
            }
        }
        has_dropped_ = crossing < gamma;
        if (has_dropped_) gamma = crossing;
        for (std::size_t i = 0; i < active_.size(); ++i) coefficients_[active_[i]] += gamma * d[i];
        for (std::size_t v = 0; v < num_; ++v)
            if (!is_active_[v] && !is_excluded_[v]) covariance_[v] -= gamma * along[v];
        if (has_dropped_) drop(leaving);
    }

    void drop(std::size_t position) {
        const std::size_t v = active_[position];
        active_.erase(active_.begin() + static_cast<long>(position));
        signs_.erase(signs_.begin() + static_cast<long>(position));
        is_active_[v] = false;
        // The coefficient is zero by construction; what rounding left of it stays, as in the path
        // of the reference, and is below the threshold that counts degrees of freedom.
        const std::vector<std::size_t> kept = active_;
        factor_.clear();
        for (std::size_t i = 0; i < kept.size(); ++i) {
            std::vector<double> row;
            double rest = gram_(kept[i], kept[i]);
            for (std::size_t j = 0; j < i; ++j) {
                double value = gram_(kept[i], kept[j]);
                for (std::size_t k = 0; k < j; ++k) value -= factor_[j][k] * row[k];
                row.push_back(value / factor_[j][j]);
                rest -= row.back() * row.back();
            }
            row.push_back(std::max(std::sqrt(std::abs(rest)), eps));
            factor_.push_back(std::move(row));
        }
        double covariance = target_[v];
        for (std::size_t k = 0; k < num_; ++k) covariance -= gram_(v, k) * coefficients_[k];
        covariance_[v] = covariance;
    }

    std::size_t num_;
    Matrix gram_;
    std::vector<double> target_;
    std::vector<double> covariance_;
    std::vector<double> coefficients_;
    std::vector<bool> is_active_;
    std::vector<bool> is_excluded_;
    std::vector<std::size_t> active_;
    std::vector<double> signs_;
    std::vector<std::vector<double>> factor_;
    bool has_dropped_ = false;
    int num_knots_ = 0;
    double last_c_ = 0.0;
};

double criterion(MatrixView x, const std::vector<double>& y, const std::vector<double>& b,
                 double noise_variance, double n) {
    std::vector<double> residual = y;
    double df = 0.0;
    for (std::size_t v = 0; v < b.size(); ++v) {
        if (b[v] == 0.0) continue;
        df += std::abs(b[v]) > eps ? 1.0 : 0.0;
        const auto column = x.column(v);
        for (std::size_t i = 0; i < residual.size(); ++i) residual[i] -= column[i] * b[v];
    }
    return n * std::log(2.0 * std::numbers::pi * noise_variance) +
           dot(residual, residual) / noise_variance + std::log(n) * df;
}

}  // namespace

std::vector<double> lasso_lars_bic(MatrixView x, const std::vector<double>& y,
                                   double noise_variance, std::size_t num_samples) {
    CULPRIT_CHECK(x.num_rows() == y.size() && noise_variance > 0.0);
    const auto n = static_cast<double>(num_samples);
    LarsPath path(x, y);
    std::vector<double> best = path.coefficients();
    double best_criterion = criterion(x, y, best, noise_variance, n);
    for (int knot = 0; knot < knots_max && path.advance(eps * n); ++knot) {
        const double value = criterion(x, y, path.coefficients(), noise_variance, n);
        if (value < best_criterion) {
            best_criterion = value;
            best = path.coefficients();
        }
    }
    return best;
}

}  // namespace culprit::stats
