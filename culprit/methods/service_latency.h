#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "culprit/graph/weighted_digraph.h"
#include "culprit/rca/incident.h"

namespace culprit {

/// The call graph of an incident with the latency of its services and calls on one time grid: what
/// the published MicroRCA, Microscope and MonitorRank start from.
///
/// Calls come from the topology, or from the spans where there is none. A call's latency comes from
/// the table of calls; where the incident has none, from the callee's own latency metric (the first
/// of its columns whose metric names a latency, a server's before a client's).
struct ServiceLatency {
    StringPool names;
    graph::WeightedDigraph calls;  ///< caller -> callee, unit weights
    /// Where requests come in: the service of the incident's symptom when it is part of the graph,
    /// else the one nobody calls from which most others are reached.
    std::size_t entry = 0;
    std::vector<TimePoint> times;
    std::size_t num_before = 0;  ///< rows before the alert
    struct Call {
        std::size_t caller = 0;
        std::size_t callee = 0;
        std::vector<double> latency;  ///< one per row, gaps filled forward and then with 0
    };
    std::vector<Call> measured;
    /// Per service: the mean of its incoming calls' latency (of its outgoing ones where no call
    /// comes in); empty when nothing is measured.
    std::vector<std::vector<double>> of_service;

    /// Refuses (missing_input): no call graph, or no latency of any of its services;
    /// (too_few_samples) no row on one side of the alert.
    static Result<ServiceLatency> of(const Incident& incident, std::string_view method);

    const Call* find(std::size_t caller, std::size_t callee) const;
};

/// Whether a service's latency left its normal range after the alert: more than three standard
/// deviations above the mean before, which is Microscope's test.
bool is_above_three_sigma(std::span<const double> latency, std::size_t num_before);

/// Whether BIRCH puts a value after the alert into a cluster in which none lay before. The series
/// is smoothed over ten rows and scaled to a root mean square of 1; the threshold is MicroRCA's
/// 0.045 for a series of unit length at 120 rows (its ten minutes at 5 s), 0.045 sqrt(120) = 0.49
/// of the root mean square, at any length.
bool enters_new_cluster(std::span<const double> latency, std::size_t num_before);

/// The metric column `c` of the incident at each of `times`: its last value at or before each; NaN
/// before the first.
std::vector<double> at_times(const Frame& metrics, std::size_t c, std::span<const TimePoint> times);

}  // namespace culprit
