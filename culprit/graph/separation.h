#pragma once

#include <cstddef>
#include <span>

#include "culprit/graph/mixed_graph.h"

namespace culprit {

/// m-separation, which is d-separation on a DAG: true iff every path from x to y is blocked.
///
///   a path is open given S iff each collider on it is an ancestor of S or in S, and no other inner
///   node is in S
///
/// Shapes:   graph of directed, bidirected and undirected edges (no circles); x != y, not in given.
/// Cost:     O(edges).
/// Source:   Pearl 1988; Richardson, Spirtes, Annals of Statistics 30(4), 2002.
bool separated(const MixedGraph& graph, std::size_t x, std::size_t y,
               std::span<const std::size_t> given);

/// Members of `nodes` and all their ancestors along directed edges.
BitSet ancestors_of(const MixedGraph& graph, std::span<const std::size_t> nodes);

}  // namespace culprit
