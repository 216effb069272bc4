#pragma once

#include "culprit/base/result.h"
#include "culprit/frame/frame.h"
#include "culprit/frame/log_table.h"
#include "culprit/frame/span_table.h"

namespace culprit {

/// The series that the study's preparation derives from logs and spans, for cases that come without
/// the files. All lie on bins of 5 s whose time is their beginning, 5 * floor(t / 5 s); only bins
/// in which a record (a span's start) falls are rows. Columns are sorted by name.
///
/// Cost: O(records + bins * columns). Refuses (invalid_input): more than `derived_cells_max` cells.
inline constexpr std::size_t derived_cells_max = 200'000'000;

/// Lines per source ("logts").
Result<Frame> count_logs(const LogTable& logs);

struct SpanCounts {
    Frame successes;  ///< 200 <= status < 300 ("tracets_lat")
    Frame errors;     ///< every other status, and none ("tracets_err")
};
/// Spans per "<service>_<method>".
/// Differs: where no span at all has a status of 100 or more the numbers are gRPC codes, not HTTP
/// ones, and 0 is the success.
Result<SpanCounts> count_spans(const SpanTable& spans);

/// 90th percentile (linear interpolation) of the duration in ms of the spans whose parent belongs
/// to another service, per "<parent's service>_<service>"; bins without such a span repeat the
/// last value, before the first one 0 ("latency_merged_90").
/// Differs: the study's file holds the sum of two equal latencies from a service mesh, twice the
/// value; the spans of a case know only one.
Result<Frame> edge_latency(const SpanTable& spans);

}  // namespace culprit
