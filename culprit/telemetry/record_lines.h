#pragma once

#include <string>
#include <string_view>

#include "culprit/base/result.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// Telemetry records as lines of JSON, one record each: the receiver's journal and what it answers
/// when it is asked for its window. First member: "s" span, "l" log line, "p" metric point.
void append_line(const SpanRecord& span, std::string& out);
void append_line(const LogRecord& record, std::string& out);
void append_line(const MetricPoint& point, std::string& out);

/// Reads one line. malformed_data for anything else, such as the half line that a killed writer
/// left.
Status read_line(std::string_view line, TelemetrySink& sink);

}  // namespace culprit
