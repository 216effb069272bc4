#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "culprit/base/random.h"
#include "culprit/graph/mixed_graph.h"

namespace culprit {

/// Calls `body` for every DAG on n labelled nodes: 1, 3, 25, 543, 29281 for n = 1..5.
/// Cost: 3^(n(n-1)/2) candidates; n <= 5 in practice.
void for_each_dag(std::size_t num_nodes, const std::function<void(const MixedGraph&)>& body);

/// Calls `body` for every maximal ancestral graph on n nodes; with `selection` also those with
/// undirected edges (Richardson, Spirtes 2002: no directed or almost directed cycle, nothing with
/// an arrowhead at the end of an undirected edge, every non-adjacent pair separable).
void for_each_mag(std::size_t num_nodes, bool selection,
                  const std::function<void(const MixedGraph&)>& body);

/// All separations of a graph: for each pair and each set of other nodes one bit. Two graphs are
/// Markov equivalent iff these are equal.
std::vector<bool> separations_of(const MixedGraph& graph);

/// What all graphs agree on: each mark that is the same in all, circles elsewhere. The graphs have
/// the same adjacencies. Over a Markov equivalence class of MAGs this is the PAG, by definition.
MixedGraph common_marks(std::span<const MixedGraph> graphs);

/// A DAG over n nodes in random order in which each pair is joined with probability `density`.
MixedGraph random_dag(std::size_t num_nodes, double density, Random& random);

/// Parents before children. A graph with a directed cycle gives fewer than n nodes.
std::vector<std::size_t> topological_order(const MixedGraph& graph);

}  // namespace culprit
