#include "culprit/simulator/replica.h"

#include <algorithm>
#include <cmath>

namespace culprit::simulator {
namespace {

int blocks_tokens(int tokens, int block) { return (tokens + block - 1) / block * block; }

constexpr double ambient_celsius = 32.0;
constexpr double celsius_per_watt = 0.065;
constexpr double thermal_seconds = 25.0;   // first order lag of a heat sink
constexpr double slowdown_celsius = 87.0;  // cards begin to slow down between 83 and 90
constexpr double bytes_per_token = 180.0;  // one streamed chunk with its envelope

}  // namespace

int Replica::kv_capacity() const {
    return static_cast<int>(static_cast<double>(model_.kv_tokens) * condition.kv_share);
}

int Replica::kv_used() const {
    int used = 0;
    for (const Request& r : running_) used += blocks_tokens(r.context(), model_.block_tokens);
    return used;
}

double Replica::kv_usage() const {
    return std::min(1.0, static_cast<double>(kv_used()) / std::max(1, kv_capacity()));
}

bool Replica::admit(double now) {
    if (waiting_.empty()) return false;
    const auto limit =
        static_cast<std::size_t>(std::min(model_.max_num_seqs, condition.max_num_seqs));
    if (running_.size() >= limit) return false;
    Request& next = waiting_.front();
    const int needed = blocks_tokens(next.prompt_tokens + next.produced, model_.block_tokens);
    const int keep = kv_capacity() / 100;  // watermark: one percent stays free for growth
    if (!running_.empty() && kv_used() + needed > kv_capacity() - keep) return false;
    if (next.first_scheduled < 0.0) {
        next.first_scheduled = now;
        queue_time.add(now - next.queued);
    }
    next.prefilled = std::min(next.cached_tokens, next.prompt_tokens - 1);
    running_.push_back(next);
    waiting_.pop_front();
    return true;
}

void Replica::preempt() {
    Request victim = running_.back();
    running_.pop_back();
    // Recomputation: its tokens so far become prompt.
    victim.prompt_tokens += victim.produced;
    victim.output_tokens -= victim.produced;
    victim.produced = 0;
    victim.prefilled = 0;
    victim.cached_tokens = 0;
    preemptions += 1.0;
    waiting_.push_front(victim);
}

void Replica::finish(std::size_t index, double end) {
    const Request& r = running_[index];
    e2e.add(end - r.server_arrival);
    output_length.add(r.output_tokens);
    completed += 1.0;
    running_[index] = running_.back();
    running_.pop_back();
}

double Replica::step(double now) {
    if (condition.hung || condition.down) return 0.0;
    for (auto late = waiting_.rbegin(); late != waiting_.rend() && late->queued < 0.0; ++late)
        late->queued = now;
    while (admit(now)) {
    }
    if (running_.empty()) return 0.0;
    int budget = model_.batched_tokens_max;
    int decode = 0;
    double context = 0.0;
    for (const Request& r : running_)
        if (r.prefilled >= r.prompt_tokens) {
            ++decode;
            --budget;
            context += r.context();
        }
    int prefill = 0;
    for (Request& r : running_) {
        if (r.prefilled >= r.prompt_tokens || budget <= 0) continue;
        const int chunk = std::min(budget, r.prompt_tokens - r.prefilled);
        r.prefilled += chunk;
        prefill += chunk;
        budget -= chunk;
        context += r.prefilled;
    }
    const double memory = (model_.weight_bytes + model_.kv_bytes_per_token * context) /
                          (model_.bandwidth_bytes_per_second * condition.bandwidth_share) *
                          (1.0 - model_.clock_share + model_.clock_share / clock);
    const double compute = (model_.flops_per_token * (decode + prefill) /
                                (model_.peak_flops_per_second * condition.bandwidth_share) +
                            model_.sequence_seconds * static_cast<double>(running_.size())) /
                           clock;
    const double cpu = model_.cpu_overhead_seconds * condition.cpu_slowdown *
                       (0.9 + 0.2 * random_.uniform()) *
                       (condition.cpu_slowdown > 1.0 ? 0.5 + random_.exponential() * 0.5 : 1.0);
    const double gpu = (model_.parts_overlap ? std::max(memory, compute) : memory + compute) *
                       condition.step_slowdown * (0.98 + 0.04 * random_.uniform());
    const double duration = cpu + gpu;
    busy_seconds_ += gpu;
    dram_seconds_ += gpu * std::min(1.0, memory / std::max(memory, compute));
    cpu_seconds += duration * 0.9;
    const double end = now + duration;
    iteration_tokens.add(decode + prefill);
    computed_tokens += prefill;

    for (std::size_t i = 0; i < running_.size();) {
        Request& r = running_[i];
        if (r.prefilled < r.prompt_tokens) {
            ++i;
            continue;
        }
        if (r.produced == 0 && r.prefill_done < 0.0) {
            r.prefill_done = end;
            ttft.add(end - r.server_arrival);
            prefill_time.add(end - r.first_scheduled);
        } else {
            itl.add(duration);
        }
        ++r.produced;
        generation_tokens += 1.0;
        transmitted_bytes += bytes_per_token;
        if (r.produced >= r.output_tokens)
            finish(i, end);
        else
            ++i;
    }
    while (running_.size() > 1 && kv_used() > kv_capacity()) preempt();
    return duration;
}

std::size_t Replica::lose_all() {
    const std::size_t lost = running_.size() + waiting_.size();
    running_.clear();
    waiting_.clear();
    errors += static_cast<double>(lost);
    return lost;
}

void Replica::settle_gpu(double dt) {
    const double busy = std::min(1.0, busy_seconds_ / dt);
    const double foreign = 1.0 - condition.bandwidth_share;
    busy_fraction = condition.down ? 0.0 : std::min(1.0, busy + foreign);
    dram_fraction = condition.down
                        ? 0.0
                        : std::min(1.0, 0.75 * std::min(1.0, dram_seconds_ / dt) + 0.6 * foreign);
    busy_seconds_ = dram_seconds_ = 0.0;
    // Power at the full clock, then the clock that the limits allow: power falls with its 2.4th
    // power between the clocks that cards use.
    const double dynamic = (model_.power_limit_watts * 0.85 - model_.idle_watts) *
                               std::min(1.0, 0.25 + 0.75 * busy) * (busy > 0.0 ? 1.0 : 0.0) +
                           220.0 * foreign;
    const double limit = std::min(model_.power_limit_watts, condition.power_cap_watts);
    double wanted = condition.clock;
    if (celsius > slowdown_celsius) {
        wanted *= std::max(0.35, 1.0 - 0.06 * (celsius - slowdown_celsius));
        thermal_violation_ns += dt * 1e9 * (1.0 - wanted);
    }
    const double available = std::max(20.0, limit - model_.idle_watts);
    const double capped =
        dynamic > 0.0 ? std::pow(std::min(1.0, available / dynamic), 1.0 / 2.4) : 1.0;
    if (capped < wanted) power_violation_ns += dt * 1e9 * (wanted - capped);
    clock = std::clamp(std::min(wanted, capped), 0.15, 1.0);
    power_watts = model_.idle_watts + dynamic * std::pow(clock, 2.4) + random_.normal() * 4.0;
    const double target = ambient_celsius + celsius_per_watt * power_watts + condition.heat_celsius;
    celsius +=
        (target - celsius) * (1.0 - std::exp(-dt / thermal_seconds)) + random_.normal() * 0.3;
}

}  // namespace culprit::simulator
