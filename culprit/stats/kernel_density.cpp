#include "culprit/stats/kernel_density.h"

#include <algorithm>
#include <array>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <numbers>
#include <optional>

#include "culprit/base/check.h"
#include "culprit/stats/distributions.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

double bandwidth(std::span<const double> values, std::vector<double>& scratch) {
    const Moments m = moments(values);
    if (!spreads(m, values.size())) return 0.0;
    constexpr double normal_range = 1.3489795003921634;
    scratch.assign(values.begin(), values.end());
    const double robust = quartiles(scratch).range() / normal_range;
    const double deviation = std::sqrt(m.variance);
    const double spread = robust > 0.0 ? std::min(deviation, robust) : deviation;
    return 0.9 * spread * std::pow(static_cast<double>(values.size()), -0.2);
}

// The share of an estimate of `count` values above x; `values` are those of them that matter.
double upper_tail(std::span<const double> values, std::size_t count, double x, double h) {
    double sum = 0.0;
    for (const double v : values) sum += 0.5 * std::erfc((x - v) / (h * std::numbers::sqrt2));
    return sum / static_cast<double>(count);
}

/// Phi(-z) between nodes 1/32 apart by a cubic through its values and slopes: off by at most
/// (1/32)^4 / 384 times the largest fourth derivative, 0.56, which is 1.4e-9. Beyond +-6 it is 0 or
/// 1 but for 1e-9, which `error` covers as well.
class NormalTail {
public:
    NormalTail() {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            const double z = -reach + static_cast<double>(i) / per_unit;
            nodes_[i] = {0.5 * std::erfc(z / std::numbers::sqrt2),
                         -std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi) / per_unit};
        }
    }
    static constexpr double error = 4e-9;
    static constexpr double reach = 6.0;

    double operator()(double z) const {
        const double at = (std::clamp(z, -reach, reach) + reach) * per_unit;
        const auto i = static_cast<std::int32_t>(at);
        const double t = at - static_cast<double>(i);
        const Node& a = nodes_[static_cast<std::size_t>(i)];
        const Node& b = nodes_[static_cast<std::size_t>(i) + 1];
        const double rise = b.value - a.value;
        const double bend = a.slope + b.slope - 2.0 * rise;
        return a.value + t * (a.slope + t * (rise - a.slope - bend + t * bend));
    }

private:
    struct Node {
        double value;
        double slope;  // per step
    };
    static constexpr double per_unit = 32.0;
    std::array<Node, static_cast<std::size_t>(2.0 * reach * per_unit) + 2> nodes_;
};

/// Where the x of solve_upper must lie: below it the estimate leaves surely more than `tail`, above
/// it less. Nothing where the ends of the search do not show that.
struct Bracket {
    double below;
    double above;
};
std::optional<Bracket> bracket_upper(std::span<const double> near, std::size_t count, double low,
                                     double high, double tail, double h) {
    static const NormalTail normal_tail;
    std::vector<double> nearer;  // a copy: the order of `near` decides the last bits of its sums
    std::ranges::copy_if(near, std::back_inserter(nearer),
                         [&](double v) { return v > low - NormalTail::reach * h; });
    const auto n = static_cast<double>(count);
    const double error = NormalTail::error * n + 1e-12;
    const double wanted = tail * n;
    const auto sum_at = [&](double x) {
        double sum = 0.0;
        for (const double v : nearer) sum += normal_tail((x - v) / h);
        return sum;
    };
    const auto excess = [&](double x) { return std::log(std::max(sum_at(x), 1e-300) / wanted); };
    const double excess_low = excess(low);
    const double excess_high = excess(high);
    if (!(excess_low > 0.0) || !(excess_high < 0.0)) return std::nullopt;
    std::uintmax_t steps_max = 40;
    const double width = 1e-4 * h;
    const auto [from, to] = boost::math::tools::toms748_solve(
        excess, low, high, excess_low, excess_high,
        [&](double a, double b) { return std::abs(b - a) <= width; }, steps_max);
    const Bracket bracket{std::min(from, to) - width, std::max(from, to) + width};
    if (!(bracket.below > low) || !(bracket.above < high)) return std::nullopt;
    if (!(sum_at(bracket.below) - error > wanted * (1.0 + 1e-9)) ||
        !(sum_at(bracket.above) + error < wanted * (1.0 - 1e-9)))
        return std::nullopt;
    return bracket;
}

// The x above which the estimate leaves `tail`. At the k-th largest value, k = ceil(2 tail N), at
// least half of k kernels lie above: x is no smaller. z h above the largest, Phi(z) = 1 - tail, no
// kernel leaves more than `tail`: x is no larger. Of values nine bandwidths below that range
// nothing is left in double precision. `values` are reordered. With `compared`, any x will do that
// has the same of those and of `values` above it.
double solve_upper(std::vector<double>& values, double tail, double h,
                   const std::vector<double>* compared = nullptr) {
    const std::size_t n = values.size();
    const auto rank = static_cast<std::size_t>(std::ceil(2.0 * tail * static_cast<double>(n)));
    const auto kth =
        values.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(rank, 1, n) - 1);
    std::nth_element(values.begin(), kth, values.end(), std::greater<>());
    const double low = *kth;
    const double high =
        *std::max_element(values.begin(), kth + 1) + h * normal_quantile(1.0 - tail);
    const auto end =
        std::partition(kth + 1, values.end(), [&](double v) { return v > low - 9.0 * h; });
    const std::span<const double> near(values.begin(), end);
    if (compared != nullptr)
        if (const auto bracket = bracket_upper(near, n, low, high, tail, h)) {
            const auto is_inside = [&](double v) {
                return bracket->below <= v && v <= bracket->above;
            };
            if (std::ranges::none_of(*compared, is_inside) && std::ranges::none_of(near, is_inside))
                return 0.5 * (bracket->below + bracket->above);
        }
    const auto excess = [&](double x) { return std::log(upper_tail(near, n, x, h) / tail); };
    const double excess_low = excess(low);
    const double excess_high = excess(high);
    if (!(excess_low > 0.0)) return low;
    if (!(excess_high < 0.0)) return high;
    std::uintmax_t steps_max = 60;
    const auto [below, above] =
        boost::math::tools::toms748_solve(excess, low, high, excess_low, excess_high,
                                          boost::math::tools::eps_tolerance<double>(50), steps_max);
    return 0.5 * (below + above);
}

}  // namespace

namespace {

DensityRange solve_range(std::span<const double> values, double tail, std::vector<double>& scratch,
                         std::vector<double>* compared) {
    CULPRIT_CHECK(!values.empty() && tail > 0.0 && tail < 0.5);
    const double h = bandwidth(values, scratch);
    const Extremes reached = extremes(values);
    if (!(h > 0.0)) return {.low = reached.minimum, .high = reached.maximum};
    scratch.assign(values.begin(), values.end());
    const double high = solve_upper(scratch, tail, h, compared);
    for (double& v : scratch) v = -v;
    if (compared != nullptr)
        for (double& v : *compared) v = -v;
    return {.low = -solve_upper(scratch, tail, h, compared), .high = high};
}

}  // namespace

DensityRange density_range(std::span<const double> values, double tail,
                           std::vector<double>& scratch) {
    return solve_range(values, tail, scratch, nullptr);
}

DensityRange density_range_among(std::span<const double> values, std::span<const double> others,
                                 double tail, std::vector<double>& scratch) {
    std::vector<double> compared(others.begin(), others.end());
    return solve_range(values, tail, scratch, &compared);
}

}  // namespace culprit::stats
