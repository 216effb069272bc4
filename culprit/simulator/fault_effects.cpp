#include "culprit/simulator/fault_effects.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace culprit::simulator {
namespace {

// Kinds are ids of the shipped fault signatures. The effects are what each fault does to the
// machine, not what its signature expects: the signals follow from the model.
constexpr std::array kinds = {"none",
                              "cpu_contention",
                              "cpu_throttling",
                              "memory_pressure",
                              "network_delay",
                              "packet_loss",
                              "gpu_power_cap",
                              "gpu_thermal",
                              "clock_lock",
                              "gpu_neighbour",
                              "straggler",
                              "kv_exhaustion",
                              "batch_limit",
                              "engine_hang",
                              "engine_dead",
                              "crash_loop",
                              "replica_oom",
                              "tokenizer_cpu",
                              "storage_slow",
                              "gpu_off_bus",
                              "gpu_ecc",
                              "cuda_oom",
                              "slow_weight_load",
                              "eager_fallback",
                              "router_imbalance",
                              "connection_exhaustion",
                              "upstream_resolution",
                              "control_plane",
                              "prefix_cache_miss",
                              "traffic_burst",
                              "traffic_drop",
                              "long_prompts",
                              "long_outputs"};

double between(double intensity, double low, double high) { return low + intensity * (high - low); }

void apply_to_host(const FaultPoint& at, Condition& replica, HostCondition& host) {
    const std::string& kind = at.plan.kind;
    const double x = at.plan.intensity;
    if (kind == "cpu_contention") {
        replica.cpu_slowdown = between(x, 2.5, 8.0);
        replica.tokenizer_slowdown = between(x, 2.0, 6.0);
        host.cpu_cores_extra = between(x, 6.0, 14.0);
        host.cpu_pressure = between(x, 0.3, 0.9);
    } else if (kind == "cpu_throttling") {
        replica.cpu_slowdown = between(x, 2.5, 10.0);
        replica.tokenizer_slowdown = between(x, 2.0, 8.0);
        host.throttled = between(x, 0.3, 0.8);
    } else if (kind == "memory_pressure") {
        host.memory_bytes_extra = between(x, 5e9, 9e9) * std::min(1.0, at.progress_seconds / 5.0);
        host.memory_pressure = x > 0.8 ? 0.1 : 0.0;
    } else if (kind == "replica_oom") {
        host.memory_bytes_extra = 9e9 * std::min(1.0, at.progress_seconds / 15.0);
    } else if (kind == "storage_slow" || kind == "slow_weight_load") {
        host.disk_busy = between(x, 0.7, 0.99);
        host.disk_write_bytes_per_second = kind == "storage_slow" ? between(x, 1e8, 6e8) : 0.0;
    } else if (kind == "network_delay") {
        replica.path_delay_seconds = between(x, 0.2, 1.5);
        replica.path_jitter_seconds = 0.1 * replica.path_delay_seconds;
    } else if (kind == "packet_loss") {
        host.retransmits_per_second = between(x, 30.0, 200.0);
        replica.path_delay_seconds = between(x, 0.05, 0.3);
        replica.path_jitter_seconds = between(x, 0.1, 0.6);
    }
}

void apply_to_gpu(const FaultPoint& at, const EngineModel& model, Condition& replica) {
    const std::string& kind = at.plan.kind;
    const double x = at.plan.intensity;
    if (kind == "gpu_power_cap")
        replica.power_cap_watts = model.power_limit_watts * between(x, 0.5, 0.28);
    if (kind == "gpu_thermal") replica.heat_celsius = between(x, 45.0, 75.0);
    if (kind == "clock_lock") replica.clock = between(x, 0.55, 0.2);
    if (kind == "straggler") replica.step_slowdown = between(x, 1.5, 3.5);
    if (kind == "gpu_neighbour") {
        replica.bandwidth_share = between(x, 0.65, 0.3);
        replica.neighbour_mib = 6000.0 + 4000.0 * x;
    }
    if (kind == "cuda_oom") replica.neighbour_mib = 9000.0;
    if (kind == "kv_exhaustion") replica.kv_share = between(x, 0.12, 0.04);
    if (kind == "batch_limit") replica.max_num_seqs = static_cast<int>(between(x, 6.0, 2.0));
    if (kind == "tokenizer_cpu") replica.tokenizer_slowdown = between(x, 60.0, 300.0);
    if (kind == "engine_hang") replica.hung = true;
    replica.xid = xid_of(kind);
    if (kind == "eager_fallback") replica.cpu_slowdown = between(x, 3.0, 8.0);
}

void apply_to_stack(const FaultPoint& at, StackCondition& stack) {
    const std::string& kind = at.plan.kind;
    const double x = at.plan.intensity;
    if (kind == "router_imbalance") stack.hot_share = between(x, 0.55, 0.95);
    if (kind == "connection_exhaustion") {
        stack.proxy_connections = between(x, 600.0, 1000.0);
        stack.proxy_failure_share = between(x, 0.2, 0.7);
    }
    if (kind == "upstream_resolution") stack.dns_failure_share = between(x, 0.4, 1.0);
    if (kind == "control_plane") stack.head_slowdown = between(x, 20.0, 200.0);
    if (kind == "prefix_cache_miss") stack.prefix_hit_factor = between(x, 0.15, 0.0);
    if (kind == "traffic_burst") stack.rate_factor = between(x, 1.8, 4.0);
    if (kind == "traffic_drop") stack.rate_factor = between(x, 0.5, 0.15);
    if (kind == "long_prompts") stack.prompt_factor = between(x, 2.5, 8.0);
    if (kind == "long_outputs") stack.output_factor = between(x, 1.8, 4.0);
}

}  // namespace

std::vector<std::string> fault_kinds() { return {kinds.begin(), kinds.end()}; }

void apply_fault(const FaultPoint& at, const EngineModel& model, Condition& replica,
                 HostCondition& host, StackCondition& stack) {
    apply_to_host(at, replica, host);
    apply_to_gpu(at, model, replica);
    apply_to_stack(at, stack);
}

bool kills_engine(std::string_view kind) {
    return kind == "engine_dead" || kind == "crash_loop" || kind == "replica_oom" ||
           kind == "gpu_off_bus" || kind == "gpu_ecc" || kind == "cuda_oom" ||
           kind == "slow_weight_load";
}

double xid_of(std::string_view kind) {
    if (kind == "gpu_off_bus") return 79.0;
    return kind == "gpu_ecc" ? 48.0 : 0.0;
}

bool restarts_target(std::string_view kind) {
    return kind == "eager_fallback" || kind == "batch_limit";
}

std::vector<std::string> blamed(const FaultPlan& plan, const std::string& target) {
    const std::string& k = plan.kind;
    if (k == "none" || k == "traffic_burst" || k == "traffic_drop" || k == "long_prompts" ||
        k == "long_outputs" || k == "prefix_cache_miss")
        return {};
    if (k == "router_imbalance" || k == "control_plane") return {"ray-head"};
    if (k == "connection_exhaustion" || k == "upstream_resolution") return {"nginx-proxy"};
    return {target};
}

std::vector<FaultLine> fault_lines(const FaultPlan& plan, const std::string& target) {
    const std::string& k = plan.kind;
    if (k == "gpu_off_bus")
        return {
            {target, "NVRM: Xid (PCI:0000:65:00): 79, pid=4711, GPU has fallen off the bus."},
            {target, "EngineCore encountered an issue. See stack trace for the root cause.", 2}};
    if (k == "gpu_ecc")
        return {{target, "NVRM: Xid (PCI:0000:65:00): 48, pid=4711, DBE (double bit error) ECC"},
                {target, "EngineDeadError: EngineCore encountered an issue.", 2}};
    if (k == "cuda_oom")
        return {
            {target, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", 3}};
    if (k == "engine_dead")
        return {{target, "EngineDeadError: EngineCore encountered an issue.", 4}};
    if (k == "replica_oom")
        return {{target, "Memory cgroup out of memory: Killed process 4711 (VLLM::EngineCor)"}};
    if (k == "crash_loop")
        return {{target, "ray.exceptions.ActorDiedError: The actor died unexpectedly", 3}};
    if (k == "upstream_resolution")
        return {{"nginx-proxy", "[error] ray-serve could not be resolved (3: Host not found)", 40}};
    if (k == "connection_exhaustion")
        return {{"nginx-proxy", "[alert] 1024 worker_connections are not enough", 40}};
    if (k == "slow_weight_load")
        return {{"ray-head",
                 "Deployment 'llm' has 1 replicas that have taken more than 30s to initialize.",
                 2}};
    return {};
}

}  // namespace culprit::simulator
