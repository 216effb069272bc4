#pragma once

#include <string>
#include <vector>

#include "culprit/telemetry/http_client.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

struct TraceRequest {
    TimeRange range;
    std::string query = "{}";                ///< TraceQL, for Tempo
    std::vector<std::string> services = {};  ///< for Jaeger; empty = all that it knows
    std::uint64_t traces_max = 20'000;       ///< further ones are reported as missing
    std::uint64_t page_traces = 500;         ///< asked for at a time
};

/// Traces from Tempo: search, then fetch each. Tempo has no paging: a search that fills its limit
/// is split in time halves until each piece fits, down to one second, the resolution of its API. A
/// second that still does not fit is asked for with larger limits, up to `traces_max`, and reported
/// where even that is full, so the sample is complete and not the server's choice.
SourceReport collect_tempo(const HttpClient& client, const TraceRequest& request, SpanTable& spans,
                           const Stop& stop);

/// Traces from Jaeger's /api/traces (also VictoriaTraces and others), service by service, split in
/// time as above (down to a millisecond). A trace that touches several services counts once.
SourceReport collect_jaeger(const HttpClient& client, const TraceRequest& request, SpanTable& spans,
                            const Stop& stop);

/// One trace of Jaeger's JSON: {"traceID", "spans": [...], "processes": {...}}.
Status decode_jaeger_trace(std::string_view json, TelemetrySink& sink);

}  // namespace culprit
