#pragma once

#include <vector>

#include "culprit/rca/incident.h"
#include "culprit/rca/ranking.h"

namespace culprit {

/// Every log template of every source whose rate changed by at least `score_min` Poisson
/// deviations between the incident's windows, strongest first. Rates are per minute of the part of
/// each window that the log covers. Empty without logs.
///
/// The deviations are divided by the square root of variance over mean of the records per second: a
/// report of a hundred lines that a process writes once a minute is one event, not a hundred.
std::vector<LogEvidence> log_changes(const Incident& incident, double score_min);

}  // namespace culprit
