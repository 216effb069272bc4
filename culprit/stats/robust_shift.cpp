#include "culprit/stats/robust_shift.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

// P(likelihood ratio of the true start <= x) ~ (1 - e^-x)^2 for a change point, which is no regular
// parameter: 95 % at 3.68, not at the 1.92 of chi-square.
constexpr double half_width_95 = 3.68;

double mean_run_length(std::span<const double> values) {
    if (!values.empty() && all_finite(values)) {
        std::size_t runs = 1;
        for (std::size_t i = 1; i < values.size(); ++i) runs += values[i] != values[i - 1] ? 1 : 0;
        return static_cast<double>(values.size()) / static_cast<double>(runs);
    }
    std::size_t finite = 0;
    std::size_t runs = 0;
    double last = std::numeric_limits<double>::quiet_NaN();
    for (const double v : values) {
        if (!std::isfinite(v)) continue;
        ++finite;
        if (v != last) ++runs;
        last = v;
    }
    return runs == 0 ? 1.0 : static_cast<double>(finite) / static_cast<double>(runs);
}

/// Standard deviation of the finite values, summed in their order.
double deviation_of(std::span<const double> values) {
    double sum = 0.0;
    double num = 0.0;
    for (const double v : values)
        if (std::isfinite(v)) {
            sum += v;
            num += 1.0;
        }
    const double mean = sum / num;
    double squares = 0.0;
    for (const double v : values)
        if (std::isfinite(v)) squares += (v - mean) * (v - mean);
    return std::sqrt(squares / num);
}

/// No less than deviation_of: sums side by side, and what rounding can make of either. A sum of n
/// values is known to n units of rounding of the largest, a sum of squares to n units of itself.
double largest_deviation(std::span<const double> values) {
    const Extremes reached = extremes(values);
    const double rounding =
        8.0 * static_cast<double>(values.size()) * std::numeric_limits<double>::epsilon();
    return std::sqrt(moments(values).variance) * (1.0 + rounding) +
           rounding * std::max(std::abs(reached.minimum), std::abs(reached.maximum));
}

}  // namespace

std::optional<Shift> robust_shift(std::span<const double> baseline, std::span<const double> suspect,
                                  std::vector<double>& scratch, const ShiftOptions& options) {
    Shift shift;
    if (all_finite(baseline)) {
        scratch.assign(baseline.begin(), baseline.end());
    } else {
        scratch.clear();
        for (const double v : baseline)
            if (std::isfinite(v)) scratch.push_back(v);
    }
    shift.num_baseline = scratch.size();
    if (shift.num_baseline < 2) return std::nullopt;
    double suspect_sum = 0.0;
    for (const double v : suspect)
        if (std::isfinite(v)) {
            suspect_sum += v;
            ++shift.num_suspect;
        }
    if (shift.num_suspect == 0) return std::nullopt;
    shift.suspect_mean = suspect_sum / static_cast<double>(shift.num_suspect);

    const double deviation_max = largest_deviation(scratch);
    shift.location = median_in_place(scratch);
    for (double& v : scratch) v = std::abs(v - shift.location);
    double spread = 1.4826 * options.mad_factor * median_in_place(scratch);
    if (!(options.spread_share * deviation_max <= spread))
        spread = std::max(spread, options.spread_share * deviation_of(baseline));
    shift.scale = spread + options.relative_floor * std::abs(shift.location);
    if (shift.scale > 0.0) shift.score = (shift.suspect_mean - shift.location) / shift.scale;
    if (!std::isfinite(shift.score)) return std::nullopt;  // values near the limits of double
    return shift;
}

double excursion(std::span<const double> values, double location, double scale,
                 std::size_t length) {
    if (!(scale > 0.0)) return 0.0;
    length = std::clamp<std::size_t>(length, 1, std::max<std::size_t>(1, values.size() / 2));
    double farthest = 0.0;
    double sum = 0.0;
    if (values.size() >= length && all_finite(values)) {
        for (std::size_t i = 0; i < length; ++i) sum += values[i] - location;
        farthest = std::abs(sum);
        for (std::size_t i = length; i < values.size(); ++i) {
            sum += values[i] - location;
            sum -= values[i - length] - location;
            farthest = std::max(farthest, std::abs(sum));
        }
        return farthest / static_cast<double>(length) / scale;
    }
    double count = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isfinite(values[i])) {
            sum += values[i] - location;
            count += 1.0;
        }
        if (i >= length && std::isfinite(values[i - length])) {
            sum -= values[i - length] - location;
            count -= 1.0;
        }
        if (i + 1 >= length && count > 0.0)
            farthest = std::max(farthest, std::abs(sum / count) / scale);
    }
    return farthest;
}

std::span<const double> before_change(std::span<const double> values, double location,
                                      double change) {
    const std::size_t least = values.size() - values.size() / 3;
    const double half = 0.5 * change;
    std::size_t end = values.size();
    while (end > least) {
        const double moved = values[end - 1] - location;
        if (std::isfinite(moved) && (moved - half) * half < 0.0) break;
        --end;
    }
    return values.first(end);
}

std::optional<Onset> find_onset(std::span<const double> values, double location, double scale,
                                double shift) {
    if (!(scale > 0.0) || shift == 0.0 || !std::isfinite(shift)) return std::nullopt;
    const double weight = shift / (scale * scale) / mean_run_length(values);
    const double reach = 3.0 * std::abs(shift);
    std::vector<double> sums(values.size() + 1, 0.0);
    bool any = false;
    for (std::size_t i = 0; i < values.size(); ++i) {
        double step = 0.0;
        if (std::isfinite(values[i])) {
            any = true;
            const double away = std::clamp(values[i] - location, -reach, reach);
            step = weight * (away - 0.5 * shift);
        }
        sums[i + 1] = sums[i] + step;
    }
    if (!any) return std::nullopt;
    Onset best;
    std::size_t lowest = 0;
    for (std::size_t e = 1; e < sums.size(); ++e) {
        const double ratio = sums[e] - sums[lowest];
        if (ratio > best.log_likelihood_ratio) {
            best.log_likelihood_ratio = ratio;
            best.index = lowest;
            best.end = e;
        }
        if (sums[e] <= sums[lowest]) lowest = e;
    }
    if (best.end == 0) return std::nullopt;  // no segment looks moved
    const double enough = best.log_likelihood_ratio - half_width_95;
    best.earliest = best.latest = best.index;
    for (std::size_t s = 0; s < best.end; ++s)
        if (sums[best.end] - sums[s] >= enough) {
            best.earliest = std::min(best.earliest, s);
            best.latest = std::max(best.latest, s);
        }
    return best;
}

OnsetShifts onset_ratios(std::span<const double> values, double location, double scale,
                         const OnsetShifts& shifts) {
    using Four = double __attribute__((vector_size(32)));
    OnsetShifts ratios{};
    if (!(scale > 0.0)) return ratios;
    const double run_length = mean_run_length(values);
    Four half{};
    Four weight{};
    Four reach{};
    for (std::size_t k = 0; k < shifts.size(); ++k) {
        if (!std::isfinite(shifts[k])) continue;  // all zero: nothing moves
        half[k] = 0.5 * shifts[k];
        weight[k] = shifts[k] / (scale * scale) / run_length;
        reach[k] = 3.0 * std::abs(shifts[k]);
    }
    Four sum{};
    Four lowest{};
    Four best{};
    for (const double v : values) {
        if (!std::isfinite(v)) continue;
        const double distance = v - location;
        Four away = {distance, distance, distance, distance};
        away = away < -reach ? -reach : away;
        away = reach < away ? reach : away;
        sum += weight * (away - half);
        const Four ratio = sum - lowest;
        best = ratio > best ? ratio : best;
        lowest = sum <= lowest ? sum : lowest;
    }
    for (std::size_t k = 0; k < shifts.size(); ++k) ratios[k] = shifts[k] == 0.0 ? 0.0 : best[k];
    return ratios;
}

double count_shift(double baseline_count, double baseline_time, double suspect_count,
                   double suspect_time) {
    if (!(baseline_time > 0.0) || !(suspect_time > 0.0)) return 0.0;
    if (!(baseline_count >= 0.0) || !(suspect_count >= 0.0)) return 0.0;
    const double expected = (baseline_count + 0.5) * suspect_time / baseline_time;
    const double log_part =
        suspect_count > 0.0 ? suspect_count * std::log(suspect_count / expected) : 0.0;
    const double deviance = 2.0 * (log_part - (suspect_count - expected));
    return std::copysign(std::sqrt(std::max(0.0, deviance)), suspect_count - expected);
}

}  // namespace culprit::stats
