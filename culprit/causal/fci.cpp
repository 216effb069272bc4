#include "culprit/causal/fci.h"

#include <algorithm>
#include <numeric>

#include "culprit/base/parallel.h"
#include "culprit/causal/pag_rules.h"

namespace culprit {
namespace {

std::vector<BitSet> arrows_at(const MixedGraph& graph) {
    std::vector<BitSet> result(graph.num_nodes(), BitSet(graph.num_nodes()));
    for (std::size_t v = 0; v < graph.num_nodes(); ++v)
        for (const std::size_t w : graph.neighbours(v))
            if (graph.mark_at(v, w) == Mark::arrow) result[v].set(w);
    return result;
}

// Vertices that x reaches by walks on which each inner triple u - v - w is a collider at v or has u
// and w adjacent.
BitSet possible_d_separators(const MixedGraph& graph, const std::vector<BitSet>& arrow_at,
                             std::size_t x) {
    const std::size_t n = graph.num_nodes();
    BitSet found = graph.adjacency(x);
    std::vector<BitSet> seen(n, BitSet(n));  // [v]: w such that the step v - w was taken
    for (BitSet& set : seen) set.set(x);
    std::vector<std::pair<std::size_t, std::size_t>> open;
    for (const std::size_t v : graph.neighbours(x)) open.emplace_back(x, v);
    for (std::size_t next = 0; next < open.size(); ++next) {
        const auto [u, v] = open[next];
        BitSet onward = graph.adjacency(u) & graph.adjacency(v);
        if (arrow_at[v].test(u)) onward |= arrow_at[v];
        onward -= seen[v];
        for (const std::size_t w : onward.members()) {
            if (w == u) continue;
            seen[v].set(w);
            found.set(w);
            open.emplace_back(v, w);
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

// Looking at a set that needs no test costs about a sixteenth of a test.
constexpr std::uint64_t sets_per_test = 16;

// The first subset of `pool`, by size and then in lexicographic order, that separates the edge and
// is not a set of neighbours of either end (those were tested before).
Status search_pool(const IndependenceTest& test, const MixedGraph& graph, Edge edge,
                   const std::vector<std::size_t>& pool, const FciOptions& options,
                   std::uint64_t tests_max, EdgeFinding& finding) {
    std::vector<std::size_t> given;
    const std::uint64_t start = finding.counts.tests;
    std::uint64_t steps = 0;  // sets looked at, tested or not
    for (std::size_t size = 1; size <= pool.size(); ++size) {
        finding.truncated = finding.truncated || size > options.size_max;
        if (finding.truncated) return {};
        std::vector<std::size_t> choice(size);
        std::iota(choice.begin(), choice.end(), std::size_t{0});
        do {
            if (++steps % 256 == 0) CULPRIT_TRY_STATUS(options.stop.check());
            finding.truncated =
                finding.counts.tests - start >= tests_max || steps / sets_per_test >= tests_max;
            if (finding.truncated) return {};
            given.clear();
            for (const std::size_t c : choice) given.push_back(pool[c]);
            const auto known_to = [&](std::size_t end) {
                return std::all_of(given.begin(), given.end(),
                                   [&](std::size_t v) { return graph.adjacent(end, v); });
            };
            if (known_to(edge.x) || known_to(edge.y)) continue;
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
    const std::vector<BitSet> arrow_at = arrows_at(graph);
    std::vector<BitSet> reach;
    std::vector<Edge> edges;
    for (std::size_t x = 0; x < n; ++x) {
        reach.push_back(possible_d_separators(graph, arrow_at, x));
        for (const std::size_t y : graph.neighbours(x))
            if (x < y) edges.push_back({x, y});
    }
    std::vector<EdgeFinding> findings(edges.size());
    // A fixed share of the work bound per search, so that the answer does not depend on the order.
    const std::uint64_t share = options.dsep_tests_max / std::max<std::size_t>(2 * edges.size(), 1);
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
