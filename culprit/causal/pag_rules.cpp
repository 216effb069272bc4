#include "culprit/causal/pag_rules.h"

#include <optional>
#include <utility>
#include <vector>

namespace culprit {
namespace {

using Node = std::size_t;

// The graph by kind of edge end, as sets, so that a rule is a question about two or three of them.
struct Ends {
    std::vector<BitSet> arrow_at;    // [v]: w with an arrow at v on v - w
    std::vector<BitSet> arrow_from;  // [v]: w with an arrow at w
    std::vector<BitSet> circle_at;   // [v]: w with a circle at v
    std::vector<BitSet> children;    // [v]: v -> w
    std::vector<BitSet> parents;     // [v]: w -> v
    std::vector<BitSet> open_out;    // [v]: w with v -> w or v -o w
    std::vector<BitSet> lines;       // [v]: v - w, two tails
    std::vector<BitSet> circles;     // [v]: v o-o w
    std::vector<BitSet> onward;      // [v]: w that a potentially directed path may go to from v

    explicit Ends(std::size_t n)
        : arrow_at(n, BitSet(n)),
          arrow_from(arrow_at),
          circle_at(arrow_at),
          children(arrow_at),
          parents(arrow_at),
          open_out(arrow_at),
          lines(arrow_at),
          circles(arrow_at),
          onward(arrow_at) {}

    void update(const MixedGraph& g, Node v, Node w) {
        one_way(v, w, g.mark_at(v, w), g.mark_at(w, v));
        one_way(w, v, g.mark_at(w, v), g.mark_at(v, w));
    }

private:
    static void put(BitSet& set, Node w, bool member) { member ? set.set(w) : set.reset(w); }
    void one_way(Node v, Node w, Mark here, Mark there) {
        put(arrow_at[v], w, here == Mark::arrow);
        put(arrow_from[v], w, there == Mark::arrow);
        put(circle_at[v], w, here == Mark::circle);
        put(children[v], w, here == Mark::tail && there == Mark::arrow);
        put(parents[v], w, here == Mark::arrow && there == Mark::tail);
        put(open_out[v], w, here == Mark::tail && there != Mark::tail);
        put(lines[v], w, here == Mark::tail && there == Mark::tail);
        put(circles[v], w, here == Mark::circle && there == Mark::circle);
        put(onward[v], w, here != Mark::arrow && there != Mark::tail);
    }
};

// All edges (u, v) on uncovered walks that begin with one edge, each with the edge before it.
struct Walks {
    std::vector<std::pair<Node, Node>> edges;
    std::vector<std::size_t> before;
    BitSet ends;  // the last vertices
};

// The letters a, b, c, d follow Zhang's alpha, beta, gamma, theta.
class Rules {
public:
    Rules(MixedGraph& graph, const SeparatingSets& sepsets)
        : g_(graph), sepsets_(sepsets), ends_(graph.num_nodes()) {
        for (Node a = 0; a < g_.num_nodes(); ++a)
            for (const Node b : g_.neighbours(a)) ends_.update(g_, a, b);
    }

    Status run(const Stop& stop) {
        do {
            changed_ = false;
            CULPRIT_TRY_STATUS(every_circle(stop, &Rules::local_rules));
            if (!changed_) CULPRIT_TRY_STATUS(every_circle(stop, &Rules::discriminate));
            if (!changed_) CULPRIT_TRY_STATUS(every_circle(stop, &Rules::path_rules));
        } while (changed_);
        return {};
    }

private:
    // Only circles are ever replaced: what is known stays known.
    void set(Node at, Node other, Mark mark) {
        if (!is_circle(at, other)) return;
        g_.set_mark(at, other, mark);
        ends_.update(g_, at, other);
        changed_ = true;
    }
    bool is_circle(Node at, Node other) const { return ends_.circle_at[at].test(other); }

    // Calls the rule for every circle at b on an edge b o-* c.
    Status every_circle(const Stop& stop, void (Rules::*rule)(Node b, Node c)) {
        for (Node b = 0; b < g_.num_nodes(); ++b)
            for (const Node c : ends_.circle_at[b].members()) {
                CULPRIT_TRY_STATUS(stop.check());
                if (is_circle(b, c)) (this->*rule)(b, c);
            }
        return {};
    }

    void local_rules(Node b, Node c) {
        // Rule 1: a *-> b o-* c, a and c not adjacent: b -> c.
        if (ends_.arrow_at[b].exceeds(closed(c))) {
            set(b, c, Mark::tail);
            set(c, b, Mark::arrow);
            return;
        }
        // Rule 2, seen from its end: c -> a *-> b or c *-> a -> b, c *-o b: arrow at b.
        if (ends_.children[c].intersects(ends_.arrow_at[b]) ||
            ends_.arrow_from[c].intersects(ends_.parents[b]))
            return set(b, c, Mark::arrow);
        // Rule 3: a *-> b <-* d, a *-o c o-* d, a and d not adjacent, c *-o b: arrow at b.
        if (has_open_pair(ends_.arrow_at[b] & ends_.circle_at[c])) return set(b, c, Mark::arrow);
        // Rule 6: a - b o-* c.  Rule 7: a -o b o-* c, a and c not adjacent.  Tail at b.
        if (ends_.lines[b].any() || tail_circles(b).exceeds(closed(c)))
            return set(b, c, Mark::tail);
        // Rule 8: b -> a -> c or b -o a -> c, b o-> c: tail at b.
        if (ends_.arrow_from[b].test(c) && ends_.open_out[b].intersects(ends_.parents[c]))
            set(b, c, Mark::tail);
    }

    // c's neighbours and c.
    BitSet closed(Node c) const {
        BitSet result = g_.adjacency(c);
        result.set(c);
        return result;
    }

    // a with a -o b.
    BitSet tail_circles(Node b) const {
        BitSet result(g_.num_nodes());
        for (const Node a : ends_.circle_at[b].members())
            if (g_.mark_at(a, b) == Mark::tail) result.set(a);
        return result;
    }

    bool has_open_pair(const BitSet& nodes) const {
        for (const Node a : nodes.members())
            if (nodes.exceeds(closed(a))) return true;
        return false;
    }

    // Rule 4: a discriminating path d .. a, b, c decides whether b is a collider. Every vertex
    // between d and b is a collider on the path and a parent of c.
    void discriminate(Node b, Node c) {
        for (const Node a : (ends_.arrow_from[b] & ends_.parents[c]).members()) {
            if (!is_circle(b, c)) return;
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
        for (const Node v : {a, b, c}) seen.set(v);
        std::vector<Node> open = {a};
        for (std::size_t next = 0; next < open.size(); ++next) {
            const Node v = open[next];
            for (const Node w : ends_.arrow_at[v].members()) {
                if (seen.test(w)) continue;
                if (!g_.adjacent(w, c)) return w;
                if (!ends_.arrow_from[v].test(w) || !ends_.parents[c].test(w)) continue;
                seen.set(w);
                open.push_back(w);
            }
        }
        return std::nullopt;
    }

    void path_rules(Node a, Node c) {
        if (a < c && is_circle(c, a)) close_circle(a, c);
        if (ends_.arrow_from[a].test(c)) find_tail(a, c);
    }

    // Uncovered walks that begin with a, b, follow `steps` and end where they meet `last`.
    Walks uncovered_walks(Node a, Node b, const std::vector<BitSet>& steps, Node last) const {
        const std::size_t n = g_.num_nodes();
        std::vector<BitSet> seen(n);
        Walks walks{{{a, b}}, {0}, BitSet(n)};
        for (std::size_t next = 0; next < walks.edges.size(); ++next) {
            const auto [u, v] = walks.edges[next];
            walks.ends.set(v);
            if (v == last || !steps[v].exceeds(closed(u))) continue;
            if (seen[v].size() == 0) seen[v] = BitSet(n);
            for (const Node w : steps[v].members()) {
                if (w == u || w == a || g_.adjacent(u, w) || seen[v].test(w)) continue;
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
        for (const Node c : ends_.circles[a].members()) {
            if (c == b || g_.adjacent(b, c)) continue;
            const Walks walks = uncovered_walks(a, c, ends_.circles, b);
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
    // must be an ancestor of c. Both need c to have another neighbour with an arrow or circle path.
    void find_tail(Node a, Node c) {
        BitSet firsts = ends_.onward[a];
        firsts.reset(c);
        const bool two_parents = ends_.parents[c].count() >= 2;
        std::vector<std::pair<Node, BitSet>> reached;  // first vertex -> where its walks end
        for (const Node b : firsts.members()) {
            const bool apart = !g_.adjacent(b, c);
            if (!apart && !two_parents) continue;
            Walks walks = uncovered_walks(a, b, ends_.onward, c);
            if (apart && walks.ends.test(c)) return set(a, c, Mark::tail);  // rule 9
            walks.ends &= ends_.parents[c];
            if (walks.ends.any()) reached.emplace_back(b, std::move(walks.ends));
        }
        for (const auto& [m, from_m] : reached)
            for (const auto& [w, from_w] : reached)
                if (m < w && !g_.adjacent(m, w) && differ(from_m, from_w))
                    return set(a, c, Mark::tail);  // rule 10
    }

    // One member of each, not the same one.
    static bool differ(const BitSet& one, const BitSet& other) {
        return !(one == other && one.count() == 1);
    }

    MixedGraph& g_;
    const SeparatingSets& sepsets_;
    Ends ends_;
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
