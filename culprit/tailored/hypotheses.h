#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/rca/incident.h"
#include "culprit/signatures/fault_signature.h"
#include "culprit/tailored/evidence.h"
#include "culprit/tailored/experience.h"
#include "culprit/tailored/observations.h"
#include "culprit/tailored/symptom.h"

namespace culprit::tailored {

enum class HypothesisKind : std::uint8_t {
    fault,    ///< one known fault at one component, or at the service as a whole
    unknown,  ///< something is wrong with one component, but no known fault fits
    nothing,  ///< nothing is wrong
};

struct Hypothesis {
    HypothesisKind kind = HypothesisKind::fault;
    const FaultSignature* fault = nullptr;
    std::string component;     ///< to blame; empty for the whole service and for nothing
    std::string seen_at;       ///< whose signals were matched; differs for routers
    double log_odds = 0.0;     ///< against "everybody is a bystander"
    double matched = 0.0;      ///< of it: the signals at `seen_at`
    double borne = 0.0;        ///< of it: what it explains of others' load
    double probability = 0.0;  ///< with and without a change of the load beside it
    /// The change of the load that most probably came with it, if that is likelier than none.
    const FaultSignature* beside = nullptr;
    std::string
        along;  ///< another component that is more probably broken at the same time than not
};

/// Numbers that were fitted on the simulator's development seeds; docs/method.md has the fit.
struct HypothesisOptions {
    Correlation correlation;  ///< signals of one kind tell in part the same thing
    double log_weight = 1.0;  ///< of log patterns
    double nothing_prior = 0.35;
    double unknown_prior = 0.04;
    UsersFelt users_felt = UsersFelt::unknown;
    const Experience* experience = nullptr;  ///< adds what confirmed incidents have shown
    bool use_siblings = true;
    bool use_order = true;
    unsigned num_threads = 1;  ///< 0: as many as the machine has; the answer is the same
};

/// Lines that matched a pattern of a signature, by component.
struct LogMatch {
    const LogPattern* pattern = nullptr;
    double before = 0.0;
    double after = 0.0;
    double deviations = 0.0;
    TimePoint first;
    std::string example;
    /// New or clearly more frequent. A line that was never there before needs no statistics.
    bool is_news() const { return after > 0.0 && (before == 0.0 || deviations >= 1.5); }
};
using LogMatches = std::map<std::string, std::map<const LogPattern*, LogMatch>>;
LogMatches match_logs(const Incident& incident, const Windows& windows,
                      const FaultLibrary& library);

/// Posterior over (component, fault), "nothing" and "unknown", most probable first.
///
/// A naive Bayes mixture over all signals that are there. Under a fault at s, the signals of s
/// relative to its siblings follow the signature, everybody else is a bystander (moves with
/// probability 0.16); under a fault of the whole service, the siblings' median follows the
/// signature; under "nothing", all is flat; under "unknown", s moves in any direction. Each signal
/// contributes temper * log(sum_state P(state | data) P(state | hypothesis) / the same for a
/// bystander), so a missing signal contributes nothing, and a signal that a fault leaves alone
/// speaks against the fault when it moves. Then: the order of onsets against the signature's order,
/// log patterns by how often they were printed before and after, and change events, which make the
/// faults that come with a change likelier but convict nobody.
///
/// Cost: O(components * signatures * signals).
std::vector<Hypothesis> weigh(const Observations& observations, const Incident& incident,
                              const Windows& windows, const FaultLibrary& library,
                              const LogMatches& logs, const HypothesisOptions& options = {});

}  // namespace culprit::tailored
