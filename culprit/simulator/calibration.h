#pragma once

#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/frame/frame.h"
#include "culprit/simulator/stack_config.h"

namespace culprit::simulator {

/// Where a stack of engines stands over a stretch of time: its load and how it fares. Means over
/// the engines.
struct OperatingPoint {
    // The load.
    double requests_per_second = 0;  ///< all engines together
    double prompt_tokens = 0;
    double output_tokens = 0;
    double prefix_hit_ratio = 0;
    // How it fares.
    double first_token_seconds = 0;  ///< in the engine: queue and prefill
    double token_gap_seconds = 0;
    double request_seconds = 0;
    double queue_seconds = 0;
    double running = 0;
    double kv_usage = 0;
    double utilisation = 0;  ///< of the accelerators, 0..1
};

/// What is compared: the fields of an OperatingPoint that are not its load.
struct Quantity {
    const char* name;
    const char* unit;
    double OperatingPoint::*value;
};
std::vector<Quantity> compared_quantities();

/// The operating point of a recorded window: `recorded` has the columns of the testbed's data.csv
/// (rates, means and gauges by row); rows in `range` count, missing values are left out. Rates
/// weigh the means. missing_input when no engine column is there.
Result<OperatingPoint> recorded_point(const Frame& recorded, TimeRange range);

/// The mean of several, each weighed by its requests; gauges by time.
OperatingPoint mean_point(const std::vector<OperatingPoint>& points);

/// The engine that the local testbed emulates: a step takes 12 ms, 0.15 ms per prompt token, 1.5 ms
/// per sequence and 1 us per resident KV token, all divided by the clock ratio (testbed/device.py),
/// plus what vLLM spends between two steps and in its front end. Those two, 2.6 ms and 6.4 ms, were
/// read off the dev windows' baselines of the recorded dataset (decoding gap, first token).
EngineModel testbed_engine();

/// Simulates the stack of the local testbed under the load of `recorded` for `seconds` and returns
/// where it stands.
Result<OperatingPoint> simulated_point(const OperatingPoint& recorded, double seconds,
                                       std::uint64_t seed);

}  // namespace culprit::simulator
