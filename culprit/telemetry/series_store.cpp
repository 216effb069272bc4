#include "culprit/telemetry/series_store.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace culprit {
namespace {

// OpenTelemetry's names with dots are the catalogue's for GenAI and hardware; others are spelled as
// Prometheus would.
std::string stored_name(const MetricPoint& point) {
    std::string name = point.name;
    if (Catalogue::builtin().match(name).signal != nullptr) return name;
    std::ranges::replace(name, '.', '_');
    return name;
}

// By time, the last of equal times.
void put_in_order(Series& series) {
    if (std::ranges::is_sorted(series.time_ms, std::ranges::less_equal{}) &&
        std::ranges::adjacent_find(series.time_ms) == series.time_ms.end())
        return;
    std::vector<std::size_t> order(series.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(
        order, [&](std::size_t a, std::size_t b) { return series.time_ms[a] < series.time_ms[b]; });
    Series sorted{.name = std::move(series.name), .labels = std::move(series.labels)};
    for (const std::size_t i : order) {
        if (!sorted.time_ms.empty() && sorted.time_ms.back() == series.time_ms[i]) {
            sorted.value.back() = series.value[i];
            continue;
        }
        sorted.time_ms.push_back(series.time_ms[i]);
        sorted.value.push_back(series.value[i]);
    }
    series = std::move(sorted);
}

Series cut(const Series& series, TimeRange range) {
    Series out{.name = series.name, .labels = series.labels};
    for (std::size_t k = 0; k < series.size(); ++k) {
        if (!range.contains(time_from_ns(series.time_ms[k] * 1'000'000))) continue;
        out.time_ms.push_back(series.time_ms[k]);
        out.value.push_back(series.value[k]);
    }
    return out;
}

}  // namespace

void TelemetryStore::on_span(SpanRecord span) { spans_.add(span); }

void TelemetryStore::on_log(LogRecord record) { logs_.push_back(std::move(record)); }

void TelemetryStore::on_point(MetricPoint point) {
    const std::string name = stored_name(point);
    auto [entry, is_new] = series_.try_emplace({name, point.labels});
    Stored& stored = entry->second;
    if (is_new) {
        stored.series.name = name;
        stored.series.labels = std::move(point.labels);
        stored.type = std::move(point.type);
        stored.unit = std::move(point.unit);
    }
    if (point.kind == PointKind::delta_sum) point.value = stored.delta_total += point.value;
    stored.series.time_ms.push_back(point.time_ns / 1'000'000);
    stored.series.value.push_back(point.value);
    ++num_points_;
}

void TelemetryStore::drop_before(std::int64_t begin_ns) {
    spans_.drop_before(begin_ns);
    std::erase_if(logs_, [&](const LogRecord& record) { return record.time_ns < begin_ns; });
    const TimeRange kept{time_from_ns(begin_ns), TimePoint::max()};
    for (auto& [key, stored] : series_) {
        num_points_ -= stored.series.size();
        stored.series = cut(stored.series, kept);
        num_points_ += stored.series.size();
    }
    std::erase_if(series_, [](const auto& entry) { return entry.second.series.size() == 0; });
}

std::int64_t TelemetryStore::typical_step_ms() const {
    std::vector<std::int64_t> distances;
    for (const auto& [key, stored] : series_)
        for (std::size_t k = 1; k < stored.series.size() && k < 20; ++k)
            if (const auto distance = stored.series.time_ms[k] - stored.series.time_ms[k - 1];
                distance > 0)
                distances.push_back(distance);
    if (distances.empty()) return 15'000;
    const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
    std::ranges::nth_element(distances, middle);
    return std::max<std::int64_t>((*middle + 500) / 1000 * 1000, 1000);
}

Status TelemetryStore::to_columns(TimeRange range, const Catalogue& catalogue,
                                  FrameBuilder& builder, IncidentFacts& facts,
                                  SourceReport& report) {
    std::set<std::string> names;
    std::map<std::string, MetricMetadata> metadata;
    for (const auto& [key, stored] : series_) {
        names.insert(key.first);
        std::string family = key.first;
        if (stored.type == "histogram")
            for (const std::string_view suffix : {"_bucket", "_sum", "_count"})
                if (family.ends_with(suffix)) family.resize(family.size() - suffix.size());
        metadata[family] = {stored.type, "", stored.unit};
    }
    const auto plans = plan_metrics({names.begin(), names.end()}, metadata, catalogue);
    SeriesColumns columns(catalogue, builder, facts, range);
    for (const MetricPlan& plan : plans) {
        ++report.num_asked;
        PendingColumns pending;
        const bool is_histogram = plan.type == SignalType::histogram;
        for (const std::string_view part : {"bucket", "sum", "count"}) {
            const std::string name =
                is_histogram ? plan.stored_name + "_" + std::string(part) : plan.stored_name;
            for (auto it = series_.lower_bound({name, {}});
                 it != series_.end() && it->first.first == name; ++it) {
                put_in_order(it->second.series);
                const Series inside = cut(it->second.series, range);
                if (inside.size() == 0) continue;
                ++report.num_items;
                report.num_samples += inside.size();
                CULPRIT_TRY_STATUS(columns.take(plan, inside, part, pending));
            }
            if (!is_histogram) break;
        }
        CULPRIT_TRY_STATUS(columns.commit(plan, pending));
        report.components[plan.signal != nullptr ? plan.signal->component : "generic"] += 1;
    }
    columns.finish();
    return {};
}

void TelemetryStore::to_logs(TimeRange range, LogTable& logs) const {
    for (const LogRecord& record : logs_)
        if (range.contains(time_from_ns(record.time_ns)))
            logs.add(time_from_ns(record.time_ns), record.source, record.text);
}

void TelemetryStore::to_spans(TimeRange range, SpanTable& spans) const {
    for (std::size_t i = 0; i < spans_.size(); ++i)
        if (range.contains(time_from_ns(spans_.start_ns(i)))) add_span(spans_.record(i), spans);
}

}  // namespace culprit
