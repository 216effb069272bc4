#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "culprit/base/stop.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// Reads OTLP files in every form in which the OpenTelemetry collector's file exporter writes them:
/// JSON, one export message per line; protobuf, each message behind its length in four bytes,
/// big-endian; and with `compression: zstd` either, each message compressed behind its length.
/// Traces, metrics and logs come in any mixture. A path that is a folder stands for its files named
/// *.json, *.jsonl, *.binpb, *.pb, *.proto or *.zst, sorted. A message that cannot be decoded is
/// reported with its number and costs only itself; so does the half message at the end of a file
/// that is still being written.
SourceReport read_otlp_files(const std::vector<std::string>& paths, TelemetrySink& sink,
                             const Stop& stop);

/// One file's content.
void read_otlp_stream(std::istream& in, const std::string& name, TelemetrySink& sink,
                      SourceReport& report, const Stop& stop);

}  // namespace culprit
