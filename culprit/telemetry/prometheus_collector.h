#pragma once

#include "culprit/telemetry/incident_facts.h"
#include "culprit/telemetry/prometheus_reader.h"
#include "culprit/telemetry/source_report.h"

namespace culprit {

struct MetricsRequest {
    TimeRange range;
    std::string selector;                    ///< narrows what is asked for, e.g. `{cluster="a"}`
    bool generic = true;                     ///< series that the catalogue does not know, too
    bool on_server_grid = false;             ///< ask for grid points instead of stored samples
    std::size_t series_per_request = 1000;   ///< bounds the memory of one request
    std::uint64_t series_max = 200'000;      ///< further metrics are reported as missing
    unsigned num_parallel = 4;               ///< requests at a time
    std::int64_t scrape_interval_ms = 1000;  ///< the shortest expected
};

/// Collects every metric of a Prometheus-compatible server onto the builder's grid: gauges as they
/// are, counters as rates, histograms as quantiles, mean and rate (grid.h), info series as topology
/// and change events.
///
/// A metric that fails, or that the stop cuts off, costs that metric: it is named in the report.
/// Memory: num_parallel * series_per_request series of grid points, whatever the server has.
SourceReport collect_metrics(const PrometheusReader& reader, const MetricsRequest& request,
                             const Catalogue& catalogue, FrameBuilder& builder,
                             IncidentFacts& facts, const Stop& stop);

/// The step that loses nothing: the most common scrape interval of the targets, 15 s when the
/// server does not say.
std::int64_t choose_step_ms(const PrometheusReader& reader, const Stop& stop);

}  // namespace culprit
