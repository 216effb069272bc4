#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/telemetry/prometheus_reader.h"
#include "culprit/telemetry/series_columns.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/span_store.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// Series, lines and spans held in memory: what OTLP files and the receiver decode into. Points of
/// a series may come in any order; of equal times the last one stays. Delta sums are added up, so
/// that they read like counters.
class TelemetryStore final : public TelemetrySink {
public:
    struct Stored {
        Series series;
        std::string type;
        std::string unit;
        double delta_total = 0.0;
    };

    void on_span(SpanRecord span) override;
    void on_span_view(const SpanView& span) override { spans_.add(span); }
    void add_spans(const SpanStore& spans) { spans_.append(spans); }
    void on_log(LogRecord record) override;
    void on_point(MetricPoint point) override;

    std::uint64_t num_points() const { return num_points_; }
    std::uint64_t num_spans() const { return spans_.size(); }
    std::uint64_t num_lines() const { return logs_.size(); }
    const SpanStore& spans() const { return spans_; }
    const std::vector<LogRecord>& logs() const { return logs_; }
    const std::map<std::pair<std::string, Labels>, Stored>& series() const { return series_; }

    /// Forgets everything before `begin_ns`; series left without points go.
    void drop_before(std::int64_t begin_ns);

    /// Columns of the series within the range.
    Status to_columns(TimeRange range, const Catalogue& catalogue, FrameBuilder& builder,
                      IncidentFacts& facts, SourceReport& report);
    void to_logs(TimeRange range, LogTable& logs) const;
    void to_spans(TimeRange range, SpanTable& spans) const;
    /// The median distance between the points of the series; 15 s when there is none.
    std::int64_t typical_step_ms() const;

private:
    std::map<std::pair<std::string, Labels>, Stored> series_;
    SpanStore spans_;
    std::vector<LogRecord> logs_;
    std::uint64_t num_points_ = 0;
};

}  // namespace culprit
