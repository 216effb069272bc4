#pragma once

#include <functional>
#include <string>

#include "culprit/telemetry/http_client.h"
#include "culprit/telemetry/source_report.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

struct LokiRequest {
    TimeRange range;                      ///< [begin, end)
    TimePoint alert{};                    ///< no more than half of the lines are from before it
    std::string query;                    ///< LogQL stream selector with filters; "" = every stream
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
/// again with twice the limit; if even `page_lines_max`, or what the server allows, is full of it,
/// the report says what is lost.
///
/// LogQL has no selector for every stream: each must demand a label. Without a query the streams
/// are listed first, and labels chosen until every stream has one of them; the queries demand the
/// first label, then the second where the first is empty, and so on, so that no line comes twice.
SourceReport collect_loki(const HttpClient& client, const LokiRequest& request, LogTable& logs,
                          const Stop& stop);

}  // namespace culprit
