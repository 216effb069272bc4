#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/causal/independence_test.h"
#include "culprit/graph/mixed_graph.h"

namespace culprit {

/// The set that separated each pair, if any. Symmetric: (a, b) and (b, a) are one entry.
class SeparatingSets {
public:
    explicit SeparatingSets(std::size_t num_nodes = 0) : sets_(num_nodes * num_nodes / 2 + 1) {}
    const std::optional<std::vector<std::size_t>>& find(std::size_t a, std::size_t b) const {
        return sets_[index(a, b)];
    }
    void store(std::size_t a, std::size_t b, std::vector<std::size_t> ascending) {
        sets_[index(a, b)] = std::move(ascending);
    }
    /// True iff the pair was separated by a set that has `node`.
    bool contains(std::size_t a, std::size_t b, std::size_t node) const;

private:
    static std::size_t index(std::size_t a, std::size_t b) {
        return a < b ? b * (b - 1) / 2 + a : a * (a - 1) / 2 + b;
    }
    std::vector<std::optional<std::vector<std::size_t>>> sets_;
};

struct SkeletonOptions {
    SepsetRule rule = SepsetRule::first;
    /// Largest conditioning set.
    std::size_t size_max = std::numeric_limits<std::size_t>::max();
    /// Work bound: a size that could take the tests done beyond this number is not begun. The bound
    /// counts tests, not time, so that the answer stays the same everywhere.
    std::uint64_t tests_max = std::numeric_limits<std::uint64_t>::max();
    unsigned num_threads = 1;
    Stop stop = {};
};

struct Skeleton {
    MixedGraph graph;  ///< undirected: two tails
    SeparatingSets sepsets;
    TestCounts counts;
    bool truncated = false;  ///< `size_max` or `tests_max` cut the search short
};

/// The adjacency search of PC-stable: which pairs can no set of neighbours separate?
///
///   start complete; for size d = 0, 1, 2, ... while some node has more than d neighbours: remove
///   every edge x - y for which some d-subset S of adj(x) \ y or adj(y) \ x has x independent of y
///   given S; adj is fixed while d lasts
///
/// Shapes:   p = test.num_variables() nodes.
/// Assumes:  the tests come from a faithful, causally sufficient model without cycles.
/// Cost:     O(p^2) tests at d = 0 and at most sum over x of C(deg, d) deg at each d: exponential
/// in
///           the largest degree. Variables are searched in parallel; the result does not depend on
///           the number of threads.
/// Refuses:  deadline_exceeded or cancelled when `stop` asks.
/// Source:   Spirtes, Glymour, Scheines 2000, 5.4.2; Colombo, Maathuis, JMLR 15, 2014 (stable).
/// Parity:   causal-learn 0.1.3.3 skeleton_discovery(stable=True) with union_of_all: equal graphs
///           and, per pair, the union of its list of separating sets.
Result<Skeleton> find_skeleton(const IndependenceTest& test, const SkeletonOptions& options = {});

}  // namespace culprit
