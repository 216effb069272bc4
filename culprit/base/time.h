#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "culprit/base/result.h"

namespace culprit {

/// UTC, nanoseconds since 1970.
using TimePoint = std::chrono::sys_time<std::chrono::nanoseconds>;
using Duration = std::chrono::nanoseconds;

/// Half open: [begin, end).
struct TimeRange {
    TimePoint begin;
    TimePoint end;
    bool contains(TimePoint t) const { return begin <= t && t < end; }
    Duration length() const { return end - begin; }
    friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

inline TimePoint time_from_ns(std::int64_t ns) { return TimePoint(Duration(ns)); }
TimePoint time_from_seconds(double unix_seconds);
inline std::int64_t to_ns(TimePoint t) { return t.time_since_epoch().count(); }
inline double to_seconds(Duration d) { return static_cast<double>(d.count()) * 1e-9; }
inline double to_unix_seconds(TimePoint t) { return to_seconds(t.time_since_epoch()); }

/// Reads Unix seconds ("1770900285", "1770900285.25"; 13, 16 and 19 digits are ms, us and ns),
/// "YYYY-MM-DD HH:MM:SS[.fraction]" and RFC 3339 with an offset; without an offset: UTC.
Result<TimePoint> parse_time(std::string_view text);

/// "2026-03-02 03:11:40", with as many fractional digits as needed up to `fraction_digits`.
std::string format_time(TimePoint t, int fraction_digits = 3);
/// "03:11:40".
std::string format_clock(TimePoint t);
/// RFC 3339 with Z.
std::string format_rfc3339(TimePoint t);

}  // namespace culprit
