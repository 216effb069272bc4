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
/// to do, and what keeps users served meanwhile. Of a fault below `known_probability_min` nothing
/// is mended: only what to look at is told. Only facts of the data appear.
std::vector<Finding> explain(const Weighed& weighed, std::size_t count);

/// Signals that would tell the first hypotheses apart and that nobody exported for the suspect
/// component: what each would show, and the setting that exports it. When nothing is sure (the
/// first hypothesis is below 0.9) also signals that one of the first expects to move and another
/// does not; three of these at most. Only what the exporters that are there have, or what any
/// system may have (GPU, node, process; Kubernetes where it is seen): no engine is advised to who
/// runs another.
std::vector<std::string> blind_spots(const Weighed& weighed, const Catalogue& catalogue);

/// What keeps users served until the fault is mended: what its signature says, else, for a replica
/// with siblings, to drain it, with what the siblings then have to carry and what they carried so
/// far. Nothing where neither applies, or where it is more probably not this component; where only
/// the fault is not known (`known_probability_min`), no more than to drain it.
std::optional<Advice> stopgap(const Hypothesis& hypothesis, const Weighed& weighed);

}  // namespace culprit::tailored
