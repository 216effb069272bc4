#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "culprit/rca/incident.h"

namespace culprit {

/// Who calls whom, (caller, callee), of two services each: the calls of the topology, in its order;
/// where it has none, those of the spans, each once, in the order of their first spans. The names
/// are the incident's own. Cost: O(edges + spans).
std::vector<std::pair<std::string_view, std::string_view>> service_calls(const Incident& incident);

}  // namespace culprit
