#include "culprit/stats/energy_distance.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "culprit/base/check.h"
#include "culprit/stats/moments.h"

namespace culprit::stats {

namespace {

/// All values in order: the gaps between neighbours, which row each comes from (those of x first)
/// and to which sample it belongs.
struct Pooled {
    std::vector<double> gap;  // one less than values
    std::vector<std::uint32_t> row;
    std::vector<char> is_x;
};

using Placed = std::pair<double, std::uint32_t>;  // a value and its row

/// In ascending order, equal values by row: by buckets of equal width between the extremes, as many
/// as values, and by comparison within them.
std::vector<Placed> in_order(const std::vector<double>& values) {
    const std::size_t n = values.size();
    std::vector<Placed> placed(n);
    const Extremes reached = extremes(values);
    const double scale = static_cast<double>(n) / (reached.maximum - reached.minimum);
    if (!(scale > 0.0) || !std::isfinite(scale)) {
        for (std::size_t i = 0; i < n; ++i) placed[i] = {values[i], static_cast<std::uint32_t>(i)};
        std::sort(placed.begin(), placed.end());
        return placed;
    }
    std::vector<std::uint32_t> bucket(n);
    std::vector<std::uint32_t> end(n + 1, 0);
    const auto last = static_cast<std::uint32_t>(n - 1);
    for (std::size_t i = 0; i < n; ++i)
        bucket[i] =
            std::min(last, static_cast<std::uint32_t>((values[i] - reached.minimum) * scale));
    for (const std::uint32_t b : bucket) ++end[b + 1];
    for (std::size_t b = 0; b < n; ++b) end[b + 1] += end[b];
    for (std::size_t i = 0; i < n; ++i)  // turns each bucket's begin into its end
        placed[end[bucket[i]]++] = {values[i], static_cast<std::uint32_t>(i)};
    std::uint32_t begin = 0;
    for (std::size_t b = 0; b < n; ++b) {
        if (end[b] - begin > 1) std::sort(placed.begin() + begin, placed.begin() + end[b]);
        begin = end[b];
    }
    return placed;
}

Pooled pool(std::span<const double> x, std::span<const double> y) {
    std::vector<double> all(x.begin(), x.end());
    all.insert(all.end(), y.begin(), y.end());
    const std::vector<Placed> placed = in_order(all);
    Pooled pooled;
    pooled.gap.reserve(placed.size());
    pooled.row.reserve(placed.size());
    pooled.is_x.reserve(placed.size());
    for (std::size_t i = 0; i < placed.size(); ++i) {
        if (i > 0) pooled.gap.push_back(placed[i].first - placed[i - 1].first);
        pooled.row.push_back(placed[i].second);
        pooled.is_x.push_back(placed[i].second < x.size() ? 1 : 0);
    }
    return pooled;
}

// Over each gap |X - Y| crosses with probability F (1 - G) + G (1 - F).
double inhomogeneity(const Pooled& pooled, double step_x, double step_y) {
    double f = 0.0;
    double g = 0.0;
    double between = 0.0;
    double excess = 0.0;
    for (std::size_t i = 0; i < pooled.gap.size(); ++i) {
        const double is_x = pooled.is_x[i];
        f += is_x * step_x;
        g += (1.0 - is_x) * step_y;
        between += pooled.gap[i] * (f * (1.0 - g) + g * (1.0 - f));
        excess += pooled.gap[i] * 2.0 * (f - g) * (f - g);
    }
    return between > 0.0 ? excess / (2.0 * between) : 0.0;
}

}  // namespace

double energy_inhomogeneity(std::span<const double> x, std::span<const double> y) {
    if (x.empty() || y.empty()) return 0.0;
    return inhomogeneity(pool(x, y), 1.0 / static_cast<double>(x.size()),
                         1.0 / static_cast<double>(y.size()));
}

RandomDivisions::RandomDivisions(std::size_t n, std::size_t m, std::size_t count, Random& random)
    : n_(n), m_(m), count_(count) {
    CULPRIT_CHECK(n > 0 && m > 0 && count > 0);
    is_first_.resize(num_blocks() * (n + m));
    std::vector<std::uint8_t> is_first(n + m, 0);
    std::fill_n(is_first.begin(), n, std::uint8_t{1});
    for (std::size_t d = 0; d < num_blocks() * lanes; ++d) {
        if (d < count) random.shuffle(is_first);
        auto* const block = is_first_.data() + d / lanes * (n + m);
        for (std::size_t row = 0; row < n + m; ++row) block[row][d % lanes] = is_first[row];
    }
}

namespace {

/// H of a division against the observed h, as a quadratic form. With a = N/(N+M), b = M/(N+M),
/// P_k = (k+1)/(N+M) and F, G the two distribution functions below gap k, let U_k be the sum of the
/// division's weights of the k + 1 smallest values: F = P + U/N, G = P - U/M, hence with s = 1/N +
/// 1/M
///
///   (F - G)^2 = s^2 U^2
///   F (1 - G) + G (1 - F) = 2 P (1 - P) + U (1/N - 1/M)(1 - 2P) + 2 U^2 / (N M)
///   H >= h  iff  sum gap (F - G)^2 >= h sum gap (F (1 - G) + G (1 - F))
///           iff  sum U (A U + B) >= limit
///
/// A row of the first sample weighs M / (N + M), one of the second -N / (N + M): U_k is the number
/// of rows of the first sample less (k + 1) N / (N + M).
struct Step {
    std::size_t row = 0;  // of the value below the gap
    double a = 0.0;
    double b = 0.0;
    float expected = 0.0F;  // (k + 1) N / (N + M)
};

struct Comparison {
    std::vector<Step> steps;
    double limit = 0.0;
};

Comparison comparison_with(double h, const Pooled& pooled, std::size_t n, std::size_t m) {
    const auto nx = static_cast<double>(n);
    const auto ny = static_cast<double>(m);
    const double s = 1.0 / nx + 1.0 / ny;
    Comparison comparison;
    comparison.steps.reserve(pooled.gap.size());
    for (std::size_t k = 0; k < pooled.gap.size(); ++k) {
        const double gap = pooled.gap[k];
        const double p = static_cast<double>(k + 1) / (nx + ny);
        comparison.steps.push_back({pooled.row[k], gap * (s * s - 2.0 * h / (nx * ny)),
                                    -h * gap * (1.0 / nx - 1.0 / ny) * (1.0 - 2.0 * p),
                                    static_cast<float>(p * nx)});
        comparison.limit += h * gap * 2.0 * p * (1.0 - p);
    }
    return comparison;
}

constexpr std::size_t lanes = RandomDivisions::lanes;

using Ints = std::int32_t __attribute__((vector_size(32)));
using Floats = float __attribute__((vector_size(32)));

/// Eight bytes as numbers.
inline Ints widened(const std::uint8_t* bytes) {
#if defined(__AVX2__)
    return reinterpret_cast<Ints>(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes))));
#else
    Ints wide{};
    for (std::size_t i = 0; i < 8; ++i) wide[i] = bytes[i];
    return wide;
#endif
}

// How many of a block's first `num_used` divisions reach the limit.
std::size_t count_reached(const Comparison& comparison, const RandomDivisions& divisions,
                          std::size_t block, std::size_t num_used) {
    const auto all = static_cast<double>(divisions.n() + divisions.m());
    const std::array<double, 2> weights = {-static_cast<double>(divisions.n()) / all,
                                           static_cast<double>(divisions.m()) / all};
    std::array<double, lanes> u{};
    std::array<double, lanes> sum{};
    for (const Step& step : comparison.steps) {
        const auto& is_first = divisions.at(block, step.row);
        for (std::size_t i = 0; i < lanes; ++i) {
            u[i] += weights[is_first[i]];
            sum[i] += u[i] * (step.a * u[i] + step.b);
        }
    }
    return static_cast<std::size_t>(
        std::count_if(sum.begin(), sum.begin() + static_cast<std::ptrdiff_t>(num_used),
                      [&](double v) { return v >= comparison.limit; }));
}

/// The comparison in single precision, gaps scaled so that the largest factor is 1: sums of a few
/// hundred terms neither overflow nor vanish.
class RoughComparison {
public:
    explicit RoughComparison(const Comparison& exact) {
        double largest = 0.0;
        for (const Step& step : exact.steps)
            largest = std::max({largest, step.a, std::abs(step.b)});
        if (!(largest > 0.0) || !std::isfinite(1.0 / largest)) return;
        is_usable_ = true;
        limit_ = exact.limit / largest;
        steps_.reserve(exact.steps.size());
        for (const Step& step : exact.steps) {
            const double a = step.a / largest;
            const double b = step.b / largest;
            steps_.push_back({static_cast<std::uint32_t>(step.row), static_cast<float>(a),
                              static_cast<float>(b), step.expected});
            sum_a_ += a;
            sum_b_ += std::abs(b);
            if (a > 0.0) ratio_ += b * b / a;
        }
    }

    /// The same count; nothing where rounding could change it.
    ///
    /// U is a whole number less a rounded one: its error is at most d = 2 e (N + M), e the unit of
    /// rounding. A > 0 because H <= 1 (where it is not, as after rounding, nothing is decided), so
    /// that Q = sum A U^2 bounds everything: sum |B U| <= sqrt(Q sum B^2 / A) and sum |A U| <=
    /// sqrt(Q sum A). A sum of K terms is known to (K + 8) e of the sum of their magnitudes.
    std::optional<std::size_t> count_reached(const RandomDivisions& divisions, std::size_t block,
                                             std::size_t num_used) const {
        if (!is_usable_) return std::nullopt;
        std::array<Ints, 2> first{};
        std::array<Floats, 2> squares{};
        std::array<Floats, 2> products{};
        for (const RoughStep& step : steps_) {
            const auto& is_first = divisions.at(block, step.row);
            for (std::size_t half = 0; half < 2; ++half) {
                first[half] += widened(is_first.data() + 8 * half);
                const Floats u = __builtin_convertvector(first[half], Floats) - step.expected;
                squares[half] += step.a * u * u;
                products[half] += step.b * u;
            }
        }
        constexpr double unit = std::numeric_limits<float>::epsilon();
        const auto num_steps = static_cast<double>(steps_.size());
        const double error_of_u = 2.0 * unit * static_cast<double>(divisions.n() + divisions.m());
        std::size_t reached = 0;
        for (std::size_t i = 0; i < num_used; ++i) {
            const auto q = static_cast<double>(squares[i / 8][i % 8]);
            const double magnitude = q + std::sqrt(q * ratio_);
            const double error =
                2.0 * (unit * (num_steps + 8.0) * magnitude +
                       error_of_u * (2.0 * std::sqrt(q * sum_a_) + sum_b_ + error_of_u * sum_a_));
            const double away = q + static_cast<double>(products[i / 8][i % 8]) - limit_;
            if (!(std::abs(away) > error)) return std::nullopt;
            reached += away > 0.0 ? 1 : 0;
        }
        return reached;
    }

private:
    static_assert(lanes == 16);

    struct RoughStep {
        std::uint32_t row = 0;
        float a = 0.0F;
        float b = 0.0F;
        float expected = 0.0F;
    };

    std::vector<RoughStep> steps_;
    double limit_ = 0.0;
    double sum_a_ = 0.0;
    double sum_b_ = 0.0;
    double ratio_ = 0.0;  // sum B^2 / A
    bool is_usable_ = false;
};

}  // namespace

EnergyFinding energy_permutation(std::span<const double> x, std::span<const double> y,
                                 const RandomDivisions& divisions, double significance) {
    CULPRIT_CHECK(x.size() == divisions.n() && y.size() == divisions.m());
    const Pooled pooled = pool(x, y);
    EnergyFinding finding;
    finding.inhomogeneity = inhomogeneity(pooled, 1.0 / static_cast<double>(x.size()),
                                          1.0 / static_cast<double>(y.size()));
    // Divisions that are alike may differ in the last bits.
    const Comparison comparison =
        comparison_with(finding.inhomogeneity * (1.0 - 1e-10), pooled, x.size(), y.size());
    const RoughComparison rough(comparison);
    std::size_t reached = 1;
    const auto share = [&] {
        return static_cast<double>(reached) / static_cast<double>(divisions.count() + 1);
    };
    for (std::size_t block = 0; block < divisions.num_blocks() && share() <= significance;
         ++block) {
        const std::size_t num_used = std::min(lanes, divisions.count() - block * lanes);
        const auto in_block = rough.count_reached(divisions, block, num_used);
        reached += in_block ? *in_block : count_reached(comparison, divisions, block, num_used);
    }
    finding.p_value = share();
    return finding;
}

}  // namespace culprit::stats
