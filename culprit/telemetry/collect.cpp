#include "culprit/telemetry/collect.h"

#include <fmt/format.h>

#include <algorithm>

#include "culprit/base/duration.h"
#include "culprit/base/stopwatch.h"
#include "culprit/readers/derived_series.h"
#include "culprit/telemetry/clickhouse_reader.h"
#include "culprit/telemetry/derived_signals.h"
#include "culprit/telemetry/kubernetes_reader.h"
#include "culprit/telemetry/loki_reader.h"
#include "culprit/telemetry/otlp_files.h"
#include "culprit/telemetry/prometheus_collector.h"
#include "culprit/telemetry/receiver_source.h"
#include "culprit/telemetry/series_store.h"
#include "culprit/telemetry/trace_reader.h"

namespace culprit {
namespace {

class CaseCollection {
public:
    CaseCollection(const CollectConfig& config, TimeRange range, TimePoint alert,
                   HttpTransport& transport, Stop stop)
        : config_(config),
          range_(range),
          alert_(alert),
          transport_(transport),
          stop_(std::move(stop)) {}

    Status run(Collection& out) {
        read_stores();
        CULPRIT_TRY(builder_, FrameBuilder::open(SampleGrid::covering(range_, choose_step()),
                                                 config_.spool_directory));
        collect_metric_sources(out);
        collect_logs(out);
        collect_traces(out);
        take_stores(out);
        for (const KubernetesConfig& source : config_.kubernetes)
            add(out, source.name, collect_kubernetes(source, range_, transport_, facts_, stop_));
        return finish(out);
    }

private:
    std::int64_t choose_step() {
        std::int64_t step_ms = 0;
        for (const PrometheusConfig& source : config_.prometheus) {
            const HttpClient client(transport_, source.endpoint);
            const std::int64_t wanted_ms =
                source.step_seconds > 0 ? static_cast<std::int64_t>(source.step_seconds * 1000)
                                        : choose_step_ms(PrometheusReader(client), stop_);
            step_ms = step_ms == 0 ? wanted_ms : std::min(step_ms, wanted_ms);
        }
        for (const auto& [store, report] : stores_)
            if (step_ms == 0 && !store->series().empty()) step_ms = store->typical_step_ms();
        return step_ms == 0 ? 5000 : step_ms;
    }

    static void add(Collection& out, const std::string& name, SourceReport report) {
        report.name = name;
        out.sources.push_back(std::move(report));
    }

    void collect_metric_sources(Collection& out) {
        for (const PrometheusConfig& source : config_.prometheus) {
            const HttpClient client(transport_, source.endpoint);
            const MetricsRequest request{.range = range_,
                                         .selector = source.selector,
                                         .generic = source.generic,
                                         .on_server_grid = source.on_server_grid,
                                         .series_max = config_.series_max,
                                         .num_parallel = config_.num_parallel};
            add(out, source.name,
                collect_metrics(PrometheusReader(client), request, Catalogue::builtin(), *builder_,
                                facts_, stop_));
        }
    }

    void collect_logs(Collection& out) {
        for (const LokiConfig& source : config_.loki) {
            const HttpClient client(transport_, source.endpoint);
            const LokiRequest request{.range = range_,
                                      .alert = alert_,
                                      .query = source.query,
                                      .source_label = source.source_label,
                                      .lines_max = source.lines_max};
            add(out, source.name, collect_loki(client, request, logs_, stop_));
        }
        for (const ClickHouseConfig& source : config_.clickhouse) {
            const HttpClient client(transport_, source.endpoint);
            add(out, source.name, collect_clickhouse(client, source, range_, logs_, spans_, stop_));
        }
    }

    void collect_traces(Collection& out) {
        for (const TraceConfig& source : config_.traces) {
            const HttpClient client(transport_, source.endpoint);
            const TraceRequest request{.range = range_,
                                       .query = source.query,
                                       .services = source.services,
                                       .traces_max = source.traces_max};
            add(out, source.name,
                source.system == TraceSystem::tempo
                    ? collect_tempo(client, request, spans_, stop_)
                    : collect_jaeger(client, request, spans_, stop_));
        }
    }

    // What was pushed is read first: without a Prometheus its series decide about the grid.
    void read_stores() {
        for (const OtlpFilesConfig& source : config_.otlp_files) {
            auto store = std::make_unique<TelemetryStore>();
            SourceReport report = read_otlp_files(source.paths, *store, stop_);
            report.name = source.name;
            stores_.emplace_back(std::move(store), std::move(report));
        }
        for (const ReceiverConfig& source : config_.receivers) {
            auto store = std::make_unique<TelemetryStore>();
            SourceReport report = collect_receiver(source, range_, transport_, *store, stop_);
            report.name = source.name;
            stores_.emplace_back(std::move(store), std::move(report));
        }
    }

    void take_stores(Collection& out) {
        for (auto& [store, report] : stores_) take_store(out, *store, std::move(report));
        stores_.clear();
    }

    void take_store(Collection& out, TelemetryStore& store, SourceReport report) {
        report.num_items = store.num_lines() + store.num_spans();
        if (auto status = store.to_columns(range_, Catalogue::builtin(), *builder_, facts_, report);
            !status)
            report.error = std::move(status).error();
        store.to_logs(range_, logs_);
        store.to_spans(range_, spans_);
        out.sources.push_back(std::move(report));
    }

    Status finish(Collection& out) {
        Incident& incident = out.incident_case.incident;
        incident.changes = facts_.take_changes();
        builder_->lay_scrapes_at_what_they_scrape();
        CULPRIT_TRY_STATUS(add_derived_signals(*builder_));
        CULPRIT_TRY_STATUS(add_change_columns(incident.changes, *builder_));
        CULPRIT_TRY(incident.metrics, builder_->build());
        if (logs_.size() > 0) {
            if (auto counts = count_logs(logs_)) incident.log_counts = std::move(*counts);
            incident.logs = std::make_shared<const LogTable>(std::move(logs_));
        }
        if (spans_.size() > 0) {
            if (auto counts = count_spans(spans_)) {
                incident.span_errors = std::move(counts->errors);
                incident.span_successes = std::move(counts->successes);
            }
            if (auto edges = edge_latency(spans_); edges && edges->num_columns() > 0)
                incident.edge_latency = std::move(*edges);
            incident.spans = std::make_shared<const SpanTable>(std::move(spans_));
        }
        if (Topology topology = facts_.take_topology(); !topology.nodes.empty())
            incident.topology = std::make_shared<const Topology>(std::move(topology));
        return {};
    }

    const CollectConfig& config_;
    TimeRange range_;
    TimePoint alert_;
    HttpTransport& transport_;
    Stop stop_;
    std::unique_ptr<FrameBuilder> builder_;
    std::vector<std::pair<std::unique_ptr<TelemetryStore>, SourceReport>> stores_;
    IncidentFacts facts_;
    LogTable logs_;
    SpanTable spans_;
};

void note_problems(Collection& collection) {
    for (const SourceReport& source : collection.sources) {
        if (source.error)
            collection.incident_case.problems.push_back(
                {source.name, "nothing collected: " + source.error->message});
        for (const std::string& missing : source.missing)
            collection.incident_case.problems.push_back({source.name, "not collected: " + missing});
        if (source.num_failed > source.missing.size())
            collection.incident_case.problems.push_back(
                {source.name, "not collected: further parts",
                 source.num_failed - source.missing.size()});
    }
}

bool has_data(const Incident& incident) {
    return incident.metrics.num_columns() > 0 || incident.logs || incident.spans;
}

}  // namespace

Result<TimePoint> alert_time(const CollectConfig& config, std::string_view at, TimePoint now) {
    if (at == "now") return now - duration_from_seconds(config.suspect_seconds);
    return parse_time(at);
}

Result<Collection> collect_case(const CollectConfig& config, TimePoint alert, TimePoint now,
                                HttpTransport& transport, const Stop& stop) {
    const Stopwatch stopwatch;
    const TimeRange range{alert - duration_from_seconds(config.baseline_seconds),
                          std::min(alert + duration_from_seconds(config.suspect_seconds), now)};
    if (range.end <= alert)
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected an alert time before now ({}), found {}",
                                format_rfc3339(now), format_rfc3339(alert)));
    CULPRIT_TRY_STATUS(stop.check());
    // The caller's own stop is asked between sources, the time allowed everywhere.
    const Stop limited = Stop::after(duration_from_seconds(config.time_allowed_seconds));
    Collection collection;
    CULPRIT_TRY_STATUS(CaseCollection(config, range, alert, transport, limited).run(collection));
    collection.seconds = stopwatch.seconds();
    note_problems(collection);
    Case& found = collection.incident_case;
    found.id = "live/" + format_rfc3339(alert);
    found.dataset = "live";
    found.incident.alert = alert;
    found.incident.baseline = {range.begin, alert};
    found.incident.suspect = {alert, range.end};
    if (!has_data(found.incident)) {
        std::string why;
        for (const SourceReport& source : collection.sources)
            why += fmt::format("\n  {}: {}", source.name,
                               source.error ? source.error->message
                                            : "answers, but has nothing in this time range");
        return fail(ErrorCode::unavailable,
                    fmt::format("no source gave anything from {} to {}:{}",
                                format_rfc3339(range.begin), format_rfc3339(range.end), why));
    }
    return collection;
}

std::string describe_sources(const Collection& collection) {
    std::string text;
    for (const SourceReport& source : collection.sources) {
        text += fmt::format("{:<14}", source.name);
        if (source.error) {
            text += "failed: " + source.error->message + "\n";
            continue;
        }
        const bool is_metrics = !source.components.empty();
        text += fmt::format("{:>9} {}", source.num_items,
                            is_metrics                ? "series"
                            : source.kind == "loki"   ? "lines"
                            : source.kind == "tempo"  ? "spans"
                            : source.kind == "jaeger" ? "spans"
                                                      : "records");
        for (const auto& [component, count] : source.components)
            text += fmt::format("  {} {}", component, count);
        text += fmt::format("  {:.1f} s", source.seconds);
        if (source.num_failed > 0) text += fmt::format("  ({} missing)", source.num_failed);
        text += '\n';
    }
    return text;
}

}  // namespace culprit
