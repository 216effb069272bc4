#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/causal/independence_test.h"
#include "culprit/stats/contingency.h"

namespace culprit {

/// Reorders a list of variables at random; the only source of randomness of the search.
using Permute = std::function<void(std::vector<std::size_t>&)>;

/// When a round has found enough neighbours of the F-node.
enum class EnoughRule : std::uint8_t {
    at_least,  ///< as Ikram et al. print it
    exactly,   ///< as their code and the study have it: a round that overshoots never ends early
};

struct PsiPcOptions {
    double alpha_start = 0.01;
    double alpha_step = 0.1;
    double alpha_max = 1.0;  ///< exclusive
    std::size_t enough = 1;
    EnoughRule rule = EnoughRule::at_least;
};

/// Variables whose distribution depends directly on the regime (the F-node).
///
///   For alpha = start, start + step, ... < max: a PC skeleton in which only edges at the F-node
///   are removed (chi-square; the conditioning set of (F, y) is drawn from the neighbours of y that
///   are still neighbours of F); neighbours of F not found before are appended, smallest p first.
///   "p" compares the whole list of a variable's tests lexicographically, the marginal one first.
///
/// Shapes:   table: the variables `columns` refer to; `f_node`: the regime variable of the same
///           table, not in `columns`. Result: a subset of `columns`, in the order found.
/// Cost:     at most 2^k chi-square tests for k = |columns|, each computed once for all alphas.
/// Refuses:  a stop request.
/// Source:   Ikram, Chakraborty, Mitra, Saini, Bagchi, Kocaoglu, NeurIPS 2022 (Psi-PC, localised).
///           Parity: the study's rcd with the same permutations: same list.
/// Counts:   each distinct test once, at the first level alpha that asked for it.
Result<std::vector<std::size_t>> psi_pc(const stats::CodeTable& table, std::size_t f_node,
                                        const std::vector<std::size_t>& columns,
                                        const PsiPcOptions& options, const Permute& permute,
                                        const Stop& stop, TestCounts& counts);

struct HierarchicalOptions {
    std::size_t chunk_size = 5;  ///< gamma
    double local_alpha = 0.01;
    double start_alpha = 0.001;
    EnoughRule rule = EnoughRule::at_least;
};

struct HierarchicalFinding {
    std::vector<std::size_t> ranked;      ///< most likely first
    std::vector<std::size_t> candidates;  ///< what the levels of chunks left over
    std::size_t num_levels = 0;
    TestCounts counts = {};  ///< each test at the first alpha that asked for it
};

/// RCD: random chunks of `chunk_size` variables are searched on their own, the survivors together,
/// until at most `chunk_size` remain or a level removes nothing; then one search over the
/// survivors. Parameters and parity as psi_pc. All variables of the table but `f_node` take part.
Result<HierarchicalFinding> hierarchical_psi_pc(const stats::CodeTable& table, std::size_t f_node,
                                                const HierarchicalOptions& options,
                                                const Permute& permute, const Stop& stop);

}  // namespace culprit
