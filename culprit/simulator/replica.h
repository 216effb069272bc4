#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "culprit/base/random.h"
#include "culprit/simulator/stack_config.h"

namespace culprit::simulator {

struct Request {
    double arrival = 0.0;         ///< at the proxy, seconds
    double server_arrival = 0.0;  ///< at the engine's API server, before the tokenizer
    double engine_arrival = 0.0;  ///< in the engine's queue
    double queued = -1.0;         ///< seen by the scheduler, which looks between two steps
    double first_scheduled = -1.0;
    double prefill_done = -1.0;
    int prompt_tokens = 0;
    int cached_tokens = 0;
    int output_tokens = 0;
    int prefilled = 0;
    int produced = 0;
    int context() const { return prefilled + produced; }
};

/// Count and sum of a histogram, as Prometheus keeps them.
struct Tally {
    double count = 0.0;
    double sum = 0.0;
    void add(double x) {
        count += 1.0;
        sum += x;
    }
};

/// What a fault changes about one replica. Neutral by default.
struct Condition {
    double cpu_slowdown = 1.0;
    double step_slowdown = 1.0;    ///< unexplained slowness of the engine
    double bandwidth_share = 1.0;  ///< of the GPU's memory, left by a neighbour
    double clock = 1.0;            ///< relative, forced from outside
    double power_cap_watts = 1e9;
    double heat_celsius = 0.0;  ///< added to the temperature's target
    double path_delay_seconds = 0.0;
    double path_jitter_seconds = 0.0;
    double tokenizer_slowdown = 1.0;
    double kv_share = 1.0;
    int max_num_seqs = 1 << 30;
    bool hung = false;
    bool down = false;
    double down_until = 0.0;
    double neighbour_mib = 0.0;
    double xid = 0.0;
};

/// One engine: queue, continuous batching with chunked prefill, KV blocks with preemption by
/// recomputation, and the GPU under it.
class Replica {
public:
    Replica(const EngineModel& model, std::uint64_t seed) : model_(model), random_(seed) {}

    void enqueue(Request request) { waiting_.push_back(request); }
    /// Runs one step that begins at `now`; returns its duration, 0 when there is nothing to do.
    double step(double now);
    /// Drops everything in flight; returns how many requests were lost.
    std::size_t lose_all();
    /// Updates clock, power and temperature over `dt` seconds of wall time.
    void settle_gpu(double dt);

    std::size_t running() const { return running_.size(); }
    std::size_t waiting() const { return waiting_.size(); }
    std::size_t load() const { return running_.size() + waiting_.size() + in_transit; }
    double kv_usage() const;

    Condition condition;
    std::size_t in_transit = 0;  ///< routed here, not yet in the queue
    bool scheduled = false;      ///< a step event is pending

    // Counters since the start.
    Tally ttft, itl, e2e, queue_time, prefill_time, prompt_length, output_length, iteration_tokens;
    Tally frontend, path;
    double prompt_tokens = 0.0, generation_tokens = 0.0, computed_tokens = 0.0;
    double prefix_queries = 0.0, prefix_hits = 0.0;
    double preemptions = 0.0, completed = 0.0, aborted = 0.0, routed = 0.0, errors = 0.0;
    double starts = 0.0;
    double cpu_seconds = 0.0;
    double transmitted_bytes = 0.0;
    double power_violation_ns = 0.0, thermal_violation_ns = 0.0;

    // GPU state.
    double clock = 1.0;
    double power_watts = 100.0;
    double celsius = 40.0;
    double busy_fraction = 0.0;
    double dram_fraction = 0.0;

private:
    bool admit(double now);
    void preempt();
    int kv_capacity() const;
    int kv_used() const;
    void finish(std::size_t index, double end);

    const EngineModel model_;
    Random random_;
    std::deque<Request> waiting_;
    std::vector<Request> running_;
    double busy_seconds_ = 0.0;
    double dram_seconds_ = 0.0;
};

}  // namespace culprit::simulator
