#pragma once

#include <string>
#include <vector>

#include "culprit/base/stop.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// Reads OTLP JSON files as the OpenTelemetry collector's file exporter writes them: one export
/// message per line, traces, metrics and logs in any mixture. A path that is a folder stands for
/// its
/// *.json and *.jsonl files, sorted. A line that cannot be decoded is reported with its number and
/// costs only itself; so does the half line at the end of a file that is still being written.
SourceReport read_otlp_files(const std::vector<std::string>& paths, TelemetrySink& sink,
                             const Stop& stop);

}  // namespace culprit
