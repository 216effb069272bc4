#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>

#include "culprit/causal/fci.h"

namespace culprit {
namespace {

using Node = std::size_t;

// Looking at a set that needs no test costs about a sixteenth of a test.
constexpr std::uint64_t sets_per_test = 16;

// Separating sets as the library keeps them: per ordered pair, because a set found in the
// Possible-D-SEP phase is stored for one order only.
class OrderedSepsets {
public:
    OrderedSepsets(const SeparatingSets& sets, std::size_t n) : n_(n), sets_(n * n) {
        for (Node a = 0; a < n; ++a)
            for (Node b = 0; b < n; ++b)
                if (a != b) sets_[a * n + b] = sets.find(a, b);
    }
    bool known(Node a, Node b) const { return sets_[a * n_ + b].has_value(); }
    bool contains(Node a, Node b, Node v) const {
        const auto& set = sets_[a * n_ + b];
        return set && std::binary_search(set->begin(), set->end(), v);
    }
    void store(Node a, Node b, std::vector<Node> set) {
        std::sort(set.begin(), set.end());
        sets_[a * n_ + b] = std::move(set);
    }

private:
    std::size_t n_;
    std::vector<std::optional<std::vector<Node>>> sets_;
};

// For each node what it reaches by leaving every node, itself included, at a tail or circle.
std::vector<BitSet> semi_directed_reach(const MixedGraph& graph) {
    const std::size_t n = graph.num_nodes();
    std::vector<BitSet> reach(n, BitSet(n));
    for (Node start = 0; start < n; ++start) {
        std::vector<Node> open = {start};
        while (!open.empty()) {
            const Node v = open.back();
            open.pop_back();
            for (const Node w : graph.neighbours(v))
                if (graph.mark_at(v, w) != Mark::arrow && !reach[start].test(w)) {
                    reach[start].set(w);
                    open.push_back(w);
                }
        }
    }
    return reach;
}

class Search {
public:
    Search(const IndependenceTest& test, const FciOptions& options, FciResult& result)
        : test_(test),
          options_(options),
          result_(result),
          graph_(result.graph),
          skeleton_tests_(result.counts.tests),
          sepsets_(result.sepsets, graph_.num_nodes()) {
        const std::size_t n = graph_.num_nodes();
        names_.resize(n);
        for (Node v = 0; v < n; ++v) names_[v] = fmt::format("X{}", v + 1);
    }

    Status run() {
        rule_zero();
        CULPRIT_TRY_STATUS(remove_by_possible_dsep());
        rule_zero();
        for (bool changed = true; changed;) {
            CULPRIT_TRY_STATUS(options_.stop.check());
            changed = rules_one_and_two();
            if (changed) rule_four();
        }
        return {};
    }

private:
    bool arrow(Node at, Node other) const { return graph_.mark_at(at, other) == Mark::arrow; }
    bool tail(Node at, Node other) const { return graph_.mark_at(at, other) == Mark::tail; }
    bool circle(Node at, Node other) const { return graph_.mark_at(at, other) == Mark::circle; }
    bool arrow_allowed(Node from, Node at) const { return arrow(at, from) || circle(at, from); }

    void rule_zero() {
        graph_.mark_all(Mark::circle);
        for (Node b = 0; b < graph_.num_nodes(); ++b) {
            const std::vector<Node> ends = graph_.neighbours(b);
            for (std::size_t i = 0; i < ends.size(); ++i)
                for (std::size_t k = i + 1; k < ends.size(); ++k) {
                    const Node a = ends[i];
                    const Node c = ends[k];
                    if (graph_.adjacent(a, c) || !sepsets_.known(a, c) ||
                        sepsets_.contains(a, c, b))
                        continue;
                    graph_.set_mark(b, a, Mark::arrow);
                    graph_.set_mark(b, c, Mark::arrow);
                }
        }
    }

    // The library walks from pairs (x, b) to pairs (x, c), so beyond x's neighbours it only gets to
    // c when x *-> b <-* c, and keeps c when one of the nodes recorded as leading to it has a
    // semi-directed path to x or to c.
    std::vector<Node> possible_dsep(Node x, Node y) const {
        const std::size_t n = graph_.num_nodes();
        BitSet found(n);
        BitSet queued(n);
        std::vector<BitSet> leading(n, BitSet(n));
        std::vector<Node> open;
        for (const Node b : graph_.neighbours(x))
            if (b != y) {
                open.push_back(b);
                queued.set(b);
                found.set(b);
            }
        for (std::size_t next = 0; next < open.size(); ++next) {
            const Node b = open[next];
            if (led_to(leading[b], x, b)) found.set(b);
            for (const Node c : graph_.neighbours(b)) {
                if (c == x || c == y) continue;
                leading[c].set(b);
                const bool collider = graph_.adjacent(x, b) && arrow(b, x) && arrow(b, c);
                if ((collider || graph_.adjacent(x, c)) && !queued.test(c)) {
                    queued.set(c);
                    open.push_back(c);
                }
            }
        }
        std::vector<Node> nodes = found.members();
        std::sort(nodes.begin(), nodes.end(),
                  [&](Node a, Node b) { return names_[a] > names_[b]; });
        return nodes;
    }

    bool led_to(const BitSet& leading, Node x, Node b) const {
        for (const Node r : leading.members())
            if (r != b && r != x && (reach_[r].test(x) || reach_[r].test(b))) return true;
        return false;
    }

    Status remove_by_possible_dsep() {
        std::vector<std::pair<Node, Node>> edges;
        for (Node i = 0; i < graph_.num_nodes(); ++i)
            for (const Node j : graph_.neighbours(i))
                if (i < j) {
                    // The library turns an edge round that points at its first node.
                    const bool flipped = arrow(i, j) && !arrow(j, i);
                    edges.emplace_back(flipped ? j : i, flipped ? i : j);
                }
        reach_ = semi_directed_reach(graph_);
        for (const auto& [a, b] : edges) {
            CULPRIT_TRY(bool removed, try_sets(a, b, possible_dsep(a, b)));
            if (!removed) {
                CULPRIT_TRY(removed, try_sets(a, b, possible_dsep(b, a)));
            }
            if (!removed) continue;
            ++result_.removed_by_possible_dsep;
            reach_ = semi_directed_reach(graph_);
        }
        return {};
    }

    Result<bool> try_sets(Node a, Node b, const std::vector<Node>& pool) {
        std::vector<Node> given;
        for (std::size_t size = 2; size <= pool.size(); ++size) {
            result_.truncated = result_.truncated || size > options_.size_max;
            if (size > options_.size_max) return false;
            std::vector<std::size_t> choice(size);
            std::iota(choice.begin(), choice.end(), std::size_t{0});
            do {
                if (++steps_ % 256 == 0) CULPRIT_TRY_STATUS(options_.stop.check());
                given.clear();
                for (const std::size_t c : choice) given.push_back(pool[c]);
                const bool spent =
                    result_.counts.tests - skeleton_tests_ >= options_.dsep_tests_max ||
                    steps_ / sets_per_test >= options_.dsep_tests_max;
                result_.truncated = result_.truncated || spent;
                if (spent) return false;
                if (neighbours_of(a, given) || neighbours_of(b, given)) continue;
                if (!test_.independent(a, b, given, result_.counts)) continue;
                graph_.remove_edge(a, b);
                sepsets_.store(a, b, given);
                return true;
            } while (next_combination(choice, pool.size()));
        }
        return false;
    }

    bool neighbours_of(Node a, const std::vector<Node>& nodes) const {
        return std::all_of(nodes.begin(), nodes.end(),
                           [&](Node v) { return graph_.adjacent(a, v); });
    }

    bool rules_one_and_two() {
        bool changed = false;
        for (Node b = 0; b < graph_.num_nodes(); ++b) {
            const std::vector<Node> ends = graph_.neighbours(b);
            for (std::size_t i = 0; i < ends.size(); ++i)
                for (std::size_t k = i + 1; k < ends.size(); ++k) {
                    changed |= rule_one(ends[i], b, ends[k]);
                    changed |= rule_one(ends[k], b, ends[i]);
                    changed |= rule_two(ends[i], b, ends[k]);
                    changed |= rule_two(ends[k], b, ends[i]);
                }
        }
        return changed;
    }

    bool rule_one(Node a, Node b, Node c) {
        if (graph_.adjacent(a, c) || !arrow(b, a) || !circle(b, c) || !arrow_allowed(b, c))
            return false;
        graph_.set_directed(b, c);
        return true;
    }

    bool rule_two(Node a, Node b, Node c) {
        if (!graph_.adjacent(a, c) || !circle(c, a) || !arrow(b, a) || !arrow(c, b) ||
            !(tail(a, b) || tail(b, c)))
            return false;
        graph_.set_mark(c, a, Mark::arrow);
        return true;
    }

    void rule_four() {
        for (Node b = 0; b < graph_.num_nodes(); ++b) {
            std::vector<Node> possible_a;
            std::vector<Node> possible_c;
            for (const Node v : graph_.neighbours(b)) {
                if (arrow(v, b)) possible_a.push_back(v);
                if (circle(b, v)) possible_c.push_back(v);
            }
            for (const Node a : possible_a)
                for (const Node c : possible_c)
                    if (graph_.is_directed(a, c) && arrow(c, b)) discriminate(a, b, c);
        }
    }

    void discriminate(Node a, Node b, Node c) {
        const std::size_t n = graph_.num_nodes();
        std::vector<std::optional<Node>> previous(n);
        BitSet seen(n);
        BitSet parents(n);
        for (const Node p : graph_.neighbours(c))
            if (graph_.is_directed(p, c)) parents.set(p);
        std::vector<Node> open = {a};
        seen.set(a);
        seen.set(b);
        previous[a] = b;
        for (std::size_t next = 0; next < open.size(); ++next) {
            const Node t = open[next];
            for (const Node d : graph_.neighbours(t)) {
                if (!arrow(t, d) || seen.test(d)) continue;
                previous[d] = t;
                if (!graph_.adjacent(t, *previous[t]) || !arrow(t, *previous[t])) continue;
                if (!graph_.adjacent(d, c) && d != c && decide(d, a, b, c, previous)) return;
                if (parents.test(d)) {
                    open.push_back(d);
                    seen.set(d);
                }
            }
        }
    }

    bool decide(Node d, Node a, Node b, Node c, const std::vector<std::optional<Node>>& previous) {
        std::vector<Node> path;
        for (std::optional<Node> v = previous[d]; v; v = previous[*v]) path.push_back(*v);
        bool separated = test_.independent(d, c, path, result_.counts);
        std::vector<Node> without = path;
        without.erase(std::find(without.begin(), without.end(), b));
        const bool separated_without = test_.independent(d, c, without, result_.counts);
        if (!separated && !separated_without) {
            if (!sepsets_.known(d, c)) return false;
            separated = sepsets_.contains(d, c, b);
        }
        if (separated) {
            graph_.set_mark(b, c, Mark::tail);
            return true;
        }
        if (!arrow_allowed(a, b) || !arrow_allowed(c, b)) return false;
        graph_.set_mark(b, a, Mark::arrow);
        graph_.set_mark(b, c, Mark::arrow);
        return true;
    }

    const IndependenceTest& test_;
    const FciOptions& options_;
    FciResult& result_;
    MixedGraph& graph_;
    const std::uint64_t skeleton_tests_;
    std::uint64_t steps_ = 0;  // sets looked at, tested or not
    OrderedSepsets sepsets_;
    std::vector<std::string> names_;
    std::vector<BitSet> reach_;
};

}  // namespace

Result<FciResult> fci_causal_learn(const IndependenceTest& test, const FciOptions& options) {
    CULPRIT_TRY(Skeleton skeleton, find_skeleton(test, {.rule = SepsetRule::union_of_all,
                                                        .size_max = options.size_max,
                                                        .tests_max = options.tests_max,
                                                        .num_threads = options.num_threads,
                                                        .stop = options.stop}));
    FciResult result{std::move(skeleton.graph), std::move(skeleton.sepsets), skeleton.counts, 0,
                     skeleton.truncated};
    CULPRIT_TRY_STATUS(Search(test, options, result).run());
    return result;
}

}  // namespace culprit
