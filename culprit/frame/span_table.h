#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "culprit/base/time.h"
#include "culprit/frame/string_pool.h"

namespace culprit {

/// Trace spans, one entry per span in every vector, in the order of the source.
struct SpanTable {
    static constexpr std::int32_t no_status = -1;

    std::vector<TimePoint> start;
    std::vector<Duration> duration;
    std::vector<std::uint32_t> trace;      ///< index into `traces`
    std::vector<std::uint64_t> id;         ///< 64-bit hash of the span id; 0 = none
    std::vector<std::uint64_t> parent_id;  ///< 64-bit hash of the parent's id; 0 = a root
    std::vector<std::uint32_t> service;    ///< index into `services`
    std::vector<std::uint32_t> operation;  ///< index into `operations`: operationName
    std::vector<std::uint32_t> method;     ///< index into `operations`: methodName; "" when absent
    std::vector<std::int32_t> status;      ///< as the source has it (HTTP or gRPC); no_status
    StringPool traces;
    StringPool services;
    StringPool operations;

    std::size_t size() const { return start.size(); }
    TimePoint end(std::size_t span) const { return start[span] + duration[span]; }
};

}  // namespace culprit
