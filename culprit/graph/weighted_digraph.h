#pragma once

#include <cstddef>
#include <span>
#include <unordered_map>
#include <vector>

namespace culprit::graph {

/// A directed graph with weights that remembers the order in which nodes and edges came, because
/// sums over it are taken in that order. Nodes are small numbers chosen by the caller.
class WeightedDigraph {
public:
    struct Edge {
        std::size_t to = 0;
        double weight = 1.0;
    };

    /// A node takes its place when first named, here or by an edge.
    void add_node(std::size_t node);
    /// A second edge between the same nodes overwrites the weight and keeps the first one's place.
    void set_edge(std::size_t from, std::size_t to, double weight);

    std::size_t num_nodes() const { return nodes_.size(); }
    std::span<const std::size_t> nodes() const { return nodes_; }
    bool has_node(std::size_t node) const { return place_.count(node) > 0; }
    /// Empty for a node that the graph does not have.
    std::span<const Edge> out_edges(std::size_t node) const;
    /// The `from` end in Edge::to, in the order in which the edges were set.
    std::span<const Edge> in_edges(std::size_t node) const;
    WeightedDigraph reversed() const;

private:
    std::vector<std::size_t> nodes_;
    std::unordered_map<std::size_t, std::size_t> place_;
    std::vector<std::vector<Edge>> out_;  // by place
    std::vector<std::vector<Edge>> in_;
};

}  // namespace culprit::graph
