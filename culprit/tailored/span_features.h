#pragma once

#include <string_view>
#include <vector>

#include "culprit/frame/frame.h"
#include "culprit/frame/span_table.h"
#include "culprit/tailored/features.h"

namespace culprit::tailored {

/// Do the operations' names speak of prefill or decode, as only an inference engine's do?
/// Cost: O(distinct operations).
bool speaks_of_inference(const SpanTable& spans);

/// Does this operation decode tokens? It begins when the first token is there.
bool speaks_of_decoding(std::string_view operation);

/// Adds to `features` what the spans say about signals that no metric brought, by component, as
/// means per row of `frame`'s time grid; a span counts in the row in which it ends.
///
///   engine.path_residual      caller's span - callee's server span, at the callee: time on the way
///   engine.path_floor         the least of that of the last eight requests: a slow way slows the
///                             fastest request too, a lossy one does not
///   engine.queue_time         spans of a component whose operation speaks of a queue or waiting,
///   engine.prefill_time       of prefill,
///   engine.decode_time        of decode,
///   engine.tokenize_time      of a tokenizer
///   istio_request_duration_milliseconds   server span, where the component calls nobody else
///   engine.completed          such spans that end, per second
///
/// A caller's span counts only when it waits for one other component: the way's share of a span
/// that fans out cannot be told. Phases are children within one component.
///
/// Units: seconds; ms for istio_request_duration_milliseconds.   Assumes: parent and child name
/// each other by id; clocks may differ, since only durations are compared.   Cost: O(spans log
/// spans + features) time, O(spans + features) memory.
void add_span_features(std::vector<Feature>& features, const SpanTable& spans, const Frame& frame);

}  // namespace culprit::tailored
