#pragma once

#include <string>
#include <string_view>

#include "culprit/frame/frame.h"
#include "culprit/tailored/features.h"

namespace culprit::tailored {

/// A signal in words that an engineer on call reads at once: "SM clock" for "gpu.sm_clock". A
/// signal without words is its own name.
std::string signal_text(std::string_view signal);

/// The unit of a feature's values: what its exporter promises, divided by time where it is a rate.
std::string unit_of(const Feature& feature, const Frame& metrics);

/// "1980 MHz", "12.4 ms", "5.3 GB", "28.3 % of the time": a value with its unit's prefix.
std::string quantity_text(double value, const std::string& unit);

/// "1980 -> 1110 MHz", "0 -> 28.3 % of the time", "921 ms -> 1.68 s": the unit once where both have
/// the same.
std::string change_text(double before, double now, const std::string& unit);

/// A third value beside `now`, without its unit where it has the same: "1980".
std::string beside_text(double value, double now, const std::string& unit);

}  // namespace culprit::tailored
