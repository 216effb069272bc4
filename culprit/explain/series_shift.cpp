#include "culprit/explain/series_shift.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "culprit/stats/robust_shift.h"

namespace culprit {
namespace {

// A series that was zero until now has no scale of its own: its own size takes that place.
constexpr double share_of_largest = 0.02;
constexpr std::chrono::minutes search_before_alert_max{10};

double largest(std::span<const double> values) {
    double size = 0.0;
    for (const double v : values)
        if (std::isfinite(v)) size = std::max(size, std::abs(v));
    return size;
}

// The finite value farthest from `location` on the side of `direction`; location if there is none.
double farthest(std::span<const double> values, double location, double direction) {
    double peak = location;
    for (const double v : values)
        if (std::isfinite(v) && (v - peak) * direction > 0) peak = v;
    return peak;
}

}  // namespace

SeriesWindows windows_in(std::span<const TimePoint> times, TimeRange baseline, TimeRange suspect) {
    const auto row_at = [&](TimePoint t) {
        return static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), t) -
                                        times.begin());
    };
    const Duration quarter = baseline.length() / 4;
    const Duration before = std::min<Duration>(quarter, search_before_alert_max);
    return {.baseline_begin = row_at(baseline.begin),
            .search_begin = row_at(baseline.end - before),
            .suspect_begin = row_at(suspect.begin),
            .suspect_end = row_at(suspect.end)};
}

std::optional<ShiftEvidence> shift_in(std::span<const double> values,
                                      std::span<const TimePoint> times,
                                      const SeriesWindows& windows) {
    const auto part = [&](std::size_t begin, std::size_t end) {
        return begin < end ? values.subspan(begin, end - begin) : std::span<const double>{};
    };
    const auto baseline = part(windows.baseline_begin, windows.suspect_begin);
    const auto suspect = part(windows.suspect_begin, windows.suspect_end);
    std::vector<double> scratch;
    const auto shift = stats::robust_shift(baseline, suspect, scratch);
    if (!shift) return std::nullopt;
    const double scale =
        std::max(shift->scale, share_of_largest * std::max(largest(baseline), largest(suspect)));
    const double moved = shift->suspect_mean - shift->location;
    ShiftEvidence evidence;
    evidence.baseline = shift->location;
    evidence.peak = shift->location;
    evidence.onset = times[windows.suspect_begin];
    if (scale <= 0.0 || moved == 0.0) return evidence;
    evidence.score = moved / scale;
    const auto searched = part(windows.search_begin, windows.suspect_end);
    std::size_t onset_row = windows.suspect_begin;
    if (const auto onset = stats::find_onset(searched, shift->location, scale, moved)) {
        onset_row = windows.search_begin + onset->index;
        const TimePoint at = times[onset_row];
        const TimePoint earliest = times[windows.search_begin + onset->earliest];
        const TimePoint latest = times[windows.search_begin + onset->latest];
        evidence.onset = at;
        evidence.onset_uncertainty = std::max(at - earliest, latest - at);
    }
    evidence.peak = farthest(part(onset_row, windows.suspect_end), shift->location, moved);
    return evidence;
}

}  // namespace culprit
