#pragma once

#include <functional>
#include <string>

#include "culprit/telemetry/http_client.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

struct LokiRequest {
    TimeRange range;                      ///< [begin, end)
    std::string query = "{job=~\".+\"}";  ///< LogQL stream selector with filters
    std::string source_label;             ///< whose value names the source; "" = by convention
    std::uint64_t lines_max = 1'000'000;  ///< further lines are reported as missing
    std::uint64_t page_lines = 1000;
    std::uint64_t page_lines_max = 5000;  ///< Loki's default limit for one query
};

/// Log lines from Loki's query_range, oldest first.
///
/// Pages overlap by one time stamp on purpose: the next page begins at the last time seen, and the
/// lines of that nanosecond that were there already are skipped one by one. Asking from the next
/// nanosecond on would lose the rest of a burst. A page filled by a single nanosecond is asked for
/// again with twice the limit; if even `page_lines_max` is full of it, the report says what is
/// lost.
SourceReport collect_loki(const HttpClient& client, const LokiRequest& request, LogTable& logs,
                          const Stop& stop);

}  // namespace culprit
