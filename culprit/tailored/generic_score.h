#pragma once

#include <map>
#include <string>
#include <vector>

#include "culprit/rca/method.h"
#include "culprit/tailored/call_flow.h"
#include "culprit/tailored/load_change.h"
#include "culprit/tailored/service_shifts.h"
#include "culprit/tailored/span_effects.h"

namespace culprit::tailored {

/// What metrics, spans and logs say about each service of any system, before knowledge about LLM
/// serving is applied.
///
///   score(s) = own(s) + spans(s) + share(s) log(1 + deviations(s))
///
/// All three are natural logs of robust deviations, so they add like log-likelihood ratios of
/// independent sources; a source that is missing adds nothing anywhere. With a call graph that can
/// be walked, latency, errors and traffic enter through the flow of blame only.
struct GenericScore {
    Windows windows;
    std::vector<ColumnShift> shifts;
    LoadChange load;
    CallFlow flow;
    SpanEffects spans;
    std::vector<std::string> services;  ///< in the order of the incident
    std::map<std::string, double> score;
    std::vector<std::string> notes;
};

Result<GenericScore> generic_score(const Incident& incident, const RunContext& context);

}  // namespace culprit::tailored
