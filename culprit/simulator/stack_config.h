#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace culprit::simulator {

/// How fast one engine replica is: a roofline over weights, KV cache and arithmetic.
///
///   step = cpu_overhead * cpu_slowdown
///        + max(memory, arithmetic)
///   memory = (weight_bytes + kv_bytes_per_token * context tokens) / bandwidth
///            * (1 - clock_share + clock_share / clock)
///   arithmetic = (flops_per_token * tokens / peak_flops + sequence_seconds * sequences) / clock
///
/// with `clock` relative to the highest; memory and arithmetic add up where parts do not overlap.
/// Decoding is bound by memory, which follows the SM clock only partly; prefill is bound by
/// arithmetic. Defaults: a 7B model in 16 bit on one H100-class
/// card (published bandwidth and peak, 70 % and 60 % of them attained).
struct EngineModel {
    double weight_bytes = 14e9;
    double kv_bytes_per_token = 131072.0;
    double bandwidth_bytes_per_second = 3.35e12 * 0.7;
    double flops_per_token = 14e9;
    double peak_flops_per_second = 989e12 * 0.6;
    double clock_share = 0.6;     ///< of the memory's time that follows the clock
    double sequence_seconds = 0;  ///< per sequence of the step
    bool parts_overlap = true;    ///< false: memory and arithmetic one after the other
    double cpu_overhead_seconds = 0.002;
    double frontend_seconds = 0.002;  ///< of a request before its tokens are counted
    double tokenizer_seconds_per_token = 4e-6;
    int max_num_seqs = 128;
    int batched_tokens_max = 2048;  ///< chunked prefill budget per step
    int kv_tokens = 120000;         ///< capacity of the KV cache
    int block_tokens = 16;
    double clock_mhz = 1980.0;
    double power_limit_watts = 700.0;
    double idle_watts = 95.0;
    double memory_mib = 81559.0;
};

/// Arrivals and lengths. Gamma interarrival times: shape 1 is Poisson, larger is more regular.
struct LoadModel {
    double requests_per_second = 5.0;
    double interarrival_shape = 1.0;
    double prompt_tokens_mean = 512.0;
    double prompt_tokens_cv = 0.3;
    double output_tokens_mean = 256.0;
    double output_tokens_cv = 0.3;
    double prefix_hit_ratio = 0.3;
};

enum class RouterPolicy : std::uint8_t { least_loaded, round_robin, random };

/// What one run does wrong, if anything.
struct FaultPlan {
    std::string kind = "none";  ///< id of a fault signature, or "none"
    int target = 0;             ///< replica
    double intensity = 0.5;     ///< 0..1, from hardly to badly
    bool decoy = false;         ///< a harmless rollout of another replica shortly before
};

struct StackConfig {
    int num_replicas = 4;
    int replicas_per_node = 1;
    RouterPolicy router = RouterPolicy::least_loaded;
    EngineModel engine;
    LoadModel load;
    FaultPlan fault;
    double load_factor = 1.0;  ///< on the arrivals while the fault lasts, whatever it is
    double warm_up_seconds = 60.0;
    double baseline_seconds = 285.0;
    double fault_seconds = 60.0;
    double after_seconds = 15.0;
    double scrape_seconds = 5.0;
    double alert_delay_seconds = 0.0;
    bool serve_gpu_detail = true;  ///< counters that a stock DCGM exporter leaves out
    bool mesh = true;              ///< a service mesh measures the path to each replica
    std::uint64_t seed = 1;

    /// Another number of replicas, each under the same load as before.
    void resize(int replicas);
};

/// Every fault kind that the simulator can make, "none" first.
std::vector<std::string> fault_kinds();

/// A configuration drawn from one seed: sizes, lengths, load, hardware, policies, intensity,
/// target. `kind` is one of fault_kinds().
StackConfig random_config(const std::string& kind, std::uint64_t seed);

}  // namespace culprit::simulator
