#include "culprit/scorecard/spoiling.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

#include "culprit/base/duration.h"
#include "culprit/base/random.h"

namespace culprit {
namespace {

bool starts_with_any(const std::string& text, std::initializer_list<std::string_view> prefixes) {
    return std::ranges::any_of(prefixes, [&](std::string_view p) { return text.starts_with(p); });
}

bool is_dropped(const Column& column, const Spoiling& spoiling) {
    const std::string& metric = column.metric.empty() ? column.name : column.metric;
    if (spoiling.drop_gpu && starts_with_any(metric, {"DCGM_", "ctn_gpu"})) return true;
    if (spoiling.drop_mesh && starts_with_any(metric, {"istio_"})) return true;
    return spoiling.drop_engine &&
           starts_with_any(metric, {"vllm:", "ray_vllm", "sglang:", "tgi_"});
}

/// Rows inside the kept time, one per scrape interval.
std::vector<std::size_t> rows_kept(const Frame& frame, const Incident& incident,
                                   const Spoiling& spoiling) {
    TimePoint begin = incident.baseline.begin;
    TimePoint end = incident.suspect.end;
    if (spoiling.baseline_seconds > 0.0)
        begin = incident.alert - duration_from_seconds(spoiling.baseline_seconds);
    if (spoiling.until_seconds > 0.0)
        end = incident.alert + duration_from_seconds(spoiling.until_seconds);
    const Duration step = duration_from_seconds(spoiling.scrape_seconds);
    std::vector<std::size_t> rows;
    TimePoint next = TimePoint::min();
    for (std::size_t r = 0; r < frame.num_rows(); ++r) {
        const TimePoint time = frame.times()[r];
        if ((spoiling.baseline_seconds > 0.0 && time < begin) ||
            (spoiling.until_seconds > 0.0 && time >= end) || time < next)
            continue;
        rows.push_back(r);
        if (step > Duration(0)) next = time + step - Duration(1);
    }
    return rows;
}

/// Mean of the values in the rows (r - half, r], missing where the last one is.
void blur(std::vector<double>& values, std::size_t num_rows) {
    if (num_rows < 1) return;
    const std::vector<double> from = values;
    for (std::size_t r = 0; r < from.size(); ++r) {
        double sum = 0.0;
        double n = 0.0;
        for (std::size_t i = r - std::min(r, num_rows); i <= r; ++i)
            if (std::isfinite(from[i])) {
                sum += from[i];
                n += 1.0;
            }
        if (std::isfinite(from[r])) values[r] = sum / n;
    }
}

}  // namespace

Incident spoiled(const Incident& incident, const Spoiling& spoiling, std::uint64_t seed) {
    Incident worse = incident;
    if (spoiling.drop_logs) {
        worse.logs = nullptr;
        worse.log_counts.reset();
    }
    if (spoiling.drop_spans) {
        worse.spans = nullptr;
        worse.span_errors.reset();
        worse.span_successes.reset();
        worse.edge_latency.reset();
    }
    const Duration delay = duration_from_seconds(spoiling.alert_delay_seconds);
    if (incident.alert + delay < incident.suspect.end) {
        worse.alert = incident.alert + delay;
        worse.baseline.end = worse.alert;
        worse.suspect.begin = worse.alert;
    }
    const Frame& frame = incident.metrics;
    Random random(derive_seed(seed, "spoil"));
    std::vector<std::size_t> columns_kept;
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const bool unlucky = random.uniform() < spoiling.drop_share;
        if (!unlucky && !is_dropped(frame.column(c), spoiling)) columns_kept.push_back(c);
    }
    const auto rows = rows_kept(frame, worse, spoiling);
    const auto blurred = static_cast<std::size_t>(
        std::llround(spoiling.blur_seconds / std::max(1e-9, to_seconds(frame.step()))));
    Matrix values(rows.size(), columns_kept.size());
    std::vector<Column> columns;
    for (std::size_t k = 0; k < columns_kept.size(); ++k) {
        columns.push_back(frame.column(columns_kept[k]));
        const auto from = frame.values(columns_kept[k]);
        std::vector<double> series(from.begin(), from.end());
        blur(series, blurred);
        for (std::size_t r = 0; r < rows.size(); ++r) values(r, k) = series[rows[r]];
    }
    std::vector<TimePoint> times;
    times.reserve(rows.size());
    for (const std::size_t r : rows) times.push_back(frame.times()[r]);
    if (spoiling.baseline_seconds > 0.0)
        worse.baseline.begin = std::max(
            worse.baseline.begin, worse.alert - duration_from_seconds(spoiling.baseline_seconds));
    if (spoiling.until_seconds > 0.0)
        worse.suspect.end = std::min(worse.suspect.end,
                                     worse.alert + duration_from_seconds(spoiling.until_seconds));
    auto made = Frame::make(std::move(times), std::move(columns), std::move(values));
    worse.metrics = made ? *std::move(made) : Frame();
    return worse;
}

}  // namespace culprit
