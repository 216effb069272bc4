#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "culprit/simulator/replica.h"
#include "culprit/simulator/stack_config.h"

namespace culprit::simulator {

/// What a fault changes outside the replicas' own condition.
struct StackCondition {
    double rate_factor = 1.0;
    double prompt_factor = 1.0;
    double output_factor = 1.0;
    double prefix_hit_factor = 1.0;
    double hot_share = 0.0;            ///< of requests forced onto the target
    double proxy_failure_share = 0.0;  ///< of new requests that die at the proxy
    double proxy_connections = 0.0;    ///< held by somebody else
    double head_slowdown = 1.0;        ///< of the control plane
    double dns_failure_share = 0.0;
};

/// How a replica's host and container look from outside, beyond what follows from its engine.
struct HostCondition {
    double cpu_cores_extra = 0.0;
    double cpu_pressure = 0.0;  ///< seconds waited per second
    double throttled = 0.0;     ///< seconds per second
    double memory_bytes_extra = 0.0;
    double memory_pressure = 0.0;
    double retransmits_per_second = 0.0;
    double disk_busy = 0.0;
    double disk_write_bytes_per_second = 0.0;
    double clock_offset_seconds = 0.0;
};

struct FaultPoint {
    FaultPlan plan;
    double progress_seconds = 0.0;  ///< since the injection
};

/// Sets the conditions at one moment of the fault.
void apply_fault(const FaultPoint& at, const EngineModel& model, Condition& replica,
                 HostCondition& host, StackCondition& stack);

/// True when the fault kills the engine once, at its begin (and again while a crash loop lasts).
bool kills_engine(std::string_view kind);
/// The last Xid that the driver reports during the fault; 0 without one.
double xid_of(std::string_view kind);
/// True when the change comes with a restart of the target.
bool restarts_target(std::string_view kind);
/// Components to blame; empty when only the load changed.
std::vector<std::string> blamed(const FaultPlan& plan, const std::string& target);
/// Log lines that the fault prints at its begin: (component, line); "TARGET" is replaced.
struct FaultLine {
    std::string component;
    std::string text;
    int count = 1;
};
std::vector<FaultLine> fault_lines(const FaultPlan& plan, const std::string& target);

}  // namespace culprit::simulator
