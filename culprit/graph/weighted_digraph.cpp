#include "culprit/graph/weighted_digraph.h"

#include <algorithm>

namespace culprit::graph {
namespace {

// Returns whether the edge is new.
bool set(std::vector<WeightedDigraph::Edge>& edges, std::size_t to, double weight) {
    const auto known = std::find_if(edges.begin(), edges.end(),
                                    [to](const WeightedDigraph::Edge& e) { return e.to == to; });
    if (known == edges.end()) {
        edges.push_back({to, weight});
        return true;
    }
    known->weight = weight;
    return false;
}

}  // namespace

void WeightedDigraph::add_node(std::size_t node) {
    if (!place_.emplace(node, nodes_.size()).second) return;
    nodes_.push_back(node);
    out_.emplace_back();
    in_.emplace_back();
}

void WeightedDigraph::set_edge(std::size_t from, std::size_t to, double weight) {
    add_node(from);
    add_node(to);
    set(out_[place_.at(from)], to, weight);
    set(in_[place_.at(to)], from, weight);
}

std::span<const WeightedDigraph::Edge> WeightedDigraph::out_edges(std::size_t node) const {
    const auto place = place_.find(node);
    if (place == place_.end()) return {};
    return out_[place->second];
}

std::span<const WeightedDigraph::Edge> WeightedDigraph::in_edges(std::size_t node) const {
    const auto place = place_.find(node);
    if (place == place_.end()) return {};
    return in_[place->second];
}

WeightedDigraph WeightedDigraph::reversed() const {
    WeightedDigraph result;
    for (const std::size_t node : nodes_) result.add_node(node);
    for (const std::size_t node : nodes_)
        for (const Edge& edge : out_edges(node)) result.set_edge(edge.to, node, edge.weight);
    return result;
}

}  // namespace culprit::graph
