#pragma once

#include <vector>

#include "culprit/catalogue/catalogue.h"
#include "culprit/rca/ranking.h"
#include "culprit/tailored/hypotheses.h"

namespace culprit::tailored {

/// Turns the first hypotheses into findings that a person can check: the signals that moved as the
/// fault says, in the order in which they moved, with baseline, now and siblings; the log lines;
/// what speaks against it; what to do. Only facts of the data appear.
std::vector<Finding> explain(const std::vector<Hypothesis>& hypotheses, const Observations& seen,
                             const LogMatches& logs, std::size_t count);

/// Signals that would tell the first hypotheses apart and that nobody exported for the suspect
/// component: what each would show, and the setting that exports it.
std::vector<std::string> blind_spots(const std::vector<Hypothesis>& hypotheses,
                                     const Observations& seen, const Catalogue& catalogue);

/// "1980", "0.0124", "5.3e+09" with a unit's prefix: "12.4 ms", "5.3 GB".
std::string quantity_text(double value, const std::string& unit);

}  // namespace culprit::tailored
