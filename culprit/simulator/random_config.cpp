#include <algorithm>
#include <cmath>

#include "culprit/base/random.h"
#include "culprit/simulator/stack_config.h"

namespace culprit::simulator {

void StackConfig::resize(int replicas) {
    load.requests_per_second *= static_cast<double>(replicas) / static_cast<double>(num_replicas);
    num_replicas = replicas;
    fault.target %= replicas;
}

StackConfig random_config(const std::string& kind, std::uint64_t seed) {
    Random random(derive_seed(seed, "configuration/" + kind));
    const auto uniform = [&](double low, double high) {
        return low + random.uniform() * (high - low);
    };
    StackConfig config;
    config.seed = derive_seed(seed, "run/" + kind);
    config.num_replicas = 3 + static_cast<int>(random.below(6));
    config.replicas_per_node = random.uniform() < 0.7 ? 1 : 2;
    config.router = static_cast<RouterPolicy>(random.below(3));
    config.load.interarrival_shape = random.uniform() < 0.3 ? 50.0 : uniform(0.5, 1.5);
    config.load.prompt_tokens_mean = uniform(128.0, 1500.0);
    config.load.output_tokens_mean = uniform(60.0, 350.0);
    config.load.prompt_tokens_cv = uniform(0.0, 1.0);
    config.load.output_tokens_cv = uniform(0.0, 0.8);
    config.load.prefix_hit_ratio = uniform(0.0, 0.7);
    if (kind == "prefix_cache_miss")
        config.load.prefix_hit_ratio = std::max(0.35, config.load.prefix_hit_ratio);
    EngineModel& engine = config.engine;
    const double size = uniform(0.4, 2.2);  // of the model, relative to 7B
    engine.weight_bytes *= size;
    engine.flops_per_token *= size;
    engine.kv_bytes_per_token *= uniform(0.5, 1.5);
    engine.power_limit_watts = random.uniform() < 0.5 ? 700.0 : 400.0;
    engine.cpu_overhead_seconds = uniform(0.001, 0.004);
    // Utilisation: sequences in flight per replica, by Little's law at about 1.5 base steps/token.
    const double step =
        engine.cpu_overhead_seconds + engine.weight_bytes / engine.bandwidth_bytes_per_second;
    const double in_flight = uniform(4.0, 28.0);
    config.load.requests_per_second =
        in_flight * config.num_replicas / (config.load.output_tokens_mean * step * 1.5);
    engine.kv_tokens =
        static_cast<int>(uniform(3.0, 8.0) * in_flight *
                         (config.load.prompt_tokens_mean + config.load.output_tokens_mean));
    config.fault.kind = kind;
    config.fault.target =
        static_cast<int>(random.below(static_cast<std::size_t>(config.num_replicas)));
    config.fault.intensity = random.uniform();
    config.fault.decoy = random.uniform() < 0.15;
    config.serve_gpu_detail = random.uniform() < 0.6;
    config.mesh = random.uniform() < 0.8;
    return config;
}

}  // namespace culprit::simulator
