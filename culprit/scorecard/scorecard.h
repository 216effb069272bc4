#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/rca/case.h"
#include "culprit/rca/method.h"
#include "culprit/scorecard/spoiling.h"
#include "culprit/signatures/fault_signature.h"
#include "culprit/tailored/experience.h"

namespace culprit {

/// How the method is run on each incident.
struct ScoringOptions {
    Spoiling spoiling;
    bool hold_out = false;  ///< the method does not know the fault's family
    std::map<std::string, double> method_options;
    FaultLibrary library = FaultLibrary::builtin();
    Experience experience;
    unsigned num_threads = 1;  ///< incidents side by side; 0 = all
    /// Called after each incident, from the thread that judged it, with the number of all.
    std::function<void(std::size_t total)> on_judged;
};

/// What the method `culprit` said about one labelled incident, beside the truth.
struct Outcome {
    std::string name;  ///< of the case
    std::string kind;  ///< the label's fault kind
    bool broken = false;
    std::string answered_component;  ///< "" = no component is broken
    std::string answered_fault;      ///< "" = the method named no fault kind
    std::size_t rank = 99;           ///< of the truth among the answers, from 1
    bool fault_right = false;
    bool has_probability = false;
    double probability = 0.0;  ///< of the first answer's component
    double seconds = 0.0;      ///< of the method
};

/// Answers on one fault kind.
struct KindScore {
    std::string kind;
    std::size_t num_cases = 0;
    std::size_t component_first = 0;
    std::size_t component_in_three = 0;
    std::size_t fault_first = 0;
    std::map<std::string, std::size_t> mistaken_for;
};

struct Scorecard {
    std::string source;            ///< "simulated", or the names of the datasets
    std::vector<KindScore> kinds;  ///< in the order of their first case
    std::vector<Outcome> outcomes;
    std::size_t num_cases = 0;
    std::size_t num_broken = 0;       ///< cases in which some component is to blame
    std::size_t component_first = 0;  ///< of the broken ones
    std::size_t component_in_three = 0;
    double average_at_5 = 0.0;       ///< of the broken ones
    std::size_t num_with_fault = 0;  ///< cases for which the method names fault kinds at all
    std::size_t fault_first = 0;     ///< of these
    std::size_t num_sound = 0;       ///< cases in which nobody is to blame
    std::size_t blamed_falsely = 0;
    std::size_t num_with_probability = 0;
    double brier = 0.0;  ///< mean squared error of the first answer's probability
    struct Bin {
        std::size_t count = 0;
        double probability = 0.0;  ///< mean stated
        std::size_t right = 0;
    };
    std::array<Bin, 10> reliability;  ///< by tenths of the stated probability of the component
    double seconds_per_case = 0.0;    ///< of the method
};

/// Is `answered`, the id of a signature, the fault that a label calls `kind`? The label may use the
/// id or one of the signature's aliases; "nothing" answers "none" and a sound window.
bool same_fault(const FaultLibrary& library, const std::string& answered, const std::string& kind,
                bool broken);

/// Runs the method on one labelled incident, spoiled as asked. A component counts as right when the
/// most probable answer names it; "no component is broken" is an answer and is right when only the
/// load changed or nothing happened. With several root causes the best placed one counts, and the
/// fault that broke the one that was named. An error of the method is a miss.
Outcome judge(const Case& incident_case, const ScoringOptions& options, std::uint64_t seed,
              const Stop& stop = {});

/// Adds the outcomes up. Deterministic but for the time.
Scorecard scorecard_of(std::string source, std::vector<Outcome> outcomes);

std::string scorecard_text(const Scorecard& card, bool with_cases);
std::string scorecard_json(const Scorecard& card);

}  // namespace culprit
