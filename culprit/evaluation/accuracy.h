#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "culprit/rca/case.h"
#include "culprit/rca/ranking.h"

namespace culprit {

/// How good one answer is. For one ranking every hit is 0 or 1; for the expectation of a random
/// order it is a probability.
///
///   hit[k-1] = 1 if a root cause is among the first k;  AC@k = mean of hit[k-1] over cases
///   Avg@5 = (AC@1 + ... + AC@5) / 5;                    MRR = mean of 1 / rank (0 when absent)
///
/// Source: Pham, Ha, Zhang, "Root Cause Analysis for Microservice System based on Causal Inference:
/// How Far Are We?", ASE 2024 (AC@k, Avg@k).
struct Score {
    static constexpr std::size_t k_max = 5;
    std::array<double, k_max> hit{};
    double reciprocal_rank = 0.0;

    double average_at_5() const;
    friend bool operator==(const Score&, const Score&) = default;
};

/// Score of a root cause found at 1-based `rank`; all zero when it was not found.
Score score_at(std::optional<std::size_t> rank);

/// The name under which services are compared: the study's evaluator removes every "-db".
std::string comparable_service(std::string_view service);
/// The name under which metric columns are compared: the study renames `*_latency-90` to
/// `*_latency`.
std::string comparable_metric(std::string_view column);

/// 1-based rank of the first true service in the ranking's services, each counted at its first
/// appearance. With several root causes the best placed one counts.
std::optional<std::size_t> rank_of_service(const Ranking& ranking,
                                           std::span<const std::string> truth);
/// 1-based rank of the first true metric column among the ranked names.
std::optional<std::size_t> rank_of_metric(const Ranking& ranking,
                                          std::span<const std::string> truth);

}  // namespace culprit
