#include "culprit/telemetry/prometheus_collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "culprit/base/stopwatch.h"
#include "culprit/telemetry/metric_plan.h"
#include "culprit/telemetry/series_columns.h"

namespace culprit {
namespace {

class MetricsCollection {
public:
    MetricsCollection(const PrometheusReader& reader, const MetricsRequest& request,
                      const Catalogue& catalogue, FrameBuilder& builder, IncidentFacts& facts,
                      const Stop& stop)
        : reader_(reader),
          request_(request),
          catalogue_(catalogue),
          builder_(builder),
          stop_(stop),
          columns_(catalogue, builder, facts, request.range) {}

    SourceReport run() {
        const Stopwatch stopwatch;
        report_.kind = "prometheus";
        collect();
        columns_.finish();
        std::ranges::sort(report_.missing);
        report_.seconds = stopwatch.seconds();
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
        report_.names = std::move(*names);
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

    // With the configuration's own selector, `{cluster="a"}`.
    std::string selector_of(const std::string& name, const std::string& matchers) const {
        std::string all = matchers;
        if (request_.selector.size() > 2)
            all += (all.empty() ? "" : ",") +
                   request_.selector.substr(1, request_.selector.size() - 2);
        return metric_selector(name, all);
    }

    void collect_metric(const MetricPlan& plan) {
        if (auto status = stop_.check(); !status) return note_missing(plan, status.error().message);
        const bool is_histogram = plan.type == SignalType::histogram;
        const std::string listed = is_histogram ? plan.stored_name + "_bucket" : plan.stored_name;
        auto series = reader_.series(selector_of(listed, {}), request_.range, stop_);
        if (!series) return note_missing(plan, series.error().message);
        if (num_series_ + series->size() > request_.series_max)
            return note_missing(plan, fmt::format("{} series exceed the limit of {}",
                                                  series->size(), request_.series_max));
        num_series_ += series->size();
        const auto parts = partition_matchers(*series, request_.series_per_request);
        series->clear();
        series->shrink_to_fit();
        for (const std::string& matchers : parts) {
            PendingColumns pending;
            Status status = ask(selector_of(listed, matchers), plan, "bucket", pending);
            if (is_histogram)
                for (const std::string_view part : {"sum", "count"}) {
                    if (!status) break;
                    status =
                        ask(selector_of(fmt::format("{}_{}", plan.stored_name, part), matchers),
                            plan, part, pending);
                }
            if (!status) note_missing(plan, status.error().message);
            if (auto committed = commit(plan, pending); !committed) {
                note_missing(plan, committed.error().message);
                return;
            }
        }
    }

    Status ask(const std::string& query, const MetricPlan& plan, std::string_view part,
               PendingColumns& pending) {
        const auto take = [&](const Series& series) -> Status {
            ++pending.num_series;
            pending.num_samples += series.size();
            return columns_.take(plan, series, part, pending);
        };
        const std::uint64_t num_series_before = pending.num_series;
        const std::uint64_t num_samples_before = pending.num_samples;
        const auto restart = [&] {
            if (part == "bucket") {
                pending = {};
                return;
            }
            pending.num_series = num_series_before;
            pending.num_samples = num_samples_before;
            for (auto& [labels, parts] : pending.histograms)
                (part == "sum" ? parts.sum_rate : parts.count_rate).clear();
        };
        if (!request_.on_server_grid)
            return reader_.raw_samples(query, request_.range, request_.scrape_interval_ms, take,
                                       restart, stop_);
        const SampleGrid& grid = builder_.grid();
        const TimeRange range{time_from_ns(grid.time_ms(0) * 1'000'000),
                              time_from_ns(grid.time_ms(grid.num_points - 1) * 1'000'000)};
        return reader_.query_range(fmt::format("last_over_time({}[{}ms])", query, grid.step_ms),
                                   range, grid.step_ms, take, restart, stop_);
    }

    Status commit(const MetricPlan& plan, PendingColumns& pending) {
        CULPRIT_TRY_STATUS(columns_.commit(plan, pending));
        const std::scoped_lock lock(mutex_);
        report_.num_items += pending.num_series;
        report_.num_samples += pending.num_samples;
        report_.components[plan.signal != nullptr ? plan.signal->component : "generic"] +=
            pending.num_series;
        return {};
    }

    const PrometheusReader& reader_;
    const MetricsRequest& request_;
    const Catalogue& catalogue_;
    FrameBuilder& builder_;
    const Stop& stop_;
    SeriesColumns columns_;
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
