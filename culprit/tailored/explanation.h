#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "culprit/catalogue/catalogue.h"
#include "culprit/rca/ranking.h"
#include "culprit/tailored/hypotheses.h"

namespace culprit::tailored {

/// What a diagnosis was made of; borrowed.
struct Weighed {
    const std::vector<Hypothesis>& hypotheses;  ///< most probable first
    const Observations& seen;
    const LogMatches& logs;
    const Incident& incident;
    const Windows& windows;
};

/// Turns the first hypotheses into findings that a person can check: the signals that moved as the
/// fault says, in the order in which they moved, with baseline, now and siblings; the log lines;
/// the spans that grew inside the component; what speaks against it; what it is not and why; what
/// to do, and what keeps users served meanwhile. Only facts of the data appear.
std::vector<Finding> explain(const Weighed& weighed, std::size_t count);

/// Signals that would tell the first hypotheses apart and that nobody exported for the suspect
/// component: what each would show, and the setting that exports it. When nothing is sure (the
/// first hypothesis is below 0.9) also signals that one of the first expects to move and another
/// does not; three of these at most.
std::vector<std::string> blind_spots(const Weighed& weighed, const Catalogue& catalogue);

/// What keeps users served until the fault is mended: what its signature says, else, for a replica
/// with siblings, to drain it, with what the siblings then have to carry and what they carried so
/// far. Nothing where neither applies.
std::optional<Advice> stopgap(const Hypothesis& hypothesis, const Weighed& weighed);

/// The component's name for POD in a command; other words in capitals stay to be filled in.
std::string filled_in(std::string command, const std::string& component);

}  // namespace culprit::tailored
