#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "culprit/base/stop.h"

namespace culprit {

/// Traces that pass through the same services and have the same abnormal calls.
struct TracePattern {
    std::vector<std::uint32_t> services;           ///< ascending
    std::vector<std::uint32_t> abnormal_incoming;  ///< services with an abnormal call into them
    std::vector<std::uint32_t> abnormal_outgoing;  ///< services with an abnormal call out of them
    std::uint64_t num_traces = 0;
    bool is_abnormal = false;
};

struct SuspiciousSetOptions {
    double support_min = 0.1;           ///< share of the abnormal traces that contain the set
    std::size_t sets_max = 100;         ///< sets, by falling Jaccard index, that give scores
    std::size_t candidates_max = 4096;  ///< bound on the closed sets looked at
};

struct SuspicionScores {
    std::vector<double> of_service;
    bool is_complete = true;  ///< false: `candidates_max` was reached
};

/// TraceRCA's mining and ranking.
///
///   X: traces through all services of a set, Y: abnormal traces;  JI = |X and Y| / |X or Y|
///   IS(m, set) = | traces of X with an abnormal call into m - those with one out of m |
///   score(m) = max over the sets with m of JI IS
///
/// Only closed sets are looked at (intersections of the service sets of abnormal traces): any other
/// set has the traces, hence the index and the in-set scores, of the closed set around it.
///
/// Cost:     O(closed sets x patterns / 64) words plus the patterns of each set.
/// Refuses:  deadline_exceeded, cancelled.
/// Source:   Z. Li et al., IWQoS 2021, sections III-B and III-C, and their default thresholds.
Result<SuspicionScores> suspicion_scores(const std::vector<TracePattern>& patterns,
                                         std::size_t num_services,
                                         const SuspiciousSetOptions& options, const Stop& stop);

}  // namespace culprit
