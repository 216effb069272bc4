#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/frame/span_table.h"
#include "culprit/rca/incident.h"

namespace culprit {

/// The operations of a trace table as the trace methods name them: "<service>_<method>", or
/// "<service>_<operation>" where a span has no method. Numbered by first appearance.
///
/// Cost: O(spans) time and memory.
struct Operations {
    std::vector<std::uint32_t> of_span;  ///< one per span
    std::vector<std::string> names;
    std::vector<std::string> services;  ///< of each operation

    static Operations of(const SpanTable& spans);
    std::size_t size() const { return names.size(); }
};

/// What an operation's spans last when nothing is wrong; NaN where too few spans tell.
struct OperationNorm {
    double mean_ms = 0.0;
    double deviation_ms = 0.0;  ///< ddof 1
    std::uint64_t num_spans = 0;
};

/// How the norms are told: the reference implementation rounds both numbers to 0.01 ms.
enum class NormPrecision { full, hundredth_ms };

/// The norm of every operation over the spans that end before `alert`.
std::vector<OperationNorm> operation_norms(const SpanTable& spans, const Operations& operations,
                                           TimePoint alert, NormPrecision precision);

inline double duration_ms(const SpanTable& spans, std::size_t span) {
    return static_cast<double>(spans.duration[span].count()) * 1e-6;
}

/// Whether each span lasts at least mean + 3 standard deviations of its operation; never where the
/// norm is NaN.
std::vector<bool> slow_spans(const SpanTable& spans, const Operations& operations,
                             const std::vector<OperationNorm>& norms);

/// Refuses (missing_input) the first operation, by appearance, that has spans ending at or after
/// `alert` but none before: the reference implementation raises KeyError on it.
Status check_norms(const SpanTable& spans, const Operations& operations,
                   const std::vector<OperationNorm>& norms, TimePoint alert);

/// Refuses an incident without traces (missing_input), or whose spans all end on one side of the
/// alert (too_few_samples).
Status check_spans(const Incident& incident, std::string_view method);

}  // namespace culprit
