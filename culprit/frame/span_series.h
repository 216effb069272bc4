#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/frame/span_table.h"
#include "culprit/frame/time_grid.h"

namespace culprit {

/// What each span took beyond the spans below it; one entry per span in every vector.
///
///   self time = duration - time during which at least one child runs (children clipped to it)
///   gap       = duration - duration of the child, for a span whose only child belongs to another
///               service: the client's time minus the server's, i.e. network and queues between
///               them (clock skew cancels out, because only durations enter)
///
/// Cost: O(n log k), k = children of one span; 24 bytes per span.
/// Source: self time as in X-Trace and Dapper critical paths (Sigelman et al., Google 2010).
struct SpanTimes {
    static constexpr std::uint32_t no_parent = std::numeric_limits<std::uint32_t>::max();
    static constexpr Duration no_gap = Duration::min();

    std::vector<std::uint32_t> parent;  ///< index of the parent span; no_parent
    std::vector<Duration> self_time;    ///< >= 0
    std::vector<Duration> gap;          ///< no_gap where there is none; negative when clocks differ
};
SpanTimes time_spans(const SpanTable& spans);

/// Index of each span's parent, SpanTimes::no_parent where the table has none; of spans with one id
/// the first is the parent. Cost: O(n).
std::vector<std::uint32_t> parents_of(const SpanTable& spans);

/// True iff the status says failure: HTTP 400 and above; where no span has a status of 100 or more
/// (gRPC codes) everything but 0. No status is no failure.
class SpanFailure {
public:
    explicit SpanFailure(const SpanTable& spans);
    bool operator()(std::int32_t status) const { return is_http_ ? status >= 400 : status > 0; }

private:
    bool is_http_ = false;
};

enum class SpanQuantity : std::uint8_t {
    duration,     ///< s
    self_time,    ///< s
    gap,          ///< s, client minus server
    error_share,  ///< 0 to 1
    rate,         ///< spans per second
};
enum class SpanStatistic : std::uint8_t { mean, median, p90 };

/// Of at least one value, which it may reorder; a quantile lies between its two neighbours, as
/// numpy's has it. Cost: O(n).
double statistic_of(std::vector<double>& values, SpanStatistic statistic);

/// What one series is about. Per operation: `service` and `operation` (its method where the source
/// has one, else its operation name). Per edge: `peer` calls `service`, `operation` is empty.
struct SpanSeriesKey {
    std::string service;
    std::string operation;
    std::string peer;
    std::uint64_t num_spans = 0;
};

/// Series on a grid, bins x keys; a bin without a span is NaN (rate: 0). Keys in the order of their
/// first span.
struct SpanSeries {
    std::vector<SpanSeriesKey> keys;
    Matrix values;
};

struct SpanSeriesOptions {
    TimeGrid grid;
    SpanStatistic statistic = SpanStatistic::median;  ///< of duration, self time and gap
};

/// One series per operation; spans count in the bin in which they start. Spans outside the grid are
/// left out. Cost: O(n + bins * keys). Refuses (invalid_input): more than 2e8 cells.
Result<SpanSeries> operation_series(const SpanTable& spans, const SpanTimes& times,
                                    SpanQuantity quantity, const SpanSeriesOptions& options);

/// One series per pair of services of which one calls the other. Duration, self time and errors are
/// those of the called span; the gap is its caller's.
Result<SpanSeries> edge_series(const SpanTable& spans, const SpanTimes& times,
                               SpanQuantity quantity, const SpanSeriesOptions& options);

}  // namespace culprit
