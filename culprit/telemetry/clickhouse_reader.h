#pragma once

#include "culprit/telemetry/config.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// Logs and traces from the tables that OpenTelemetry's ClickHouse exporter writes (`otel_logs`:
/// Timestamp, ServiceName, Body, ResourceAttributes; `otel_traces`: Timestamp, TraceId, SpanId,
/// ParentSpanId, SpanName, SpanKind, ServiceName, Duration in ns, StatusCode, SpanAttributes), over
/// ClickHouse's HTTP interface in JSONEachRow. One query per table, ordered by time, `rows_max`
/// rows at most; more are reported as missing. Metrics tables are not read.
SourceReport collect_clickhouse(const HttpClient& client, const ClickHouseConfig& config,
                                TimeRange range, LogTable& logs, SpanTable& spans,
                                const Stop& stop);

}  // namespace culprit
