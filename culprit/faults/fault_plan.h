#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/faults/fault_kinds.h"

namespace culprit {

/// One fault of a plan. Times count from the start of the plan.
struct FaultSpec {
    const FaultKind* kind = nullptr;
    std::string target;  ///< a component; "" for faults of the traffic
    double start_seconds = 0;
    double duration_seconds = 60;
    std::map<std::string, double> parameters;  ///< every parameter of the kind, defaults filled in

    double parameter(std::string_view name) const;
};

struct FaultPlan {
    std::string name;
    std::vector<FaultSpec> faults;  ///< by start time
    double end_seconds() const;
};

/// Reads a plan from YAML or JSON:
///
///   name: slow-replica
///   faults:
///   - {kind: cpu_quota, target: ray-replicas-1, start: 60, duration: 45, cores: 0.25}
///
/// Durations are seconds, or text with the unit s, ms or m ("1.5m"). malformed_data names the line;
/// unknown keys, kinds and values outside a parameter's range are refused.
Result<FaultPlan> parse_fault_plan(std::string_view text);

/// A single fault with defaults and `values` over them, checked like a plan's.
Result<FaultSpec> make_fault(std::string_view kind, const std::string& target,
                             const std::map<std::string, double>& values = {});

}  // namespace culprit
