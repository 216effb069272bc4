#pragma once

#include <string>
#include <string_view>

#include "culprit/base/time.h"

namespace culprit {

/// Three significant digits with the prefix that makes them readable: "12.3", "4.57 M", "3.2e-05".
std::string format_number(double value);

/// A value with its unit (UCUM-like): seconds as µs, ms or s, bytes as KiB, MiB or GiB, shares
/// bare.
std::string format_quantity(double value, std::string_view unit);

/// "2 s", "150 ms", "10 min", "1 h 5 min".
std::string format_duration(Duration duration);

}  // namespace culprit
