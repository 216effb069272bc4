#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "culprit/rca/ranking.h"
#include "golden_set.h"

namespace culprit {

/// What of a method's answer can be compared with the study's implementation, and why no more.
struct GoldenRule {
    enum class Kind {
        scores,  ///< same names in the same order, scores within 1e-9 relative; names whose
                 ///< recorded scores tie within 1e-9 may change places
        ranks_and_evidence,  ///< same names in the same order; scores stand in the evidence
        ranks,               ///< same names in the same order; the method gives no scores
        shared_scores,   ///< names in both answers have the same scores; at most one name differs
        any_hash_order,  ///< one of the answers recorded for different orders of Python's sets
        same_names,      ///< same names in any order: the order is random
        sampled_scores,  ///< same names, scores within what a million random steps scatter
        seed_scatter,    ///< recorded for several seeds; ours for 20 times as many, at least 100,
                         ///< say how often a name is in the answer: what is recorded must occur,
                         ///< what is nearly always there must be recorded
    };
    std::string method;
    Kind kind = Kind::scores;
    std::string why;  ///< why not simply `scores`
    /// The method sees the metrics through the harness's window of 1800 rows a side. The large case
    /// was recorded without that window, so only kernels can be compared there.
    bool is_windowed = false;
};

/// How a failing test names its rule.
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's hook
inline void PrintTo(const GoldenRule& rule, std::ostream* out) { *out << rule.method; }

/// One rule per method of the study, in the study's order.
std::vector<GoldenRule> golden_rules();

/// Empty when the ranking agrees with the answers under the rule, else the first difference.
std::string compare(const GoldenRule& rule, const Ranking& ranking,
                    const std::vector<GoldenAnswer>& answers);

/// Of several answers for as many seeds, under `seed_scatter`.
std::string compare_scatter(const std::vector<Ranking>& ours,
                            const std::vector<GoldenAnswer>& answers);

/// The rule for one recorded case: another than the method's where the record itself depends on
/// what the reference leaves to chance there.
GoldenRule rule_for(const GoldenRule& rule, const std::string& case_id);

/// The same for a case that is longer than the harness's window: the scores of baro and nsigma from
/// their kernels over all rows; of other methods nothing.
std::string compare_untrimmed(const GoldenRule& rule, const Incident& incident,
                              const std::vector<GoldenAnswer>& answers);

/// Rows that the harness keeps on each side of the alert.
inline constexpr std::size_t harness_rows_per_side = 1800;

}  // namespace culprit
