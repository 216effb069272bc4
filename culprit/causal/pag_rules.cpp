#include "culprit/causal/pag_rules.h"

#include <optional>
#include <utility>
#include <vector>

namespace culprit {
namespace {

using Node = std::size_t;
using Path = std::vector<Node>;

// One pass of every rule; the letters a, b, c, d follow Zhang's alpha, beta, gamma, theta.
class Rules {
public:
    Rules(MixedGraph& graph, const SeparatingSets& sepsets) : g_(graph), sepsets_(sepsets) {}

    Status run(const Stop& stop) {
        do {
            changed_ = false;
            for (Node b = 0; b < g_.num_nodes(); ++b) {
                CULPRIT_TRY_STATUS(stop.check());
                around(b);
            }
            if (!changed_) CULPRIT_TRY_STATUS(path_rules(stop));
        } while (changed_);
        return {};
    }

private:
    bool arrow(Node at, Node other) const { return g_.mark_at(at, other) == Mark::arrow; }
    bool tail(Node at, Node other) const { return g_.mark_at(at, other) == Mark::tail; }
    bool circle(Node at, Node other) const { return g_.mark_at(at, other) == Mark::circle; }

    // Only circles are ever replaced: what is known stays known.
    void set(Node at, Node other, Mark mark) {
        if (!circle(at, other)) return;
        g_.set_mark(at, other, mark);
        changed_ = true;
    }

    // Rules about two edges that meet at b.
    void around(Node b) {
        const std::vector<Node> ends = g_.neighbours(b);
        for (const Node a : ends)
            for (const Node c : ends) {
                if (a == c) continue;
                g_.adjacent(a, c) ? shielded(a, b, c) : unshielded(a, b, c);
                // Rule 6: a - b o-* c: tail at b.
                if (tail(a, b) && tail(b, a)) set(b, c, Mark::tail);
            }
    }

    void unshielded(Node a, Node b, Node c) {
        // Rule 1: a *-> b o-* c: b -> c.
        if (arrow(b, a) && circle(b, c)) {
            set(b, c, Mark::tail);
            set(c, b, Mark::arrow);
        }
        // Rule 7: a -o b o-* c: tail at b.
        if (tail(a, b) && circle(b, a)) set(b, c, Mark::tail);
        // Rule 3: a *-> b <-* c, a *-o d o-* c, d *-o b: arrow at b.
        if (!arrow(b, a) || !arrow(b, c)) return;
        for (const Node d : (g_.adjacency(a) & g_.adjacency(c)).members())
            if (d != b && g_.adjacent(d, b) && circle(d, a) && circle(d, c)) set(b, d, Mark::arrow);
    }

    void shielded(Node a, Node b, Node c) {
        // Rule 2: a -> b *-> c or a *-> b -> c, a *-o c: arrow at c.
        if (arrow(b, a) && arrow(c, b) && (tail(a, b) || tail(b, c))) set(c, a, Mark::arrow);
        // Rule 8: a -> b -> c or a -o b -> c, a o-> c: tail at a.
        if (tail(a, b) && !tail(b, a) && tail(b, c) && arrow(c, b) && arrow(c, a))
            set(a, c, Mark::tail);
    }

    Status path_rules(const Stop& stop) {
        for (Node b = 0; b < g_.num_nodes(); ++b)
            for (const Node c : g_.neighbours(b)) {
                CULPRIT_TRY_STATUS(stop.check());
                if (circle(b, c)) discriminate(b, c);
            }
        if (changed_) return {};
        for (Node a = 0; a < g_.num_nodes(); ++a)
            for (const Node c : g_.neighbours(a)) {
                CULPRIT_TRY_STATUS(stop.check());
                if (a < c && circle(a, c) && circle(c, a)) close_circle(a, c);
                if (circle(a, c) && arrow(c, a)) find_tail(a, c);
            }
        return {};
    }

    // Rule 4: a discriminating path d .. a, b, c decides whether b is a collider. Every vertex
    // between d and b is a collider on the path and a parent of c.
    void discriminate(Node b, Node c) {
        for (const Node a : g_.neighbours(b)) {
            if (!circle(b, c)) return;
            if (a == c || !arrow(a, b) || !g_.is_directed(a, c)) continue;
            const std::optional<Node> d = path_start(a, b, c);
            if (!d) continue;
            if (sepsets_.contains(*d, c, b)) {
                set(b, c, Mark::tail);
                set(c, b, Mark::arrow);
            } else {
                set(b, a, Mark::arrow);
                set(b, c, Mark::arrow);
                set(c, b, Mark::arrow);
            }
        }
    }

    std::optional<Node> path_start(Node a, Node b, Node c) const {
        BitSet seen(g_.num_nodes());
        seen.set(a);
        seen.set(b);
        seen.set(c);
        Path open = {a};
        for (std::size_t next = 0; next < open.size(); ++next) {
            const Node v = open[next];
            for (const Node w : g_.neighbours(v)) {
                if (seen.test(w) || !arrow(v, w)) continue;
                if (!g_.adjacent(w, c)) return w;
                if (!arrow(w, v) || !g_.is_directed(w, c)) continue;
                seen.set(w);
                open.push_back(w);
            }
        }
        return std::nullopt;
    }

    enum class Step : std::uint8_t { circles, potentially_directed };

    bool allowed(Node from, Node to, Step step) const {
        if (step == Step::circles) return circle(from, to) && circle(to, from);
        return !arrow(from, to) && !tail(to, from);
    }

    // All edges (u, v) on uncovered walks that begin with (a, b) and avoid `avoid`, each with the
    // edge before it.
    struct Walks {
        std::vector<std::pair<Node, Node>> edges;
        std::vector<std::size_t> before;
    };

    Walks uncovered_walks(Node a, Node b, Step step, Node avoid) const {
        const std::size_t n = g_.num_nodes();
        std::vector<BitSet> seen(n, BitSet(n));
        Walks walks{{{a, b}}, {0}};
        seen[a].set(b);
        for (std::size_t next = 0; next < walks.edges.size(); ++next) {
            const auto [u, v] = walks.edges[next];
            if (v == avoid) continue;
            for (const Node w : g_.neighbours(v)) {
                if (w == u || w == a || g_.adjacent(u, w) || seen[v].test(w) ||
                    !allowed(v, w, step))
                    continue;
                seen[v].set(w);
                walks.edges.emplace_back(v, w);
                walks.before.push_back(next);
            }
        }
        return walks;
    }

    // Rule 5: a o-o b closed by an uncovered circle path a, c .. d, b with a, d and b, c not
    // adjacent: all these edges are undirected.
    void close_circle(Node a, Node b) {
        for (const Node c : g_.neighbours(a)) {
            if (c == b || g_.adjacent(b, c) || !allowed(a, c, Step::circles)) continue;
            const Walks walks = uncovered_walks(a, c, Step::circles, b);
            for (std::size_t e = 0; e < walks.edges.size(); ++e) {
                const auto [d, end] = walks.edges[e];
                if (end != b || d == a || g_.adjacent(a, d)) continue;
                undirect(a, b);
                for (std::size_t k = e;; k = walks.before[k]) {
                    undirect(walks.edges[k].first, walks.edges[k].second);
                    if (k == 0) break;
                }
                return;
            }
        }
    }

    void undirect(Node a, Node b) {
        set(a, b, Mark::tail);
        set(b, a, Mark::tail);
    }

    // Rules 9 and 10: a o-> c gets its tail when uncovered potentially directed paths say that a
    // must be an ancestor of c.
    void find_tail(Node a, Node c) {
        std::vector<std::pair<Node, BitSet>> reached;  // first vertex -> what its walks reach
        for (const Node b : g_.neighbours(a)) {
            if (b == c || !allowed(a, b, Step::potentially_directed)) continue;
            const Walks walks = uncovered_walks(a, b, Step::potentially_directed, c);
            BitSet ends(g_.num_nodes());
            for (const auto& [u, v] : walks.edges) ends.set(v);
            if (!g_.adjacent(b, c) && ends.test(c)) return set(a, c, Mark::tail);  // rule 9
            reached.emplace_back(b, std::move(ends));
        }
        std::vector<Node> parents;
        for (const Node p : g_.neighbours(c))
            if (p != a && g_.is_directed(p, c)) parents.push_back(p);
        for (const auto& [m, from_m] : reached)
            for (const auto& [w, from_w] : reached)
                if (m != w && !g_.adjacent(m, w) && two_parents(parents, from_m, from_w))
                    return set(a, c, Mark::tail);  // rule 10
    }

    static bool two_parents(const std::vector<Node>& parents, const BitSet& one,
                            const BitSet& other) {
        for (const Node b : parents)
            for (const Node d : parents)
                if (b != d && one.test(b) && other.test(d)) return true;
        return false;
    }

    MixedGraph& g_;
    const SeparatingSets& sepsets_;
    bool changed_ = false;
};

}  // namespace

void orient_pag_colliders(MixedGraph& graph, const SeparatingSets& sepsets) {
    graph.mark_all(Mark::circle);
    for (Node b = 0; b < graph.num_nodes(); ++b) {
        const std::vector<Node> ends = graph.neighbours(b);
        for (std::size_t i = 0; i < ends.size(); ++i)
            for (std::size_t k = i + 1; k < ends.size(); ++k) {
                const Node a = ends[i];
                const Node c = ends[k];
                if (graph.adjacent(a, c) || !sepsets.find(a, c) || sepsets.contains(a, c, b))
                    continue;
                graph.set_mark(b, a, Mark::arrow);
                graph.set_mark(b, c, Mark::arrow);
            }
    }
}

Status apply_pag_rules(MixedGraph& graph, const SeparatingSets& sepsets, const Stop& stop) {
    return Rules(graph, sepsets).run(stop);
}

}  // namespace culprit
