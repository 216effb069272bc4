#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/time.h"
#include "culprit/frame/frame.h"
#include "culprit/frame/log_table.h"
#include "culprit/frame/span_table.h"
#include "culprit/frame/topology.h"

namespace culprit {

/// Everything that a method may see of one incident, and nothing of the answer. Copies are cheap:
/// the data are shared and immutable. A null pointer is a modality that was not collected; the name
/// and folder of a case are no part of it, because benchmark folders are named after the answer.
struct Incident {
    Frame metrics;  ///< raw, missing values NaN
    /// Columns of the metric table that hold text (pod names, addresses): no series, but the
    /// study's harness counts them.
    std::vector<std::string> text_columns;
    std::shared_ptr<const LogTable> logs;
    std::shared_ptr<const SpanTable> spans;
    std::shared_ptr<const Topology> topology;
    std::vector<ChangeEvent> changes;

    // Series derived from logs and spans (files logts, tracets_err, tracets_lat,
    // latency_merged_90), as the case has them or computed from the tables above.
    std::optional<Frame> log_counts;      ///< lines per container and bin
    std::optional<Frame> span_errors;     ///< spans with status outside 2xx per operation and bin
    std::optional<Frame> span_successes;  ///< spans with a 2xx status per operation and bin
    std::optional<Frame> edge_latency;    ///< latency per edge "<source>_<destination>", ms

    /// Injection or alert time: what divides normal from suspect.
    TimePoint alert;
    TimeRange baseline;                  ///< up to `alert`
    TimeRange suspect;                   ///< from `alert` on
    std::optional<std::string> symptom;  ///< the metric column that raised the alarm, when known
};

/// The services of an incident in the order of their first metric column, then of logs, spans and
/// topology (hosts left out).
std::vector<std::string> services_of(const Incident& incident);

/// The study's mapping from a ranked name to a service: the text before the first
/// "_", every "-db" removed. Names in the field's layouts carry no other "_" before the metric.
std::string service_of_name(std::string_view name);

}  // namespace culprit
