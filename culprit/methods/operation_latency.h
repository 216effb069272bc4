#pragma once

#include <optional>

#include "culprit/frame/frame.h"
#include "culprit/frame/span_table.h"

namespace culprit {

/// The mean duration in ms of each operation's spans (by operations.h) per 5-second bin of their
/// start, one column per operation; NaN where no span of it started in the bin. Bins without any
/// span are left out. Empty without spans, or
/// when bins x operations exceed 2^26.
///
/// Cost: O(spans log bins + bins x operations).
std::optional<Frame> operation_latency(const SpanTable& spans);

}  // namespace culprit
