#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "culprit/graph/weighted_digraph.h"
#include "culprit/rca/incident.h"
#include "culprit/rca/method.h"

namespace culprit {

/// What MicroRCA, Microscope and MonitorRank share in the reference implementation: a call graph
/// from the topology and the latency of every call.
struct CallGraph {
    StringPool names;                 ///< node numbers, callers and callees by first appearance
    graph::WeightedDigraph services;  ///< calls, unit weights, in the order of the source
    graph::WeightedDigraph all;       ///< calls and placements on hosts
    std::vector<bool> is_host;

    static CallGraph of(const Topology& topology);
};

/// A latency column "<caller>_<callee>" that BIRCH finds to have more than one level.
struct AnomalousCall {
    std::size_t column = 0;  ///< of Incident::edge_latency
    std::string caller;
    std::string callee;
};

/// The detector of the reference implementation: the rolling mean over ten rows, scaled to unit
/// length, clustered by BIRCH with threshold 0.045; anomalous with two clusters or more. The alert
/// plays no part.
std::vector<AnomalousCall> anomalous_calls(const Frame& edge_latency);

/// The callees of the calls, each at its first appearance.
std::vector<std::string> callees_of(const std::vector<AnomalousCall>& calls);

/// Per name: the sum of all latency columns that have it as one part between "_", NaN skipped.
std::optional<std::vector<double>> latency_of(const Frame& edge_latency, std::string_view name);

/// Pearson's correlation of rows with the same number in two tables, over rows where both have a
/// value, as pandas' Series.corr. NaN when there are fewer than two or one is constant.
double row_correlation(std::span<const double> x, std::span<const double> y);

/// Rounded to three decimals, half to even.
double thousandth(double value);

/// Refuses (missing_input) an incident without topology or latency of calls.
Status check_calls(const Incident& incident, std::string_view method);

}  // namespace culprit
