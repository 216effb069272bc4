#include "culprit/causal/pc.h"

#include <algorithm>
#include <numeric>

namespace culprit {
namespace {

struct Tally {
    std::size_t with_middle = 0;
    std::size_t without = 0;
};

// Every set of x's neighbours (without y) that separates x and y, with or without `middle`.
Status count_separators(const IndependenceTest& test, const MixedGraph& graph, std::size_t x,
                        std::size_t y, std::size_t middle, const PcOptions& options,
                        TestCounts& counts, Tally& tally) {
    const std::vector<std::size_t> pool = graph.neighbours(x);
    std::vector<std::size_t> given;
    for (std::size_t size = 0; size <= std::min(pool.size(), options.size_max); ++size) {
        std::vector<std::size_t> choice(size);
        std::iota(choice.begin(), choice.end(), std::size_t{0});
        do {
            if (counts.tests % 256 == 0) CULPRIT_TRY_STATUS(options.stop.check());
            given.clear();
            for (const std::size_t c : choice) given.push_back(pool[c]);
            if (!test.independent(x, y, given, counts)) continue;
            const bool has = std::find(given.begin(), given.end(), middle) != given.end();
            ++(has ? tally.with_middle : tally.without);
        } while (next_combination(choice, pool.size()));
    }
    return {};
}

Result<bool> is_collider(const IndependenceTest& test, const PcResult& result, std::size_t x,
                         std::size_t middle, std::size_t y, const PcOptions& options,
                         TestCounts& counts) {
    if (options.collider_rule == ColliderRule::sepset)
        return !result.sepsets.contains(x, y, middle);
    Tally tally;
    CULPRIT_TRY_STATUS(count_separators(test, result.graph, x, y, middle, options, counts, tally));
    CULPRIT_TRY_STATUS(count_separators(test, result.graph, y, x, middle, options, counts, tally));
    return tally.with_middle < tally.without;
}

struct Triple {
    std::size_t x, middle, y;
};

Result<std::vector<Triple>> find_colliders(const IndependenceTest& test, PcResult& result,
                                           const PcOptions& options) {
    std::vector<Triple> colliders;
    const MixedGraph& graph = result.graph;
    TestCounts counts;
    for (std::size_t middle = 0; middle < graph.num_nodes(); ++middle) {
        const auto ends = graph.neighbours(middle);
        for (std::size_t i = 0; i < ends.size(); ++i)
            for (std::size_t k = i + 1; k < ends.size(); ++k) {
                if (graph.adjacent(ends[i], ends[k])) continue;
                CULPRIT_TRY(const bool found,
                            is_collider(test, result, ends[i], middle, ends[k], options, counts));
                if (found) colliders.push_back({ends[i], middle, ends[k]});
            }
    }
    result.counts += counts;
    return colliders;
}

}  // namespace

Result<PcResult> pc(const IndependenceTest& test, const PcOptions& options) {
    CULPRIT_TRY(Skeleton skeleton, find_skeleton(test, {.rule = SepsetRule::first,
                                                        .size_max = options.size_max,
                                                        .tests_max = options.tests_max,
                                                        .num_threads = options.num_threads,
                                                        .stop = options.stop}));
    PcResult result{std::move(skeleton.graph), std::move(skeleton.sepsets), skeleton.counts, 0,
                    skeleton.truncated};
    CULPRIT_TRY(const std::vector<Triple> colliders, find_colliders(test, result, options));
    MixedGraph& graph = result.graph;
    for (const auto& [x, middle, y] : colliders) {
        if (graph.is_directed(middle, x) || graph.is_directed(middle, y)) {
            ++result.conflicts;
            continue;
        }
        graph.set_directed(x, middle);
        graph.set_directed(y, middle);
    }
    apply_meek_rules(graph);
    return result;
}

namespace {

// The graph by kind of edge, so that each rule is a question about two or three sets.
struct Sets {
    std::vector<BitSet> parents, children, undirected;
};

Sets sets_of(const MixedGraph& graph) {
    const std::size_t n = graph.num_nodes();
    const std::vector<BitSet> empty(n, BitSet(n));
    Sets sets{empty, empty, empty};
    for (std::size_t a = 0; a < n; ++a)
        for (const std::size_t b : graph.neighbours(a)) {
            if (graph.is_directed(a, b)) sets.children[a].set(b), sets.parents[b].set(a);
            if (graph.is_undirected(a, b)) sets.undirected[a].set(b);
        }
    return sets;
}

// Some member of `candidates` has a non-neighbour among them.
bool has_open_pair(const MixedGraph& graph, const BitSet& candidates) {
    for (const std::size_t b : candidates.members()) {
        BitSet others = candidates;
        others.reset(b);
        if (others.exceeds(graph.adjacency(b))) return true;
    }
    return false;
}

bool rule_four(const MixedGraph& graph, const Sets& sets, std::size_t a, std::size_t d) {
    for (const std::size_t c : (sets.parents[d] & graph.adjacency(a)).members())
        for (const std::size_t b : (sets.parents[c] & sets.undirected[a]).members())
            if (b != d && !graph.adjacent(b, d)) return true;
    return false;
}

// True iff some rule turns the undirected edge a - d into a -> d.
bool points_forward(const MixedGraph& graph, const Sets& sets, std::size_t a, std::size_t d) {
    BitSet parents = sets.parents[a];
    if (parents.exceeds(graph.adjacency(d))) return true;           // rule 1
    if (sets.children[a].intersects(sets.parents[d])) return true;  // rule 2
    const BitSet through = sets.undirected[a] & sets.parents[d];    // rule 3
    return has_open_pair(graph, through) || rule_four(graph, sets, a, d);
}

}  // namespace

void apply_meek_rules(MixedGraph& graph) {
    Sets sets = sets_of(graph);
    for (bool changed = true; changed;) {
        changed = false;
        for (std::size_t a = 0; a < graph.num_nodes(); ++a)
            for (const std::size_t d : sets.undirected[a].members()) {
                if (!sets.undirected[a].test(d) || !points_forward(graph, sets, a, d)) continue;
                graph.set_directed(a, d);
                sets.undirected[a].reset(d);
                sets.undirected[d].reset(a);
                sets.children[a].set(d);
                sets.parents[d].set(a);
                changed = true;
            }
    }
}

}  // namespace culprit
