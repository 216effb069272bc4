#pragma once

#include "culprit/causal/skeleton.h"

namespace culprit {

/// How an unshielded triple x - z - y is recognised as a collider x -> z <- y.
enum class ColliderRule : std::uint8_t {
    sepset,   ///< z is not in the set that separated x and y
    majority  ///< z is in fewer than half of all sets of neighbours that separate x and y
};

struct PcOptions {
    ColliderRule collider_rule = ColliderRule::sepset;
    std::size_t size_max = std::numeric_limits<std::size_t>::max();
    std::uint64_t tests_max = std::numeric_limits<std::uint64_t>::max();  ///< see SkeletonOptions
    unsigned num_threads = 1;
    Stop stop = {};
};

struct PcResult {
    MixedGraph graph;  ///< CPDAG: directed and undirected edges
    SeparatingSets sepsets;
    TestCounts counts;
    /// Colliders whose arrows an earlier one contradicted: a sign of wrong tests. The earlier
    /// stays.
    std::size_t conflicts = 0;
    bool truncated = false;  ///< `size_max` or `tests_max` cut the search short
};

/// PC: the equivalence class of DAGs that explains the independences.
///
///   1. skeleton (find_skeleton); 2. colliders among unshielded triples, in ascending order of
///   (middle, first, last); 3. Meek's rules until nothing changes
///
/// Assumes:  faithful, causally sufficient, acyclic.
/// Cost:     that of the skeleton; orientation O(edges * degree * p / 64).
/// Refuses:  deadline_exceeded or cancelled when `stop` asks.
/// Source:   Spirtes, Glymour, Scheines, Causation, Prediction, and Search, 2000; Meek, UAI 1995.
Result<PcResult> pc(const IndependenceTest& test, const PcOptions& options = {});

/// PC as causal-learn 0.1.3.3 runs it with its defaults: every subset is tested, a pair's
/// separating set is the union of all that were found, unshielded triples are visited in the order
/// of the adjacency matrix, and Meek's rules 1 to 3 skip an arrow that an incrementally kept (and
/// not quite complete) table of ancestors forbids.
///
/// Parity:   equal skeleton, CPDAG and separating sets as long as no p-value lies within 1e-9 of
///           alpha.
Result<PcResult> pc_causal_learn(const IndependenceTest& test, const PcOptions& options = {});

/// Orients undirected edges by Meek's four rules until none applies:
///   1. a -> b - c, a and c not adjacent:                    b -> c
///   2. a -> b -> c, a - c:                                  a -> c
///   3. a - b, a - c, a - d, b -> d, c -> d, b, c not adjacent: a -> d
///   4. a - b, b -> c -> d, a - d, a adjacent c, b, d not adjacent: a -> d
/// Complete for the CPDAG (1 to 3) and for CPDAGs with known edges (1 to 4).
void apply_meek_rules(MixedGraph& graph);

}  // namespace culprit
