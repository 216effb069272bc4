#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "culprit/rca/incident.h"

namespace culprit {

/// How large a made incident is.
struct IncidentSize {
    std::size_t num_services = 3;
    std::size_t num_rows = 48;
    std::size_t num_traces = 120;
};

/// A complete incident of a chain of services behind nginx-proxy, named as the study names things,
/// in which the last service breaks two thirds into the run: metrics, logs, spans, call graph,
/// change events and the derived series.
Incident complete_incident(const IncidentSize& size = {});

/// The same incident with its metric values changed: `change(value, row, column)`.
Incident with_values(const Incident& incident,
                     const std::function<double(double, std::size_t, std::size_t)>& change);

/// The same metric columns in another order: position i holds the old column order[i].
Incident with_columns(const Incident& incident, const std::vector<std::size_t>& order);

/// Rows [first, last) of the metrics.
Incident with_rows(const Incident& incident, std::size_t first, std::size_t last);

/// 63 services of 8 metrics in 40 rows: every tenth column is a copy of the one before it, every
/// fiftieth constant.
Incident wide_incident();

struct NamedIncident {
    std::string name;
    Incident incident;
};

/// Incidents as no one should record them but someone will: gaps, constants, one row, nothing at
/// all, calls in circles, spans without end.
std::vector<NamedIncident> hostile_incidents();

}  // namespace culprit
