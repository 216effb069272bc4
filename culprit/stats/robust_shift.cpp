#include "culprit/stats/robust_shift.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

// P(likelihood ratio of the true start <= x) ~ (1 - e^-x)^2 for a change point, which is no regular
// parameter: 95 % at 3.68, not at the 1.92 of chi-square.
constexpr double half_width_95 = 3.68;

double mean_run_length(std::span<const double> values) {
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

}  // namespace

std::optional<Shift> robust_shift(std::span<const double> baseline, std::span<const double> suspect,
                                  std::vector<double>& scratch, const ShiftOptions& options) {
    Shift shift;
    scratch.clear();
    double sum = 0.0;
    for (const double v : baseline)
        if (std::isfinite(v)) {
            scratch.push_back(v);
            sum += v;
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

    const double mean = sum / static_cast<double>(shift.num_baseline);
    double squares = 0.0;
    for (const double v : scratch) squares += (v - mean) * (v - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(shift.num_baseline));
    shift.location = median_in_place(scratch);
    for (double& v : scratch) v = std::abs(v - shift.location);
    const double mad = 1.4826 * median_in_place(scratch);
    shift.scale = std::max(mad, options.spread_share * deviation) +
                  options.relative_floor * std::abs(shift.location);
    if (shift.scale > 0.0) shift.score = (shift.suspect_mean - shift.location) / shift.scale;
    if (!std::isfinite(shift.score)) return std::nullopt;  // values near the limits of double
    return shift;
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
