#include "culprit/causal/fisher_z.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "culprit/base/check.h"
#include "culprit/stats/correlation_matrix.h"
#include "culprit/stats/distributions.h"

namespace culprit {
namespace {

// Residual variance (of a unit-variance variable) below which the others determine it. Correlations
// of doubles carry about 1e-15 of noise and eliminating a few variables loses up to three digits.
constexpr double collinear = 1e-12;
// Relative distance of r^2 from its critical value within which the exact p-value decides.
constexpr double near_alpha = 1e-6;
// A variance that no comparison of the sweep can take for a real one.
constexpr double masked = -1.0;

double binomial(std::size_t n, std::size_t k) {
    double value = 1.0;
    for (std::size_t i = 0; i < k; ++i)
        value *= static_cast<double>(n - i) / static_cast<double>(i + 1);
    return value;
}

// The tests of one variable x against its neighbours at one size of the conditioning set, as a
// depth-first walk over the sets. Level k holds what is left of the correlations after k members
// are eliminated.
class Sweep {
public:
    Sweep(const FisherZ& test, std::size_t x, std::span<const std::size_t> others, std::size_t size,
          SepsetRule rule, const Stop& stop, TestCounts& counts)
        : test_(test),
          x_(x),
          others_(others),
          size_(size),
          rule_(rule),
          stop_(stop),
          counts_(counts),
          count_(others.size()),
          result_(others.size()),
          active_(others.size()),
          critical_(test.critical(size)) {
        levels_.resize(std::max<std::size_t>(size, 1));
        for (Level& level : levels_) {
            level.with_x.resize(count_);
            level.variance.resize(count_);
        }
    }

    Result<SeparationResult> run() {
        Level& first = levels_[0];
        const Matrix& r = test_.correlations();
        first.x_variance = 1.0;
        for (std::size_t i = 0; i < count_; ++i) {
            first.with_x[i] = r(others_[i], x_);
            first.variance[i] = 1.0;
        }
        if (size_ == 0) {
            const std::vector<double> none(count_, 0.0);
            if (scan({none.data(), first.with_x.data(), first.variance.data(), 0.0, 0.0}, 1.0))
                settle(first.with_x.data(), first.variance.data(), 1.0);
            return std::move(result_);
        }
        first.rest.resize(count_ * count_);
        for (std::size_t i = 0; i < count_; ++i)
            for (std::size_t j = 0; j < count_; ++j)
                first.rest[i * count_ + j] = r(others_[j], others_[i]);
        leaf_with_x_.resize(count_);
        leaf_variance_.resize(count_);
        descend(0, 0);
        if (stopped_) return tl::unexpected<Error>(stop_.check().error());
        return std::move(result_);
    }

private:
    struct Level {
        std::vector<double> rest;      // [i * count + j]: rows of the members still to come
        std::vector<double> with_x;    // [j]
        std::vector<double> variance;  // [j]; `masked` for members of S and separated neighbours
        double x_variance = 1.0;
    };

    // Adds each later neighbour to the set of `level` members and goes on.
    void descend(std::size_t level, std::size_t begin) {
        const std::size_t missing = size_ - level - 1;  // members to add below the next one
        for (std::size_t s = begin; s + missing < count_; ++s) {
            if (stopped_ || active_ == 0) return;
            chosen_.push_back(s);
            Level& here = levels_[level];
            if (true_variance(here, s) < collinear)
                skip_collinear(s, missing);
            else if (missing == 0)
                leaf(here, s);
            else
                descend_below(here, level, s);
            chosen_.pop_back();
        }
    }

    void descend_below(const Level& here, std::size_t level, std::size_t s) {
        eliminate(here, levels_[level + 1], s);
        descend(level + 1, s + 1);
    }

    // The variance entry may be masked because the neighbour is separated already; it is still a
    // member of sets.
    double true_variance(const Level& here, std::size_t s) const {
        return here.rest[s * count_ + s];
    }

    void skip_collinear(std::size_t s, std::size_t missing) {
        const auto sets = static_cast<std::uint64_t>(binomial(count_ - s - 1, missing));
        counts_.tests += sets * (count_ - size_);
        counts_.degenerate += sets * (count_ - size_);
    }

    void eliminate(const Level& here, Level& next, std::size_t s) {
        const double* row = here.rest.data() + s * count_;
        const double inverse = 1.0 / row[s];
        next.rest.resize(count_ * count_);
        for (std::size_t i = s + 1; i < count_; ++i) {
            const double factor = row[i] * inverse;
            const double* from = here.rest.data() + i * count_;
            double* to = next.rest.data() + i * count_;
            for (std::size_t j = 0; j < count_; ++j) to[j] = from[j] - factor * row[j];
        }
        condition(here, s, next.with_x.data(), next.variance.data());
        next.x_variance = here.x_variance - here.with_x[s] * here.with_x[s] * inverse;
        next.variance[s] = masked;
    }

    // What is left of x's covariances and of all variances once s is known.
    void condition(const Level& here, std::size_t s, double* with_x, double* variance) const {
        const double* __restrict row = here.rest.data() + s * count_;
        const double* __restrict from_x = here.with_x.data();
        const double* __restrict from_variance = here.variance.data();
        double* __restrict to_x = with_x;
        double* __restrict to_variance = variance;
        const double inverse = 1.0 / row[s];
        const double factor = from_x[s] * inverse;
        for (std::size_t j = 0; j < count_; ++j) {
            to_x[j] = from_x[j] - factor * row[j];
            to_variance[j] = from_variance[j] - row[j] * row[j] * inverse;
        }
    }

    // One more member s: decisions straight from the level above, nothing stored.
    void leaf(Level& here, std::size_t s) {
        if ((++leaves_ & 1023U) == 0 && stop_.requested()) stopped_ = true;
        const double* row = here.rest.data() + s * count_;
        const double inverse = 1.0 / row[s];
        const double factor = here.with_x[s] * inverse;
        const double x_variance = here.x_variance - here.with_x[s] * factor;
        const double kept = std::exchange(here.variance[s], masked);
        const bool hit =
            scan({row, here.with_x.data(), here.variance.data(), factor, inverse}, x_variance);
        if (hit) {
            condition(here, s, leaf_with_x_.data(), leaf_variance_.data());
            settle(leaf_with_x_.data(), leaf_variance_.data(), x_variance);
        }
        // `settle` may have masked it for good.
        if (!result_[s] || rule_ == SepsetRule::union_of_all) here.variance[s] = kept;
    }

    // Covariances with x and variances once a member is eliminated: with_x - factor * row and
    // variance - row^2 * inverse.
    struct Elimination {
        const double* row;
        const double* with_x;
        const double* variance;
        double factor, inverse;
    };

    // One decision per neighbour outside the set: independent iff cov^2 < critical * var * var.
    // Counts, and says whether some neighbour may be independent.
    bool scan(const Elimination& e, double x_variance) {
        if (x_variance < collinear) {
            counts_.tests += count_ - size_;
            counts_.degenerate += count_ - size_;
            return false;
        }
        const double* __restrict row = e.row;
        const double* __restrict with_x = e.with_x;
        const double* __restrict variance = e.variance;
        const double factor = e.factor;
        const double inverse = e.inverse;
        const double loose = critical_.alpha * (1.0 + near_alpha) * x_variance;
        const double half = critical_.half_alpha * x_variance;
        const double twice = critical_.twice_alpha * x_variance;
        std::int64_t hits = 0;
        std::int64_t fragile = 0;
        std::int64_t real = 0;
        std::int64_t fixed = 0;
        for (std::size_t j = 0; j < count_; ++j) {
            const double c = with_x[j] - factor * row[j];
            const double v = variance[j] - row[j] * row[j] * inverse;
            const double square = c * c;
            hits += square <= loose * v ? 1 : 0;
            fragile += square <= half * v ? 1 : 0;
            fragile -= square < twice * v ? 1 : 0;
            real += v > masked / 2 ? 1 : 0;
            fixed += v < collinear ? 1 : 0;
        }
        counts_.tests += static_cast<std::uint64_t>(real);
        counts_.fragile += static_cast<std::uint64_t>(fragile);
        counts_.degenerate +=
            static_cast<std::uint64_t>(fixed - (static_cast<std::int64_t>(count_) - real));
        return hits > 0;
    }

    void settle(const double* with_x, const double* variance, double x_variance) {
        for (std::size_t j = 0; j < count_; ++j) {
            const double v = variance[j];
            if (v < collinear) continue;
            const double square = with_x[j] * with_x[j];
            const double critical = critical_.alpha * v * x_variance;
            if (square > critical * (1.0 + near_alpha)) continue;
            if (square >= critical * (1.0 - near_alpha) && !exactly_independent(j)) continue;
            keep(j);
        }
    }

    bool exactly_independent(std::size_t j) const {
        return test_.p_value(x_, others_[j], chosen()) > test_.alpha();
    }

    std::vector<std::size_t> chosen() const {
        std::vector<std::size_t> set;
        for (const std::size_t s : chosen_) set.push_back(others_[s]);
        return set;
    }

    void keep(std::size_t j) {
        if (!result_[j]) result_[j].emplace();
        std::vector<std::size_t>& set = *result_[j];
        for (const std::size_t s : chosen_) {
            const auto place = std::lower_bound(set.begin(), set.end(), others_[s]);
            if (place == set.end() || *place != others_[s]) set.insert(place, others_[s]);
        }
        if (rule_ == SepsetRule::union_of_all) return;
        --active_;
        for (Level& level : levels_) level.variance[j] = masked;
    }

    const FisherZ& test_;
    const std::size_t x_;
    const std::span<const std::size_t> others_;
    const std::size_t size_;
    const SepsetRule rule_;
    const Stop& stop_;
    TestCounts& counts_;
    const std::size_t count_;
    SeparationResult result_;
    std::size_t active_;  // neighbours still to separate
    const FisherZ::Critical critical_;
    std::vector<Level> levels_;
    std::vector<double> leaf_with_x_;
    std::vector<double> leaf_variance_;
    std::vector<std::size_t> chosen_;  // positions in `others_`
    std::uint64_t leaves_ = 0;
    bool stopped_ = false;
};

// With too few samples every test says independent, so the answer is known without testing.
SeparationResult separate_all(std::span<const std::size_t> others, std::size_t size,
                              SepsetRule rule, TestCounts& counts) {
    counts.tests += others.size();
    counts.degenerate += others.size();
    SeparationResult result(others.size());
    for (std::size_t k = 0; k < others.size(); ++k) {
        std::vector<std::size_t> pool(others.begin(), others.end());
        pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(k));
        if (rule == SepsetRule::first || size == 0) pool.resize(size);
        result[k] = std::move(pool);
    }
    return result;
}

}  // namespace

FisherZ FisherZ::of(MatrixView data, double alpha, unsigned num_threads) {
    return {stats::correlation_matrix(data, num_threads), data.num_rows(), alpha};
}

FisherZ::FisherZ(Matrix correlations, std::size_t num_samples, double alpha)
    : correlations_(std::move(correlations)), num_samples_(num_samples), alpha_(alpha) {
    CULPRIT_CHECK(alpha > 0.0 && alpha < 0.5);
    const double levels[] = {alpha, alpha / 2, alpha * 2};
    double z[3];
    for (int i = 0; i < 3; ++i) z[i] = -stats::normal_quantile(levels[i] / 2);
    for (std::size_t size = 0; size < num_variables() && size + 3 < num_samples; ++size) {
        const double root = std::sqrt(static_cast<double>(num_samples - size - 3));
        const auto square = [&](int i) { return std::pow(std::tanh(z[i] / root), 2); };
        critical_.push_back({square(0), square(1), square(2)});
    }
}

double FisherZ::partial_correlation(std::size_t x, std::size_t y,
                                    std::span<const std::size_t> given) const {
    const std::size_t q = given.size() + 2;
    // Lower triangle of the correlations of (given, x, y), factorised in place (Cholesky). The last
    // two rows hold the answer: r = L(y, x) / sqrt(L(y, x)^2 + L(y, y)^2).
    std::array<double, 100> small;
    std::vector<double> large;
    double* l = small.data();
    if (q * q > small.size()) large.resize(q * q), l = large.data();
    const auto node = [&](std::size_t i) {
        return i < given.size() ? given[i] : i == given.size() ? x : y;
    };
    for (std::size_t i = 0; i < q; ++i)
        for (std::size_t j = 0; j <= i; ++j) l[i * q + j] = correlations_(node(i), node(j));
    for (std::size_t k = 0; k < q; ++k) {
        double pivot = l[k * q + k];
        for (std::size_t m = 0; m < k; ++m) pivot -= l[k * q + m] * l[k * q + m];
        if (k + 1 == q) {
            const double cross = l[k * q + k - 1];
            const double variance = pivot + cross * cross;  // of y given the set
            if (!(variance >= collinear)) return std::numeric_limits<double>::quiet_NaN();
            return cross / std::sqrt(variance);
        }
        if (!(pivot >= collinear)) return std::numeric_limits<double>::quiet_NaN();
        const double root = std::sqrt(pivot);
        l[k * q + k] = root;
        for (std::size_t i = k + 1; i < q; ++i) {
            double sum = l[i * q + k];
            for (std::size_t m = 0; m < k; ++m) sum -= l[i * q + m] * l[k * q + m];
            l[i * q + k] = sum / root;
        }
    }
    return 0.0;
}

double FisherZ::p_value(std::size_t x, std::size_t y, std::span<const std::size_t> given) const {
    const double degrees_of_freedom =
        static_cast<double>(num_samples_) - static_cast<double>(given.size()) - 3.0;
    if (degrees_of_freedom <= 0.0) return 1.0;
    const double r = partial_correlation(x, y, given);
    if (!(std::abs(r) < 1.0 - 1e-12)) return 0.0;
    return stats::normal_two_sided(std::sqrt(degrees_of_freedom) * std::atanh(r));
}

bool FisherZ::independent(std::size_t x, std::size_t y, std::span<const std::size_t> given,
                          TestCounts& counts) const {
    ++counts.tests;
    if (num_samples_ <= given.size() + 3) {
        ++counts.degenerate;
        return true;
    }
    const double r = partial_correlation(x, y, given);
    if (std::isnan(r)) {
        ++counts.degenerate;
        return false;
    }
    const Critical& limit = critical_[given.size()];
    const double square = r * r;
    if (square >= limit.twice_alpha && square <= limit.half_alpha) ++counts.fragile;
    if (std::abs(square - limit.alpha) > near_alpha * limit.alpha) return square < limit.alpha;
    return p_value(x, y, given) > alpha_;
}

Result<SeparationResult> FisherZ::separate(std::size_t x, std::span<const std::size_t> others,
                                           std::size_t size, SepsetRule rule, const Stop& stop,
                                           TestCounts& counts) const {
    if (size + 1 > others.size()) return SeparationResult(others.size());
    CULPRIT_TRY_STATUS(stop.check());
    if (num_samples_ <= size + 3) return separate_all(others, size, rule, counts);
    return Sweep(*this, x, others, size, rule, stop, counts).run();
}

}  // namespace culprit
