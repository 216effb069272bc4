#pragma once

#include <string_view>

#include "culprit/base/result.h"
#include "culprit/frame/log_table.h"
#include "culprit/readers/problem_list.h"

namespace culprit {

/// Reads log records from CSV: "timestamp" (Unix ns; ms and s are told apart by their digits) or
/// "time", "container_name" (or "container", "service"), "message" (or "msg"); other columns are
/// ignored. Rows without a readable time are left out, each a problem; invalid UTF-8 in a message
/// is replaced by U+FFFD, a problem per record.
///
/// Cost: O(bytes), one thread. Refuses: no header, a needed column missing, a wrong encoding.
Result<LogTable> read_log_table(std::string_view bytes, ProblemList& problems);

}  // namespace culprit
