#include "culprit/explain/span_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "culprit/explain/series_shift.h"
#include "culprit/frame/span_series.h"

namespace culprit {
namespace {

constexpr Duration::rep num_bins = 120;
constexpr std::uint64_t spans_min = 20;

struct Reading {
    SpanQuantity quantity;
    bool is_per_edge;
    const char* name;
    const char* unit;
};

constexpr Reading readings[] = {
    {SpanQuantity::self_time, false, "self time", "s"},
    {SpanQuantity::duration, false, "duration", "s"},
    {SpanQuantity::gap, true, "client-server gap", "s"},
    {SpanQuantity::error_share, false, "error share", "1"},
};

// What was typical before and since; the mean for shares, whose median is nearly always zero.
double suspect_level(std::span<const double> values, const SeriesWindows& windows) {
    double sum = 0.0;
    std::size_t n = 0;
    for (std::size_t i = windows.suspect_begin; i < windows.suspect_end; ++i) {
        if (!std::isfinite(values[i])) continue;
        sum += values[i];
        ++n;
    }
    return n == 0 ? 0.0 : sum / static_cast<double>(n);
}

void add_reading(const SpanSeries& series, const Reading& reading, std::span<const TimePoint> times,
                 const SeriesWindows& windows, double score_min,
                 std::vector<SpanEvidence>& changes) {
    for (std::size_t k = 0; k < series.keys.size(); ++k) {
        const SpanSeriesKey& key = series.keys[k];
        if (key.num_spans < spans_min) continue;
        const auto values = series.values.column(k);
        const auto shift = shift_in(values, times, windows);
        if (!shift || std::abs(shift->score) < score_min) continue;
        changes.push_back({.service = key.service,
                           .operation = reading.is_per_edge
                                            ? fmt::format("{} -> {}", key.peer, key.service)
                                            : key.operation,
                           .quantity = reading.name,
                           .unit = reading.unit,
                           .baseline = shift->baseline,
                           .suspect = suspect_level(values, windows),
                           .score = shift->score,
                           .onset = shift->onset});
    }
}

}  // namespace

std::vector<SpanEvidence> span_changes(const Incident& incident, double score_min) {
    std::vector<SpanEvidence> changes;
    if (!incident.spans || incident.spans->size() == 0) return changes;
    const TimeRange whole{incident.baseline.begin, incident.suspect.end};
    const Duration step = std::max<Duration>(whole.length() / num_bins, std::chrono::seconds(1));
    const SpanSeriesOptions options{.grid = TimeGrid::cover(whole, step)};
    std::vector<TimePoint> times;
    for (std::size_t b = 0; b < options.grid.num_bins; ++b) times.push_back(options.grid.time(b));
    const SeriesWindows windows = windows_in(times, incident.baseline, incident.suspect);
    const SpanTimes span_times = time_spans(*incident.spans);
    for (const Reading& reading : readings) {
        const auto series =
            reading.is_per_edge
                ? edge_series(*incident.spans, span_times, reading.quantity, options)
                : operation_series(*incident.spans, span_times, reading.quantity, options);
        if (series) add_reading(*series, reading, times, windows, score_min, changes);
    }
    std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
        return std::abs(a.score) > std::abs(b.score);
    });
    return changes;
}

}  // namespace culprit
