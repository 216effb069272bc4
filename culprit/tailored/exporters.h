#pragma once

#include <set>
#include <string_view>

#include "culprit/frame/frame.h"

namespace culprit::tailored {

/// Who exports a metric of this name, as the catalogue calls it ("vllm", "node-exporter"); whatever
/// a collector made of it (":mean", "_p95") is left out. Empty: nobody known, or written by hand.
std::string_view exporter_of(std::string_view metric);

/// All whose metrics the table has.   Cost: O(columns).
std::set<std::string_view> exporters_of(const Frame& metrics);

/// Gateways and proxies: what they export of engines they measured from outside.
bool is_gateway(std::string_view exporter);

}  // namespace culprit::tailored
