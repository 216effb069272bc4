#include "culprit/telemetry/prometheus_collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "culprit/telemetry/metric_plan.h"

namespace culprit {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

using Buckets = std::vector<std::pair<double, std::vector<double>>>;

// One histogram on the grid while its parts arrive.
struct HistogramParts {
    Labels labels;
    Buckets buckets;  // upper bound -> cumulative rate per grid point
    std::vector<double> sum_rate;
    std::vector<double> count_rate;
};

double parse_bound(const std::string& text) {
    if (text == "+Inf" || text == "Inf" || text == "inf")
        return std::numeric_limits<double>::infinity();
    double bound = nan_value;
    std::from_chars(text.data(), text.data() + text.size(), bound);
    return bound;
}

// The columns of one request until it is complete; dropped when the request starts again.
struct PendingColumns {
    std::vector<std::pair<LiveColumn, std::vector<double>>> columns;
    std::map<Labels, HistogramParts> histograms;
    std::uint64_t num_series = 0;
    std::uint64_t num_samples = 0;

    void clear() { *this = {}; }
};

class MetricsCollection {
public:
    MetricsCollection(const PrometheusReader& reader, const MetricsRequest& request,
                      const Catalogue& catalogue, FrameBuilder& builder, IncidentFacts& facts,
                      const Stop& stop)
        : reader_(reader),
          request_(request),
          catalogue_(catalogue),
          builder_(builder),
          facts_(facts),
          stop_(stop),
          changes_(to_ns(request.range.begin) / 1'000'000 + 2 * builder.grid().step_ms) {}

    SourceReport run() {
        const auto begin = std::chrono::steady_clock::now();
        report_.kind = "prometheus";
        collect();
        changes_.finish(facts_);
        std::ranges::sort(report_.missing);
        report_.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        return std::move(report_);
    }

private:
    void collect() {
        auto names = reader_.metric_names(request_.selector, request_.range, stop_);
        if (!names) {
            report_.error = std::move(names).error();
            return;
        }
        if (auto version = reader_.buildinfo(stop_)) report_.version = *version;
        auto metadata = reader_.metadata(stop_);
        if (!metadata) report_.add_missing("metric types: " + metadata.error().message);
        plans_ = plan_metrics(
            *names, metadata ? *metadata : std::map<std::string, MetricMetadata>{}, catalogue_);
        if (!request_.generic)
            std::erase_if(plans_, [](const MetricPlan& plan) { return plan.signal == nullptr; });
        report_.num_asked = plans_.size();
        {
            std::vector<std::jthread> workers;
            for (unsigned i = 0; i < std::max(request_.num_parallel, 1U); ++i)
                workers.emplace_back([this] {
                    for (std::size_t p = next_++; p < plans_.size(); p = next_++)
                        collect_metric(plans_[p]);
                });
        }
    }

    void note_missing(const MetricPlan& plan, const std::string& why) {
        const std::scoped_lock lock(mutex_);
        report_.add_missing(plan.stored_name + ": " + why);
    }

    std::string narrowed(const std::string& name) const { return name + request_.selector; }

    void collect_metric(const MetricPlan& plan) {
        if (auto status = stop_.check(); !status) return note_missing(plan, status.error().message);
        const bool is_histogram = plan.type == SignalType::histogram;
        const std::string listed = is_histogram ? plan.stored_name + "_bucket" : plan.stored_name;
        auto series = reader_.series(narrowed(listed), request_.range, stop_);
        if (!series) return note_missing(plan, series.error().message);
        if (num_series_ + series->size() > request_.series_max)
            return note_missing(plan, fmt::format("{} series exceed the limit of {}",
                                                  series->size(), request_.series_max));
        num_series_ += series->size();
        const auto selectors = partition_selectors(listed, *series, request_.series_per_request);
        series->clear();
        series->shrink_to_fit();
        for (const std::string& selector : selectors) {
            PendingColumns pending;
            Status status = ask(selector, plan, "bucket", pending);
            if (is_histogram)
                for (const std::string_view part : {"sum", "count"}) {
                    if (!status) break;
                    std::string other = selector;
                    other.replace(0, listed.size(), fmt::format("{}_{}", plan.stored_name, part));
                    status = ask(other, plan, part, pending);
                }
            if (!status) note_missing(plan, status.error().message);
            if (auto committed = commit(plan, pending); !committed) {
                note_missing(plan, committed.error().message);
                return;
            }
        }
    }

    std::string with_config_selector(const std::string& selector) const {
        if (request_.selector.size() < 2) return selector;
        const std::string inner = request_.selector.substr(1, request_.selector.size() - 2);
        if (selector.ends_with('}'))
            return selector.substr(0, selector.size() - 1) + "," + inner + "}";
        return selector + "{" + inner + "}";
    }

    Status ask(const std::string& selector, const MetricPlan& plan, std::string_view part,
               PendingColumns& pending) {
        const std::string query = with_config_selector(selector);
        const auto take = [&](Series series) -> Status {
            ++pending.num_series;
            pending.num_samples += series.size();
            if (plan.type == SignalType::histogram) return take_histogram(series, part, pending);
            return take_series(plan, series, pending);
        };
        const std::uint64_t num_series_before = pending.num_series;
        const std::uint64_t num_samples_before = pending.num_samples;
        const auto restart = [&] {
            if (part == "bucket") return pending.clear();
            pending.num_series = num_series_before;
            pending.num_samples = num_samples_before;
            for (auto& [labels, parts] : pending.histograms)
                (part == "sum" ? parts.sum_rate : parts.count_rate).clear();
        };
        if (!request_.on_server_grid)
            return reader_.raw_samples(query, request_.range, request_.scrape_interval_ms, take,
                                       restart, stop_);
        const TimeGrid& grid = builder_.grid();
        const TimeRange range{time_from_ns(grid.time_ms(0) * 1'000'000),
                              time_from_ns(grid.time_ms(grid.num_points - 1) * 1'000'000)};
        return reader_.query_range(fmt::format("last_over_time({}[{}ms])", query, grid.step_ms),
                                   range, grid.step_ms, take, restart, stop_);
    }

    Status take_series(const MetricPlan& plan, const Series& series, PendingColumns& pending) {
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

    Status take_histogram(const Series& series, std::string_view part, PendingColumns& pending) {
        Labels labels = series.labels;
        const auto bound = labels.find("le");
        const std::string bound_text = bound == labels.end() ? "" : bound->second;
        labels.erase("le");
        HistogramParts& parts = pending.histograms[labels];
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

    Status commit(const MetricPlan& plan, PendingColumns& pending) {
        for (auto& [labels, parts] : pending.histograms)
            CULPRIT_TRY_STATUS(commit_histogram(plan, parts));
        for (auto& [column, values] : pending.columns)
            CULPRIT_TRY_STATUS(builder_.add(std::move(column), values));
        const std::scoped_lock lock(mutex_);
        report_.num_items += pending.num_series;
        report_.num_samples += pending.num_samples;
        report_.components[plan.signal != nullptr ? plan.signal->component : "generic"] +=
            pending.num_series;
        return {};
    }

    Status commit_histogram(const MetricPlan& plan, HistogramParts& parts) {
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
            values[i] =
                parts.count_rate[i] > 0 ? parts.sum_rate[i] / parts.count_rate[i] : nan_value;
        return add("mean");
    }

    const PrometheusReader& reader_;
    const MetricsRequest& request_;
    const Catalogue& catalogue_;
    FrameBuilder& builder_;
    IncidentFacts& facts_;
    const Stop& stop_;
    ChangeDetector changes_;
    std::vector<MetricPlan> plans_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::uint64_t> num_series_{0};
    std::mutex mutex_;
    SourceReport report_;
};

}  // namespace

SourceReport collect_metrics(const PrometheusReader& reader, const MetricsRequest& request,
                             const Catalogue& catalogue, FrameBuilder& builder,
                             IncidentFacts& facts, const Stop& stop) {
    return MetricsCollection(reader, request, catalogue, builder, facts, stop).run();
}

std::int64_t choose_step_ms(const PrometheusReader& reader, const Stop& stop) {
    std::map<std::int64_t, std::size_t> count;
    if (const auto targets = reader.targets(stop))
        for (const PrometheusTarget& target : *targets)
            if (target.scrape_interval_seconds > 0)
                ++count[std::llround(target.scrape_interval_seconds * 1000)];
    std::int64_t best = 15'000;
    std::size_t most = 0;
    for (const auto& [interval_ms, num] : count)
        if (num > most) {
            most = num;
            best = interval_ms;
        }
    return std::max<std::int64_t>(best, 1000);
}

}  // namespace culprit
