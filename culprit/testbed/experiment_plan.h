#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/faults/fault_plan.h"

namespace culprit::testbed {

/// One planned incident.
struct PlannedCase {
    std::string id;     ///< "<target>_<kind>/<n>"; targets of the traffic are called "traffic"
    std::string split;  ///< "dev" or "test", fixed by the plan's seed before anything is recorded
    std::vector<FaultSpec>
        faults;  ///< start times count from the first fault; a decoy starts earlier
    double fault_seconds = 60;
};

/// The background load that runs through a whole experiment: Poisson arrivals whose rate wanders by
/// `wander` around its mean in chunks of 20 s, so that load alone is no sign of a fault.
struct BackgroundLoad {
    double rate_per_s = 2;
    double wander = 0.3;
    int prompt_tokens = 160;
    int output_tokens = 40;
    double length_spread = 0.4;
    int shared_prefix_tokens = 96;
    bool constant = false;  ///< evenly spaced arrivals, as in the study, instead of Poisson's
};

struct ExperimentPlan {
    std::string name = "experiment";
    std::uint64_t seed = 1;
    double warmup_seconds = 20;
    double settle_seconds = 10;     ///< between two cases, not recorded
    double baseline_seconds = 285;  ///< the study's timing
    double fault_seconds = 60;
    double recovery_seconds = 60;
    double grid_seconds = 5;
    double window_seconds = 15;  ///< that rates, means and quantiles look back
    BackgroundLoad load;
    /// In the order of recording: every kind spread evenly over the whole, so that an experiment
    /// that is cut short has some of each; the rest by the seed's chance.
    std::vector<PlannedCase> cases;
};

/// Reads a matrix of faults from YAML:
///
///   name: llm-testbed
///   seed: 7
///   baseline: 45
///   fault: 30
///   load: {rate: 2, prompt: 160}
///   cases:
///   - {kind: cpu_quota, targets: [ray-replicas-0, ray-replicas-1], cores: [0.1, 0.3], repetitions:
///   2}
///   - {kind: gpu_power_cap, targets: [ray-replicas-2], decoy: 12}
///   - {kind: none, repetitions: 10}
///
/// Lists of targets and parameter values are crossed. `decoy: s` puts a harmless reload of the
/// proxy s seconds before the fault. `with: {kind: ..., target: ...}` adds a second fault at the
/// same time. `fault: s` in a row replaces the plan's. Of two consecutive cases of one kind, chance
/// puts one into dev and the other into test.
Result<ExperimentPlan> parse_experiment(std::string_view text);

}  // namespace culprit::testbed
