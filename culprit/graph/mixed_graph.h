#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "culprit/graph/bit_set.h"

namespace culprit {

/// What stands at one end of an edge. A circle says "not known".
enum class Mark : std::uint8_t { none, tail, arrow, circle };

/// Nodes 0..n-1 and at most one edge per pair, with a mark at either end: `a -> b` is tail at a and
/// arrow at b; DAGs, CPDAGs, MAGs and PAGs are special cases. Adjacency is also kept as bit sets.
class MixedGraph {
public:
    MixedGraph() = default;
    explicit MixedGraph(std::size_t num_nodes);
    /// Every pair joined, `mark` at all ends.
    static MixedGraph complete(std::size_t num_nodes, Mark mark);

    std::size_t num_nodes() const { return num_nodes_; }
    std::size_t num_edges() const;
    std::size_t degree(std::size_t a) const { return adjacent_[a].count(); }
    std::size_t degree_max() const;
    bool adjacent(std::size_t a, std::size_t b) const { return mark_at(a, b) != Mark::none; }
    /// Neighbours of a, whatever the marks.
    const BitSet& adjacency(std::size_t a) const { return adjacent_[a]; }
    std::vector<std::size_t> neighbours(std::size_t a) const { return adjacent_[a].members(); }

    /// The mark at a's end of the edge a - b; none when there is no edge.
    Mark mark_at(std::size_t a, std::size_t b) const { return marks_[a * num_nodes_ + b]; }
    bool is_directed(std::size_t a, std::size_t b) const {  ///< a -> b
        return mark_at(a, b) == Mark::tail && mark_at(b, a) == Mark::arrow;
    }
    bool is_undirected(std::size_t a, std::size_t b) const {  ///< a - b, two tails
        return mark_at(a, b) == Mark::tail && mark_at(b, a) == Mark::tail;
    }
    bool is_bidirected(std::size_t a, std::size_t b) const {  ///< a <-> b
        return mark_at(a, b) == Mark::arrow && mark_at(b, a) == Mark::arrow;
    }

    /// Adds or replaces the edge; no mark may be `none`.
    void set_edge(std::size_t a, Mark at_a, std::size_t b, Mark at_b);
    void set_directed(std::size_t from, std::size_t to) {
        set_edge(from, Mark::tail, to, Mark::arrow);
    }
    /// Replaces the mark at a's end of the existing edge a - b.
    void set_mark(std::size_t a, std::size_t b, Mark at_a);
    void remove_edge(std::size_t a, std::size_t b);
    /// Puts `mark` at both ends of every edge.
    void mark_all(Mark mark);

    friend bool operator==(const MixedGraph&, const MixedGraph&) = default;

private:
    std::size_t num_nodes_ = 0;
    std::vector<Mark> marks_;  // [a][b]: at a on a - b
    std::vector<BitSet> adjacent_;
};

/// "0 -> 1, 1 o-o 2": for messages and failing tests.
std::string to_string(const MixedGraph& graph);

}  // namespace culprit
