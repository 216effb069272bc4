#include "culprit/graph/mixed_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "culprit/base/check.h"

namespace culprit {

MixedGraph::MixedGraph(std::size_t num_nodes)
    : num_nodes_(num_nodes),
      marks_(num_nodes * num_nodes, Mark::none),
      adjacent_(num_nodes, BitSet(num_nodes)) {}

MixedGraph MixedGraph::complete(std::size_t num_nodes, Mark mark) {
    MixedGraph graph(num_nodes);
    for (std::size_t a = 0; a < num_nodes; ++a)
        for (std::size_t b = a + 1; b < num_nodes; ++b) graph.set_edge(a, mark, b, mark);
    return graph;
}

std::size_t MixedGraph::num_edges() const {
    std::size_t ends = 0;
    for (const BitSet& set : adjacent_) ends += set.count();
    return ends / 2;
}

std::size_t MixedGraph::degree_max() const {
    std::size_t largest = 0;
    for (const BitSet& set : adjacent_) largest = std::max(largest, set.count());
    return largest;
}

void MixedGraph::set_edge(std::size_t a, Mark at_a, std::size_t b, Mark at_b) {
    CULPRIT_CHECK(a != b && at_a != Mark::none && at_b != Mark::none);
    marks_[a * num_nodes_ + b] = at_a;
    marks_[b * num_nodes_ + a] = at_b;
    adjacent_[a].set(b);
    adjacent_[b].set(a);
}

void MixedGraph::set_mark(std::size_t a, std::size_t b, Mark at_a) {
    CULPRIT_CHECK(at_a != Mark::none && adjacent(a, b));
    marks_[a * num_nodes_ + b] = at_a;
}

void MixedGraph::remove_edge(std::size_t a, std::size_t b) {
    marks_[a * num_nodes_ + b] = Mark::none;
    marks_[b * num_nodes_ + a] = Mark::none;
    adjacent_[a].reset(b);
    adjacent_[b].reset(a);
}

void MixedGraph::mark_all(Mark mark) {
    CULPRIT_CHECK(mark != Mark::none);
    for (Mark& at_end : marks_)
        if (at_end != Mark::none) at_end = mark;
}

std::string to_string(const MixedGraph& graph) {
    const auto left = [](Mark mark) {
        return mark == Mark::arrow ? "<" : mark == Mark::circle ? "o" : "-";
    };
    const auto right = [](Mark mark) {
        return mark == Mark::arrow ? ">" : mark == Mark::circle ? "o" : "-";
    };
    std::string text;
    for (std::size_t a = 0; a < graph.num_nodes(); ++a)
        for (std::size_t b = a + 1; b < graph.num_nodes(); ++b)
            if (graph.adjacent(a, b))
                text += fmt::format("{}{} {}-{} {}", text.empty() ? "" : ", ", a,
                                    left(graph.mark_at(a, b)), right(graph.mark_at(b, a)), b);
    return text;
}

}  // namespace culprit
