#include "culprit/telemetry/series_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace culprit {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

double parse_bound(const std::string& text) {
    if (text == "+Inf" || text == "Inf" || text == "inf")
        return std::numeric_limits<double>::infinity();
    double bound = nan_value;
    std::from_chars(text.data(), text.data() + text.size(), bound);
    return bound;
}

}  // namespace

SeriesColumns::SeriesColumns(const Catalogue& catalogue, FrameBuilder& builder,
                             IncidentFacts& facts, TimeRange range)
    : catalogue_(catalogue),
      builder_(builder),
      facts_(facts),
      changes_(to_ns(range.begin) / 1'000'000 + 2 * builder.grid().step_ms) {}

Status SeriesColumns::take(const MetricPlan& plan, const Series& series, std::string_view part,
                           PendingColumns& pending) {
    if (plan.type == SignalType::histogram) return take_histogram(series, part, pending);
    LiveColumn column = describe_live_column(plan, catalogue_, series.labels);
    add_placement(column, facts_);
    if (plan.type == SignalType::info) {
        changes_.take_info(column, series);
        return {};
    }
    ChangeDetector::take_value(column, series, facts_);
    std::vector<double> values(builder_.grid().num_points);
    if (plan.type == SignalType::counter)
        align_rate(series, builder_.grid(), gap_max_ms(series), values);
    else
        align_gauge(series, builder_.grid(), values);
    pending.columns.emplace_back(std::move(column), std::move(values));
    return {};
}

Status SeriesColumns::take_histogram(const Series& series, std::string_view part,
                                     PendingColumns& pending) {
    Labels labels = series.labels;
    const auto bound = labels.find("le");
    const std::string bound_text = bound == labels.end() ? "" : bound->second;
    labels.erase("le");
    PendingColumns::Histogram& parts = pending.histograms[labels];
    parts.labels = labels;
    std::vector<double> rate(builder_.grid().num_points);
    align_rate(series, builder_.grid(), gap_max_ms(series), rate);
    if (part == "sum")
        parts.sum_rate = std::move(rate);
    else if (part == "count")
        parts.count_rate = std::move(rate);
    else if (const double upper = parse_bound(bound_text); !std::isnan(upper))
        parts.buckets.emplace_back(upper, std::move(rate));
    else
        return fail(ErrorCode::malformed_data,
                    fmt::format("{}: expected a number in label le, found \"{}\"", series.name,
                                bound_text));
    return {};
}

Status SeriesColumns::commit(const MetricPlan& plan, PendingColumns& pending) {
    for (auto& [labels, parts] : pending.histograms)
        CULPRIT_TRY_STATUS(commit_histogram(plan, parts));
    for (auto& [column, values] : pending.columns)
        CULPRIT_TRY_STATUS(builder_.add(std::move(column), values));
    return {};
}

Status SeriesColumns::commit_histogram(const MetricPlan& plan, PendingColumns::Histogram& parts) {
    const std::size_t num_points = builder_.grid().num_points;
    std::ranges::sort(parts.buckets,
                      [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<double> values(num_points);
    std::vector<std::pair<double, double>> at_point(parts.buckets.size());
    const auto add = [&](std::string_view part) {
        LiveColumn column = describe_live_column(plan, catalogue_, parts.labels, part);
        add_placement(column, facts_);
        return builder_.add(std::move(column), values);
    };
    for (const auto& [part, quantile] :
         {std::pair<std::string_view, double>{"p50", 0.5}, {"p95", 0.95}}) {
        for (std::size_t i = 0; i < num_points; ++i) {
            for (std::size_t b = 0; b < parts.buckets.size(); ++b)
                at_point[b] = {parts.buckets[b].first, parts.buckets[b].second[i]};
            values[i] = histogram_quantile(quantile, at_point);
        }
        CULPRIT_TRY_STATUS(add(part));
    }
    if (parts.count_rate.empty()) return {};
    values = parts.count_rate;
    CULPRIT_TRY_STATUS(add("rate"));
    if (parts.sum_rate.empty()) return {};
    for (std::size_t i = 0; i < num_points; ++i)
        values[i] = parts.count_rate[i] > 0 ? parts.sum_rate[i] / parts.count_rate[i] : nan_value;
    return add("mean");
}

}  // namespace culprit
