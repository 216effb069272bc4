#pragma once

#include <optional>
#include <string_view>

#include "culprit/base/time.h"

namespace culprit {

/// The same times as base's parse_time, but fast for the two spellings that tables have in every
/// row: Unix time of up to 19 digits, and "YYYY-MM-DD HH:MM:SS[.fraction]".
std::optional<TimePoint> parse_time_text(std::string_view text);

}  // namespace culprit
