#pragma once

#include <string_view>

#include "culprit/base/result.h"
#include "culprit/frame/span_table.h"
#include "culprit/readers/problem_list.h"

namespace culprit {

/// Reads spans from CSV: "traceID", "spanID", "parentSpanID", "serviceName", "operationName",
/// "methodName", "startTime" (Unix us; else "startTimeMillis", else "time"), "duration" (us),
/// "statusCode"; other columns are ignored, ids and names may be absent but for traceID and
/// serviceName. Rows without trace, service, start or duration are left out, each a problem.
///
/// Cost: O(bytes), one thread. Refuses: no header, a needed column missing, a wrong encoding.
Result<SpanTable> read_span_table(std::string_view bytes, ProblemList& problems);

}  // namespace culprit
