#pragma once

#include <vector>

#include "culprit/rca/incident.h"
#include "culprit/rca/ranking.h"

namespace culprit {

/// Every log template of every source whose rate changed by at least `score_min` Poisson
/// deviations between the incident's windows, strongest first. Rates are per minute of the part of
/// each window that the log covers. Empty without logs.
std::vector<LogEvidence> log_changes(const Incident& incident, double score_min);

}  // namespace culprit
