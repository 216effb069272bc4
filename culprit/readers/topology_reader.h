#pragma once

#include <string_view>

#include "culprit/base/result.h"
#include "culprit/frame/topology.h"
#include "culprit/readers/problem_list.h"

namespace culprit {

/// Reads a dependency graph from CSV with the columns "source" and "destination": a node whose
/// name contains ":10250" (a kubelet) is a host and the edge to it says "runs on"; every other edge
/// is "calls". Nodes in the order of their appearance.
Result<Topology> read_topology(std::string_view bytes, ProblemList& problems);

}  // namespace culprit
