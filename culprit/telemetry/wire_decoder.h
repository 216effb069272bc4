#pragma once

#include <string_view>

#include "culprit/base/result.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

// Binary telemetry into records. The messages of the three OTLP signals look alike on the wire, so
// the caller says which one it is. All refuse (malformed_data) bytes that are no such message;
// records inside it without a time are skipped.

Status decode_otlp_traces(std::string_view bytes, TelemetrySink& sink);
Status decode_otlp_metrics(std::string_view bytes, TelemetrySink& sink);
Status decode_otlp_logs(std::string_view bytes, TelemetrySink& sink);

/// Any of the three, told apart by the first record's own fields: a span has its times in fields 7
/// and 8, a log record in 1 or 11, a metric is neither. For files, which do not say.
Status decode_otlp(std::string_view bytes, TelemetrySink& sink);

/// Prometheus remote write 1.0: a snappy block around a WriteRequest. A block that claims to hold
/// more than `bytes_max` is refused before it is unpacked.
Status decode_remote_write(std::string_view snappy_bytes, std::size_t bytes_max,
                           TelemetrySink& sink);

}  // namespace culprit
