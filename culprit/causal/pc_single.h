#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

struct PcSingleOptions {
    double alpha = 0.001;
    std::size_t condition_size_max = 4;
    /// Only whether this candidate stays is asked: the search ends when it is removed.
    std::optional<std::size_t> watched = {};
};

struct PcSingleLink {
    std::size_t variable = 0;
    double p_value = 0.0;                     ///< the largest over the sets tried
    double correlation = 0.0;                 ///< the partial correlation of that test
    std::vector<std::size_t> separator = {};  ///< for a removed candidate: the set that removed it
};

struct PcSingleFinding {
    std::vector<PcSingleLink> links;    ///< kept, in candidate order
    std::vector<PcSingleLink> removed;  ///< in order of removal
    std::size_t num_tests = 0;
    std::size_t num_near_alpha = 0;  ///< tests with p within a factor of two of alpha
    std::size_t num_degenerate = 0;  ///< tests on a variable that its set determines
};

/// The neighbours of one variable by PC's conditional tests around it.
///
///   For k = 0..condition_size_max, while more than k candidates are left: each candidate is tested
///   given every size-k subset (lexicographic) of the other candidates; p > alpha for some subset
///   removes it after the round. Partial correlation, t test with N - 2 - k degrees of freedom.
///
/// Shapes:   correlation: p x p of the N samples; candidates exclude the target.
/// Cost:     at most p C(p, 4) small factorisations; stops at the first separating set.
/// Differs:  a candidate that its set determines within rounding is independent (p = 1) here; the
///           study's least squares returns the correlation of two rounding residues.
/// Refuses:  a stop request.
/// Source:   Spirtes, Glymour 1991; PC-single as in Arpit et al., arXiv 2301.10859.
///           Parity: CausalAI PCSingle, same neighbours, p 1e-8.
Result<PcSingleFinding> pc_single(MatrixView correlation, std::size_t num_samples,
                                  std::size_t target, const std::vector<std::size_t>& candidates,
                                  const PcSingleOptions& options, const Stop& stop);

}  // namespace culprit
