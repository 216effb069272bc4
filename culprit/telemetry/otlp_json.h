#pragma once

#include <string_view>

#include "culprit/base/result.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// Decodes one OTLP/JSON message of any of the three signals: an export request, a line of the
/// OpenTelemetry collector's file exporter, or a trace as Tempo returns it ("resourceSpans",
/// "batches", "trace"; "resourceLogs"; "resourceMetrics").
///
/// Ids are hexadecimal (base64 is accepted, Tempo writes it); 64-bit integers may be numbers or
/// texts; unknown fields are ignored; exponential histograms become their `_sum` and `_count`.
/// Malformed records are an error (malformed_data) that names where; the records before it have
/// been handed over. Source: opentelemetry-proto, docs/specification.md.
Status decode_otlp_json(std::string_view json, TelemetrySink& sink);

}  // namespace culprit
