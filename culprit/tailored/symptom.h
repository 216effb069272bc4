#pragma once

#include <cstdint>
#include <optional>

#include "culprit/rca/incident.h"
#include "culprit/rca/ranking.h"
#include "culprit/tailored/observations.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// What users felt, before anybody is blamed: "time to first token p95 129 ms -> 9.1 s, request
/// latency p95 0.92 s -> 12 s" since when, and as remark how many replicas are slow, idle or
/// silent, and whether the load changed.
///
/// From the spans of the service that clients call, request by request: failures (a change of 2 %
/// of the requests at least), time to the first token (until the span that speaks of decoding
/// begins) and latency, where more than chance (three standard errors) of the later requests
/// exceed nine tenths of the earlier, or two take twice as long as the slowest of these, and the
/// 95th percentile grew by a fifth. Without spans, from the means that engines, gateways and
/// services keep, at the component where they rose most. Where nothing of it moved, the text says
/// so and `when` is TimePoint{}.
///
/// Nothing when the incident has neither 10 requests of the reference and 5 later ones nor a
/// latency.   Cost: O(spans log spans + observations).
std::optional<FindingStep> symptom_of(const Observations& seen, const Incident& incident,
                                      const Windows& windows);

/// Whether users felt anything of it, after `symptom` and what the components show: latencies and
/// errors as before at all of them, and no replica slow, idle or silent.
enum class UsersFelt : std::uint8_t { unknown, nothing, something };
UsersFelt users_felt(const std::optional<FindingStep>& symptom, const Observations& seen,
                     const Incident& incident);

}  // namespace culprit::tailored
