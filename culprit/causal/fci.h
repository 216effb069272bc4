#pragma once

#include <cstdint>

#include "culprit/causal/skeleton.h"

namespace culprit {

struct FciOptions {
    std::size_t size_max = std::numeric_limits<std::size_t>::max();
    /// Work bound of the skeleton search, see SkeletonOptions.
    std::uint64_t tests_max = std::numeric_limits<std::uint64_t>::max();
    /// Work bound of the Possible-D-SEP phase, shared out evenly over the edges.
    std::uint64_t dsep_tests_max = std::numeric_limits<std::uint64_t>::max();
    unsigned num_threads = 1;
    Stop stop = {};
};

struct FciResult {
    MixedGraph graph;  ///< partial ancestral graph
    SeparatingSets sepsets;
    TestCounts counts;
    std::size_t removed_by_possible_dsep = 0;
    bool truncated = false;  ///< a bound cut the search short
};

/// FCI: what a causal model with latent common causes and selection leaves visible.
///
///   1. skeleton (find_skeleton);  2. rule 0;  3. for each edge x - y: remove it when some subset
///   of Possible-D-SEP(x) or Possible-D-SEP(y) separates x and y - the vertices that x reaches by
///   walks on which every inner triple is a collider or a triangle, taken from the graph of step 2;
///   4. rule 0 again, then rules 1 to 10
///
/// Shapes:   p = test.num_variables() nodes.
/// Assumes:  faithful, acyclic; latent variables and selection allowed.
/// Cost:     as the skeleton, and 2^|Possible-D-SEP| tests per edge: exponential. Edges are tested
/// in
///           parallel; the result does not depend on the number of threads.
/// Refuses:  deadline_exceeded or cancelled when `stop` asks.
/// Source:   Spirtes, Meek, Richardson, UAI 1995; Zhang, Artificial Intelligence 172, 2008; order
///           independence: Colombo, Maathuis, JMLR 15, 2014.
Result<FciResult> fci(const IndependenceTest& test, const FciOptions& options = {});

/// FCI as causal-learn 0.1.3.3 runs it with its defaults: separating sets are unions; its
/// Possible-D-SEP stops after two steps, its subsets have two members or more and are tried in the
/// descending order of node names "X1", "X10", ..; a set found there counts for one order of the
/// pair only; rule 3 never fires, rules 5 to 10 are missing.
///
/// Differs:  where the library iterates over a hash set, nodes come in ascending order; where rule
/// 3
///           fails with a missing key, it is skipped.
/// Parity:   equal marks as long as no p-value lies within 1e-9 of alpha.
Result<FciResult> fci_causal_learn(const IndependenceTest& test, const FciOptions& options = {});

}  // namespace culprit
