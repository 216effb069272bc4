#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "culprit/base/time.h"

namespace culprit {

/// The same times as base's parse_time, but fast for the two spellings that tables have in every
/// row: Unix seconds of 10 digits, and "YYYY-MM-DD HH:MM:SS[.fraction]". Only from 1970 to 2115:
/// sums and differences of two such times do not overflow 64 bits of nanoseconds.
inline constexpr std::int64_t unix_seconds_max = 4'600'000'000;
std::optional<TimePoint> parse_time_text(std::string_view text);

}  // namespace culprit
