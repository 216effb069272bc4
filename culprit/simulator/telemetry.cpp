#include "culprit/simulator/telemetry.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/check.h"

namespace culprit::simulator {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

void put_tally(Scraper& s, const std::string& name, const char* sum, const char* count,
               const Tally& tally, double scale = 1.0) {
    s.put(name, sum, tally.sum * scale);
    s.put(name, count, tally.count);
}

void scrape_engine(Scraper& s, const std::string& name, const Replica& r) {
    // A dead engine exports nothing; a hung one still answers.
    const bool gone = r.condition.down;
    const auto v = [&](double x) { return gone ? nan_value : x; };
    s.put(name, "vllm:num_requests_running", v(static_cast<double>(r.running())));
    s.put(name, "vllm:num_requests_waiting", v(static_cast<double>(r.waiting())));
    s.put(name, "vllm:kv_cache_usage_perc", v(r.kv_usage()), "1");
    s.put(name, "vllm:num_preemptions_total", v(r.preemptions));
    s.put(name, "vllm:prompt_tokens_total", v(r.prompt_tokens));
    s.put(name, "vllm:generation_tokens_total", v(r.generation_tokens));
    s.put(name, "vllm:prefix_cache_queries_total", v(r.prefix_queries));
    s.put(name, "vllm:prefix_cache_hits_total", v(r.prefix_hits));
    s.put(name, "vllm:request_success_total", v(r.completed));
    if (gone) {
        Tally none{.count = nan_value, .sum = nan_value};
        for (const char* histogram :
             {"vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds",
              "vllm:e2e_request_latency_seconds", "vllm:request_queue_time_seconds",
              "vllm:request_prefill_time_seconds", "vllm:request_prompt_tokens",
              "vllm:request_generation_tokens", "vllm:iteration_tokens_total"})
            put_tally(s, name, (std::string(histogram) + "_sum").c_str(),
                      (std::string(histogram) + "_count").c_str(), none);
    } else {
        put_tally(s, name, "vllm:time_to_first_token_seconds_sum",
                  "vllm:time_to_first_token_seconds_count", r.ttft);
        put_tally(s, name, "vllm:inter_token_latency_seconds_sum",
                  "vllm:inter_token_latency_seconds_count", r.itl);
        put_tally(s, name, "vllm:e2e_request_latency_seconds_sum",
                  "vllm:e2e_request_latency_seconds_count", r.e2e);
        put_tally(s, name, "vllm:request_queue_time_seconds_sum",
                  "vllm:request_queue_time_seconds_count", r.queue_time);
        put_tally(s, name, "vllm:request_prefill_time_seconds_sum",
                  "vllm:request_prefill_time_seconds_count", r.prefill_time);
        put_tally(s, name, "vllm:request_prompt_tokens_sum", "vllm:request_prompt_tokens_count",
                  r.prompt_length);
        put_tally(s, name, "vllm:request_generation_tokens_sum",
                  "vllm:request_generation_tokens_count", r.output_length);
        put_tally(s, name, "vllm:iteration_tokens_total_sum", "vllm:iteration_tokens_total_count",
                  r.iteration_tokens);
    }
    s.put(name, "process_cpu_seconds_total", v(r.cpu_seconds));
    s.put(name, "up", gone ? 0.0 : 1.0);
}

void scrape_gpu(Scraper& s, const ScrapeContext& c, const std::string& name,
                const EngineModel& model, const Replica& r) {
    s.put(name, "DCGM_FI_DEV_GPU_UTIL", std::round(100.0 * r.busy_fraction), "%");
    s.put(name, "DCGM_FI_PROF_DRAM_ACTIVE", r.dram_fraction, "1");
    s.put(name, "DCGM_FI_DEV_POWER_USAGE", r.power_watts, "W");
    s.put(name, "DCGM_FI_DEV_SM_CLOCK", std::round(r.clock * model.clock_mhz / 15.0) * 15.0, "MHz");
    s.put(name, "DCGM_FI_DEV_GPU_TEMP", std::round(r.celsius), "Cel");
    const double held = model.memory_mib * 0.9;
    s.put(name, "DCGM_FI_DEV_FB_USED",
          (r.condition.down ? 500.0 : held) + r.condition.neighbour_mib, "MiBy");
    s.put(name, "DCGM_FI_DEV_XID_ERRORS", r.condition.xid);
    if (!c.gpu_detail) return;
    s.put(name, "DCGM_FI_DEV_ENFORCED_POWER_LIMIT",
          std::min(model.power_limit_watts, r.condition.power_cap_watts), "W");
    s.put(name, "DCGM_FI_DEV_POWER_VIOLATION", r.power_violation_ns, "ns");
    s.put(name, "DCGM_FI_DEV_THERMAL_VIOLATION", r.thermal_violation_ns, "ns");
}

}  // namespace

void Scraper::begin_row(TimePoint at) {
    times_.push_back(at);
    rows_.emplace_back();
    rows_.back().reserve(columns_.size());
    next_ = 0;
}

void Scraper::put(const std::string& component, const char* metric, double value,
                  const char* unit) {
    if (times_.size() == 1)
        columns_.push_back({.name = component + "_" + metric,
                            .service = component,
                            .metric = metric,
                            .unit = unit,
                            .labels = {{"pod", component}}});
    CULPRIT_CHECK(next_ < columns_.size());  // every scrape puts the same columns
    rows_.back().push_back(value);
    ++next_;
}

Result<Frame> Scraper::take() {
    Matrix values(rows_.size(), columns_.size());
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        CULPRIT_CHECK(rows_[r].size() == columns_.size());
        for (std::size_t c = 0; c < columns_.size(); ++c) values(r, c) = rows_[r][c];
    }
    return Frame::make(std::move(times_), std::move(columns_), std::move(values));
}

void scrape_replica(Scraper& s, const ScrapeContext& c, const std::string& name,
                    const EngineModel& model, const Replica& r, const HostState& host,
                    const HostCondition& condition) {
    const auto jitter = [&](double share) { return 1.0 + share * c.noise->normal(); };
    scrape_engine(s, name, r);
    scrape_gpu(s, c, name, model, r);
    s.put(name, "container_cpu_usage_seconds_total", host.cpu_seconds, "s");
    s.put(name, "container_cpu_cfs_throttled_seconds_total", host.throttled_seconds, "s");
    s.put(name, "container_cpu_cfs_throttled_periods_total", host.throttled_periods);
    const double memory = host.base_memory_bytes * (r.condition.down ? 0.1 : 1.0) * jitter(0.002) +
                          condition.memory_bytes_extra;
    s.put(name, "container_memory_working_set_bytes", memory, "By");
    s.put(name, "container_memory_rss", memory * 0.93, "By");
    s.put(name, "container_oom_events_total", host.oom_kills);
    s.put(name, "container_network_transmit_bytes_total", r.transmitted_bytes, "By");
    s.put(name, "container_start_time_seconds", host.start_time, "s");
    s.put(name, "node_cpu_seconds_total", host.node_cpu_seconds, "s");
    s.put(name, "node_load1", host.load1 * jitter(0.02));
    s.put(name, "node_pressure_cpu_waiting_seconds_total", host.pressure_seconds, "s");
    s.put(name, "node_pressure_memory_stalled_seconds_total", host.memory_pressure_seconds, "s");
    s.put(name, "node_memory_MemAvailable_bytes", 64e9 - memory, "By");
    s.put(name, "node_netstat_Tcp_RetransSegs", host.retransmits);
    s.put(name, "node_disk_io_time_seconds_total", host.disk_busy_seconds, "s");
    s.put(name, "node_disk_written_bytes_total", host.disk_written_bytes, "By");
    s.put(name, "ray_serve_deployment_request_counter_total", r.routed);
    s.put(name, "ray_serve_deployment_error_counter_total", r.errors);
    s.put(name, "ray_serve_num_ongoing_requests_at_replicas", static_cast<double>(r.load()));
    s.put(name, "ray_serve_deployment_replica_healthy", r.condition.down ? 0.0 : 1.0);
    s.put(name, "ray_serve_deployment_replica_starts_total", r.starts);
    s.put(name, "scrape_duration_seconds",
          0.004 * std::abs(jitter(0.1)) + 2.0 * r.condition.path_delay_seconds, "s");
    if (c.mesh)
        put_tally(s, name, "istio_request_duration_milliseconds_sum",
                  "istio_request_duration_milliseconds_count", r.path, 1000.0);
}

void scrape_edges(Scraper& s, const ScrapeContext& c, const EdgeCounters& proxy,
                  const EdgeCounters& head) {
    s.put("nginx-proxy", "nginx_http_requests_total", proxy.requests);
    s.put("nginx-proxy", "nginx_connections_accepted", proxy.accepted);
    s.put("nginx-proxy", "nginx_connections_active", proxy.active);
    s.put("nginx-proxy", "nginx_up", 1.0);
    s.put("nginx-proxy", "container_cpu_usage_seconds_total",
          proxy.requests * 0.002 + c.unix_seconds * 0.01);
    s.put("nginx-proxy", "container_memory_working_set_bytes",
          5e7 * (1.0 + 0.002 * c.noise->normal()), "By");
    s.put("ray-head", "ray_serve_num_http_requests_total", head.requests);
    s.put("ray-head", "ray_serve_num_http_error_requests_total", head.failed);
    s.put("ray-head", "ray_serve_num_router_requests_total", head.routed);
    s.put("ray-head", "ray_serve_num_ongoing_http_requests", head.ongoing);
    put_tally(s, "ray-head", "ray_health_check_rpc_latency_ms_sum",
              "ray_health_check_rpc_latency_ms_count", head.health_check_ms);
    s.put("ray-head", "container_cpu_usage_seconds_total",
          head.requests * 0.004 + c.unix_seconds * 0.08);
    s.put("ray-head", "container_memory_working_set_bytes",
          2.1e9 * (1.0 + 0.002 * c.noise->normal()), "By");
}

}  // namespace culprit::simulator
