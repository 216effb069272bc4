#include "culprit/causal/pc.h"

namespace culprit {
namespace {

using Pair = std::pair<std::size_t, std::size_t>;
struct Triple {
    std::size_t i, j, k;
};
struct Kite {
    std::size_t i, j, k, l;
};

// Ordered pairs of neighbours as the library lists them: scanning the mark matrix row by row, first
// the tails, then the arrows, each as (column, row).
std::vector<Pair> ordered_pairs(const MixedGraph& graph) {
    std::vector<Pair> pairs;
    for (const Mark mark : {Mark::tail, Mark::arrow})
        for (std::size_t r = 0; r < graph.num_nodes(); ++r)
            for (const std::size_t c : graph.neighbours(r))
                if (graph.mark_at(r, c) == mark) pairs.emplace_back(c, r);
    return pairs;
}

// Paths i - j - k in the order of the pairs (i, j), then (j, k), split by whether i - k is an edge.
struct Paths {
    std::vector<Triple> unshielded, triangles;
};

Paths paths_of(const MixedGraph& graph) {
    const std::vector<Pair> pairs = ordered_pairs(graph);
    std::vector<std::vector<std::size_t>> next(graph.num_nodes());
    for (const auto& [j, k] : pairs) next[j].push_back(k);
    Paths paths;
    for (const auto& [i, j] : pairs)
        for (const std::size_t k : next[j])
            if (k != i)
                (graph.adjacent(i, k) ? paths.triangles : paths.unshielded).push_back({i, j, k});
    return paths;
}

std::vector<Kite> kites_of(const MixedGraph& graph, const std::vector<Triple>& triangles) {
    const std::size_t n = graph.num_nodes();
    std::vector<std::vector<std::size_t>> middles(n * n);  // per (i, l), in order
    for (const auto& [i, j, l] : triangles) middles[i * n + l].push_back(j);
    std::vector<Kite> kites;
    for (const auto& [i, j, l] : triangles)
        for (const std::size_t k : middles[i * n + l])
            if (j < k && !graph.adjacent(j, k)) kites.push_back({i, j, k, l});
    return kites;
}

// The library's record of who is an ancestor of whom. Adding u -> v tells v's descendants about u
// and v about u's ancestors, but not v's descendants about u's ancestors.
class Ancestors {
public:
    explicit Ancestors(const MixedGraph& graph) { rebuild(graph); }

    bool is_ancestor(std::size_t a, std::size_t b) const { return of_[b].test(a); }

    void add(std::size_t u, std::size_t v) {
        // One sweep over k in ascending order, as in the library: `of_[v]` may grow while it runs.
        of_[v].set(u);
        for (std::size_t k = 0; k < of_.size(); ++k) {
            if (of_[u].test(k)) of_[v].set(k);
            if (of_[k].test(v)) of_[k].set(u);
        }
    }

    // Removing a directed edge makes the library start again from its edge list, taken from the
    // end.
    void rebuild(const MixedGraph& graph) {
        const std::size_t n = graph.num_nodes();
        of_.assign(n, BitSet(n));
        for (std::size_t i = 0; i < n; ++i) of_[i].set(i);
        for (std::size_t i = n; i-- > 0;)
            for (std::size_t j = n; j-- > i + 1;) {
                if (graph.is_directed(i, j)) add(i, j);
                if (graph.is_directed(j, i)) add(j, i);
            }
    }

private:
    std::vector<BitSet> of_;  // [b]: ancestors of b, itself included
};

class Orientation {
public:
    Orientation(MixedGraph& graph, const SeparatingSets& sepsets)
        : graph_(graph), sepsets_(sepsets), ancestors_(graph) {}

    std::size_t orient_colliders() {
        std::size_t conflicts = 0;
        for (const auto& [i, j, k] : paths_of(graph_).unshielded) {
            if (i > k || sepsets_.contains(i, k, j)) continue;
            if (graph_.is_directed(j, i) || graph_.is_directed(j, k)) {
                ++conflicts;
                continue;
            }
            replace(i, j);
            replace(k, j);
        }
        return conflicts;
    }

    Status apply_meek(const Stop& stop) {
        const Paths paths = paths_of(graph_);
        const std::vector<Kite> kites = kites_of(graph_, paths.triangles);
        for (bool changed = true; changed;) {
            CULPRIT_TRY_STATUS(stop.check());
            changed = false;
            for (const auto& [i, j, k] : paths.unshielded)
                if (graph_.is_directed(i, j)) changed |= direct(j, k);
            for (const auto& [i, j, k] : paths.triangles)
                if (graph_.is_directed(i, j) && graph_.is_directed(j, k)) changed |= direct(i, k);
            for (const auto& [i, j, k, l] : kites)
                if (graph_.is_undirected(i, j) && graph_.is_undirected(i, k) &&
                    graph_.is_directed(j, l) && graph_.is_directed(k, l))
                    changed |= direct(i, l);
        }
        return {};
    }

private:
    void replace(std::size_t from, std::size_t to) {
        const bool was_directed = graph_.is_directed(from, to);
        if (was_directed) {
            graph_.remove_edge(from, to);
            ancestors_.rebuild(graph_);
        }
        graph_.set_directed(from, to);
        ancestors_.add(from, to);
    }

    bool direct(std::size_t from, std::size_t to) {
        if (!graph_.is_undirected(from, to) || ancestors_.is_ancestor(to, from)) return false;
        graph_.set_directed(from, to);
        ancestors_.add(from, to);
        return true;
    }

    MixedGraph& graph_;
    const SeparatingSets& sepsets_;
    Ancestors ancestors_;
};

}  // namespace

Result<PcResult> pc_causal_learn(const IndependenceTest& test, const PcOptions& options) {
    CULPRIT_TRY(Skeleton skeleton, find_skeleton(test, {.rule = SepsetRule::union_of_all,
                                                        .size_max = options.size_max,
                                                        .tests_max = options.tests_max,
                                                        .num_threads = options.num_threads,
                                                        .stop = options.stop}));
    PcResult result{std::move(skeleton.graph), std::move(skeleton.sepsets), skeleton.counts, 0,
                    skeleton.truncated};
    Orientation orientation(result.graph, result.sepsets);
    result.conflicts = orientation.orient_colliders();
    CULPRIT_TRY_STATUS(orientation.apply_meek(options.stop));
    return result;
}

}  // namespace culprit
