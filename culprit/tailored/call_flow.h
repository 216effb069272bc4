#pragma once

#include <map>
#include <string>

#include "culprit/rca/incident.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// How much of what users feel ends at each service, from metrics and a call graph.
struct CallFlow {
    bool available = false;  ///< calls, requests and latency or errors are there for >= 2 services
    std::map<std::string, double> share;       ///< of the blame, sums to 1 when there is any
    std::map<std::string, double> deviations;  ///< of the service's own excess, the larger channel
};

/// Two additive channels: seconds of latency per step (mean latency, or the lowest quantile that is
/// exported, times requests) and failed requests per step (1 - availability, or errors). Excess =
/// (suspect mean - reference mean, both weighted by requests) * requests now; counted when at least
/// 2 deviations, the scale being the spread of reference blocks of the suspect window's length plus
/// 5 % of the reference for latency, and Poisson plus block spread for failures. Rows in which a
/// service had no request say nothing about its latency: values are never filled.
///
/// Cost: O(rows of the services' columns + calls).   See blame_flow.h for the walk.
CallFlow call_flow(const Incident& incident, const Windows& windows);

}  // namespace culprit::tailored
