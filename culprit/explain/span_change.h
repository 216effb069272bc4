#pragma once

#include <vector>

#include "culprit/rca/incident.h"
#include "culprit/rca/ranking.h"

namespace culprit {

/// Every operation and edge whose duration, self time, client-server gap or error share changed by
/// at least `score_min` robust deviations, strongest first. An edge's gap is reported at the called
/// service. Empty without spans, and without spans before the alert to compare with.
std::vector<SpanEvidence> span_changes(const Incident& incident, double score_min);

}  // namespace culprit
