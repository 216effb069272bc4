#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "culprit/readers/case_reader.h"
#include "culprit/scorecard/scorecard.h"

namespace culprit {

struct SimulatedCases {
    std::vector<std::string> kinds;  ///< empty = every kind
    std::uint64_t first_seed = 0;  ///< seeds below 1000 are for development, from 1000 on for test
    std::size_t count = 10;        ///< seeds per kind
    int num_replicas = 0;          ///< 0 = drawn: 3 to 8
    double load_factor = 1.0;      ///< on the arrivals while the fault lasts
};

/// Simulates, diagnoses and scores. Late alerts, scrape interval and length of the baseline are
/// simulated, not cut from a better recording: the fault lasts until the alert notices it.
Result<Scorecard> score_simulated(const SimulatedCases& cases, const ScoringOptions& options,
                                  const Stop& stop = {});

/// Reads, diagnoses and scores recorded cases, one at a time per thread. A case that cannot be read
/// is an error; one without a label is refused.
Result<Scorecard> score_recorded(std::span<const CaseLocation> cases, const ScoringOptions& options,
                                 const Stop& stop = {});

}  // namespace culprit
