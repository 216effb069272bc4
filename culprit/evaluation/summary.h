#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "culprit/evaluation/bootstrap.h"
#include "culprit/evaluation/cell.h"

namespace culprit {

/// A mean over cases with its bootstrap interval.
struct Estimate {
    double mean = 0.0;
    Interval interval;
};

/// AC@1..5, Avg@5 and MRR over the scored cases of one group.
struct Accuracy {
    std::size_t num_cases = 0;
    std::array<Estimate, Score::k_max> ac;
    Estimate average_at_5;
    Estimate reciprocal_rank;
};

/// One method and variant in one group of cases.
struct SummaryRow {
    std::string method;
    std::string variant;
    std::string options;
    std::size_t num_cells = 0;  ///< failed and degenerate ones included
    std::size_t num_failed = 0;
    std::size_t num_degenerate = 0;
    std::size_t num_not_applicable = 0;
    std::size_t num_without_root_cause = 0;  ///< nothing to find, hence not scored
    Accuracy service;
    Accuracy metric;  ///< num_cases = 0 when nothing is labelled or ranked at this level
    double cpu_seconds_median = 0.0;  ///< over the cases that were answered; 0 = none
    double cpu_seconds_max = 0.0;
    double wall_seconds_total = 0.0;
    std::int64_t heap_peak_bytes = -1;  ///< the largest over the cases
};

struct SummaryGroup {
    std::string dimension;  ///< "all", "dataset", "fault", "service"
    std::string value;
    std::size_t num_cases = 0;
    std::vector<SummaryRow> rows;  ///< by falling Avg@5, chance last
};

struct FailureReason {
    std::string method;
    std::string variant;
    CellStatus status = CellStatus::failed;
    std::string reason;
    std::size_t count = 0;
    std::string example;  ///< dataset and case of the first
};

struct EvaluationSummary {
    std::vector<SummaryGroup> groups;  ///< all, then datasets, faults, services, each by name
    std::vector<FailureReason> reasons;
};

struct SummaryOptions {
    std::uint64_t seed = 0;
    int num_resamples = 1000;
    unsigned num_threads = 0;
};

/// A failed cell counts as a miss; a degenerate answer counts as what it is. Deterministic for a
/// seed, whatever the number of threads.
EvaluationSummary summarize(std::span<const CellRecord> cells, const SummaryOptions& options);

}  // namespace culprit
