#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "culprit/base/time.h"

namespace culprit {

/// Seconds as someone wrote them, to the nearest nanosecond. What lies beyond 100 years either way
/// becomes 100 years, which can be added to any time of our age; NaN becomes 0.
inline Duration duration_from_seconds(double seconds) {
    constexpr double seconds_max = 100 * 365.25 * 86400;
    if (std::isnan(seconds)) return Duration(0);
    return Duration(std::llround(std::clamp(seconds, -seconds_max, seconds_max) * 1e9));
}

}  // namespace culprit
