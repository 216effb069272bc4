#include "culprit/causal/fci.h"

#include <algorithm>
#include <numeric>

#include "culprit/base/parallel.h"
#include "culprit/causal/pag_rules.h"

namespace culprit {
namespace {

// Vertices that x reaches by walks on which each inner triple u - v - w is a collider at v or has u
// and w adjacent.
BitSet possible_d_separators(const MixedGraph& graph, std::size_t x) {
    const std::size_t n = graph.num_nodes();
    BitSet found(n);
    std::vector<BitSet> seen(n, BitSet(n));
    std::vector<std::pair<std::size_t, std::size_t>> open;
    const auto visit = [&](std::size_t u, std::size_t v) {
        if (v == x || seen[u].test(v)) return;
        seen[u].set(v);
        found.set(v);
        open.emplace_back(u, v);
    };
    for (const std::size_t v : graph.neighbours(x)) visit(x, v);
    for (std::size_t next = 0; next < open.size(); ++next) {
        const auto [u, v] = open[next];
        for (const std::size_t w : graph.neighbours(v)) {
            if (w == u) continue;
            const bool collider =
                graph.mark_at(v, u) == Mark::arrow && graph.mark_at(v, w) == Mark::arrow;
            if (collider || graph.adjacent(u, w)) visit(v, w);
        }
    }
    return found;
}

struct Edge {
    std::size_t x, y;
};

struct EdgeFinding {
    Result<std::optional<std::vector<std::size_t>>> sepset = std::nullopt;
    TestCounts counts;
    bool truncated = false;
};

// The first subset of `pool`, by size and then in lexicographic order, that separates the edge and
// is not a set of neighbours of either end (those were tested before).
Status search_pool(const IndependenceTest& test, const MixedGraph& graph, Edge edge,
                   const std::vector<std::size_t>& pool, const FciOptions& options,
                   std::uint64_t tests_max, EdgeFinding& finding) {
    std::vector<std::size_t> given;
    const std::uint64_t start = finding.counts.tests;
    for (std::size_t size = 1; size <= pool.size(); ++size) {
        finding.truncated = finding.truncated || size > options.size_max;
        if (finding.truncated) return {};
        std::vector<std::size_t> choice(size);
        std::iota(choice.begin(), choice.end(), std::size_t{0});
        std::uint64_t steps = 0;
        do {
            if (++steps % 256 == 0) CULPRIT_TRY_STATUS(options.stop.check());
            given.clear();
            for (const std::size_t c : choice) given.push_back(pool[c]);
            const auto known_to = [&](std::size_t end) {
                return std::all_of(given.begin(), given.end(),
                                   [&](std::size_t v) { return graph.adjacent(end, v); });
            };
            if (known_to(edge.x) || known_to(edge.y)) continue;
            finding.truncated = finding.counts.tests - start >= tests_max;
            if (finding.truncated) return {};
            if (test.independent(edge.x, edge.y, given, finding.counts)) {
                finding.sepset = given;
                return {};
            }
        } while (next_combination(choice, pool.size()));
    }
    return {};
}

void search_edge(const IndependenceTest& test, const MixedGraph& graph, Edge edge,
                 const std::vector<BitSet>& reach, const FciOptions& options,
                 std::uint64_t tests_max, EdgeFinding& finding) {
    for (const std::size_t from : {edge.x, edge.y}) {
        BitSet pool = reach[from];
        pool.reset(edge.x);
        pool.reset(edge.y);
        const Status status =
            search_pool(test, graph, edge, pool.members(), options, tests_max, finding);
        if (!status) finding.sepset = tl::unexpected<Error>(status.error());
        if (!finding.sepset || *finding.sepset) return;
    }
}

Status remove_by_possible_d_separation(const IndependenceTest& test, const FciOptions& options,
                                       FciResult& result) {
    const MixedGraph& graph = result.graph;
    const std::size_t n = graph.num_nodes();
    std::vector<BitSet> reach;
    std::vector<Edge> edges;
    for (std::size_t x = 0; x < n; ++x) {
        reach.push_back(possible_d_separators(graph, x));
        for (const std::size_t y : graph.neighbours(x))
            if (x < y) edges.push_back({x, y});
    }
    std::vector<EdgeFinding> findings(edges.size());
    // A fixed share of the work bound per search, so that the answer does not depend on the order.
    const std::uint64_t left = options.tests_max - std::min(options.tests_max, result.counts.tests);
    const std::uint64_t share = left / std::max<std::size_t>(2 * edges.size(), 1);
    const auto body = [&](std::size_t begin, std::size_t end) {
        for (std::size_t e = begin; e < end; ++e)
            search_edge(test, graph, edges[e], reach, options, share, findings[e]);
    };
    parallel_for(edges.size(), options.num_threads, body);
    for (std::size_t e = 0; e < edges.size(); ++e) {
        result.counts += findings[e].counts;
        result.truncated = result.truncated || findings[e].truncated;
        if (!findings[e].sepset) return tl::unexpected<Error>(findings[e].sepset.error());
        if (!*findings[e].sepset) continue;
        result.sepsets.store(edges[e].x, edges[e].y, **findings[e].sepset);
        result.graph.remove_edge(edges[e].x, edges[e].y);
        ++result.removed_by_possible_dsep;
    }
    return {};
}

}  // namespace

Result<FciResult> fci(const IndependenceTest& test, const FciOptions& options) {
    CULPRIT_TRY(Skeleton skeleton, find_skeleton(test, {.rule = SepsetRule::first,
                                                        .size_max = options.size_max,
                                                        .tests_max = options.tests_max,
                                                        .num_threads = options.num_threads,
                                                        .stop = options.stop}));
    FciResult result{std::move(skeleton.graph), std::move(skeleton.sepsets), skeleton.counts, 0,
                     skeleton.truncated};
    orient_pag_colliders(result.graph, result.sepsets);
    CULPRIT_TRY_STATUS(remove_by_possible_d_separation(test, options, result));
    orient_pag_colliders(result.graph, result.sepsets);
    CULPRIT_TRY_STATUS(apply_pag_rules(result.graph, result.sepsets, options.stop));
    return result;
}

}  // namespace culprit
