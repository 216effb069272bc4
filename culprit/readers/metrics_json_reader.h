#pragma once

#include <string_view>

#include "culprit/base/result.h"
#include "culprit/readers/metric_table.h"
#include "culprit/readers/problem_list.h"

namespace culprit {

/// Reads series from an object {"<service>_<metric>": [[Unix seconds, value], ...], ...}, the form
/// of RCAEval's metrics.json. The grid is the union of all times; null, NaN and times that a series
/// lacks are missing. A second value at one time is left out, a problem.
Result<MetricTable> read_metrics_json(std::string_view bytes, ProblemList& problems);

}  // namespace culprit
