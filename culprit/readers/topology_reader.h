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

/// Adds where pods run, from CSV with the columns "POD" and "NODE_NAME" (RCAEval's
/// pod-node-1.csv): one "runs on" edge from each service, the pod's name without the two suffixes
/// that Kubernetes appends, to each of its nodes.
Status add_placements(std::string_view bytes, ProblemList& problems, Topology& topology);

}  // namespace culprit
