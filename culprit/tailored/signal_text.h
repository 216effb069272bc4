#pragma once

#include <string>
#include <string_view>

namespace culprit::tailored {

/// A signal in words that an engineer on call reads at once: "SM clock" for "gpu.sm_clock". A
/// signal without words is its own name.
std::string signal_text(std::string_view signal);

/// "1980 MHz", "12.4 ms", "5.3 GB", "28.3 % of the time": a value with its unit's prefix.
std::string quantity_text(double value, const std::string& unit);

}  // namespace culprit::tailored
