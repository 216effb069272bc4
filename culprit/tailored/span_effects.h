#pragma once

#include <map>
#include <string>
#include <vector>

#include "culprit/frame/span_table.h"
#include "culprit/rca/ranking.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// What the spans say about each service, in natural-log units of robust deviations, >= 0.
struct SpanEffects {
    std::map<std::string, double> score;
    std::map<std::string, std::vector<SpanEvidence>> evidence;  ///< strongest first
};

/// Four readings of a trace, each robust against the others:
///
/// 1. The gap between a client span and its server span (network, queues in front of the server,
///    scheduling) belongs to an edge, so an edge's growth is shared out over its two ends. With
///    d(e) the change of the mean log gap of edge e and z(e) = max(0, (d(e) - median d) / (1.4826
///    MAD + 0.2)), a service's effect is sum over its edges of log(1 + z) / sqrt(number of its
///    edges): it is large when most of a service's edges grew, whichever end measures them. Without
///    spans from before the alert, d(e) is the mean log gap itself, compared with the other edges.
/// 2. Self time (duration minus children) per operation, compared with its own past, operations
///    whose children are all remote left out, since those wait for others.
/// 3. Calls that a span makes per execution: a service that stops calling, or takes another path,
///    changed its behaviour (deviation of the log rate ratio beyond 3).
/// 4. Failed spans without a failed child, as counts per span.
///
/// Assumes: parent and child name each other by id; clocks of one trace need not agree, because
///          only durations are used.
/// Cost:    O(spans) time and memory.
/// Refuses: fewer than 5 spans of an edge, 10 of an operation: no reading.
SpanEffects span_effects(const SpanTable& spans, const Windows& windows);

}  // namespace culprit::tailored
