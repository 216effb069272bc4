#pragma once

#include "culprit/telemetry/config.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// What `culprit receive` has of the range: from the running receiver ("GET /culprit/window") or
/// from its journal on disk. A line that cannot be read, such as the last one of a killed receiver,
/// is reported and costs only itself.
SourceReport collect_receiver(const ReceiverConfig& config, TimeRange range,
                              HttpTransport& transport, TelemetrySink& sink, const Stop& stop);

/// The journal's segments in the order in which they were written.
std::vector<std::string> journal_segments(const std::string& folder);

}  // namespace culprit
