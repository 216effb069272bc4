#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "culprit/base/time.h"
#include "culprit/frame/log_table.h"
#include "culprit/frame/span_table.h"
#include "culprit/telemetry/series.h"

namespace culprit {

/// One span as OpenTelemetry, Tempo or Jaeger has it.
struct SpanRecord {
    std::string trace_id;   ///< lower-case hexadecimal
    std::string span_id;    ///< likewise
    std::string parent_id;  ///< "" = a root
    std::string service;
    std::string operation;
    std::string method;  ///< route or RPC method, "" when the span has none
    std::string kind;    ///< "server", "client", "internal", "producer", "consumer", ""
    std::int64_t start_ns = 0;
    std::int64_t duration_ns = 0;
    /// HTTP or gRPC status; where the span carries neither, 500 for OpenTelemetry's "error" and 200
    /// otherwise, because an unset status means that the instrumentation saw no error.
    std::int32_t status = 200;
};

/// A span as it lies in a message: ids in binary, texts that belong to someone else.
struct SpanView {
    std::string_view trace_id;   ///< 16 bytes
    std::string_view span_id;    ///< 8 bytes
    std::string_view parent_id;  ///< likewise; empty = a root
    std::string_view service;
    std::string_view operation;
    std::string_view method;
    std::string_view kind;
    std::int64_t start_ns = 0;
    std::int64_t duration_ns = 0;
    std::int32_t status = 200;
};

struct LogRecord {
    std::int64_t time_ns = 0;
    std::string source;  ///< pod, container or service
    std::string text;
};

enum class PointKind : std::uint8_t { gauge, cumulative_sum, delta_sum };

/// One number of one series. A histogram arrives as its parts `_bucket` (label le), `_sum`,
/// `_count`.
struct MetricPoint {
    std::string name;
    Labels labels;
    std::string type;  ///< "gauge", "counter" or "histogram", for the series as a whole
    std::string unit;
    PointKind kind = PointKind::gauge;
    std::int64_t time_ns = 0;
    double value = std::numeric_limits<double>::quiet_NaN();
};

/// Takes decoded telemetry.
class TelemetrySink {
public:
    virtual ~TelemetrySink() = default;
    virtual void on_span(SpanRecord span) = 0;
    /// The views are good during the call only. Makes a SpanRecord unless overridden.
    virtual void on_span_view(const SpanView& span);
    virtual void on_log(LogRecord record) = 0;
    virtual void on_point(MetricPoint point) = 0;
};

/// Appends; ids become 64-bit numbers (a span id is 16 hexadecimal digits; others are hashed).
void add_span(const SpanRecord& span, SpanTable& table);

/// The service that resource attributes name, by the catalogue's entity rules: pod, then service.
std::string source_of_resource(const Labels& attributes);

}  // namespace culprit
