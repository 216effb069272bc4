#include "culprit/tailored/signal_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace culprit::tailored {
namespace {

using Words = std::unordered_map<std::string_view, std::string_view>;

// Every signal that a signature of data/faults names has its words here; a test says which has not.
// NOLINTNEXTLINE(readability-function-size): a table, one signal a line
const Words& words() {
    static const Words known = {
        {"engine.itl", "inter-token latency"},
        {"engine.ttft", "time to first token"},
        {"engine.e2e", "request latency"},
        {"engine.running", "running requests"},
        {"engine.waiting", "waiting requests"},
        {"engine.kv_usage", "KV cache use"},
        {"engine.kv_full", "KV cache full"},
        {"engine.kv_per_request", "KV cache in use per request"},
        {"engine.stalled", "requests inside, no token made"},
        {"replica.repeated_starts", "started again more than once"},
        {"engine.preemptions", "preemptions"},
        {"engine.generation_tokens", "generated tokens"},
        {"engine.prompt_tokens", "prompt tokens"},
        {"engine.prompt_length", "prompt length"},
        {"engine.output_length", "output length"},
        {"engine.prefix_hit_ratio", "prefix cache hits"},
        {"engine.prefix_hits", "tokens found in the prefix cache"},
        {"engine.prefix_queries", "tokens looked up in the prefix cache"},
        {"engine.queue_time", "queue time"},
        {"engine.queue_share", "share of time spent in the queue"},
        {"engine.prefill_time", "prefill time"},
        {"engine.prefill_miss_share", "share of prompt tokens computed anew"},
        {"engine.tokenize_time", "time in the tokenizer"},
        {"engine.decode_time", "decode time"},
        {"engine.frontend_residual", "time before the queue (tokenizer, API server)"},
        {"engine.client_residual", "time between client and engine"},
        {"engine.path_residual", "time on the way (outside the engine)"},
        {"engine.path_floor", "time on the way, fastest of eight requests"},
        {"engine.completed", "requests completed"},
        {"engine.aborted", "requests aborted"},
        {"engine.lost_requests", "requests lost on the way"},
        {"engine.iteration_tokens", "tokens per step"},
        {"engine.configuration_change", "change of the engine's settings"},
        {"engine.energy_efficiency", "tokens per joule"},
        {"engine.work_efficiency", "tokens per second of GPU work"},
        {"engine.replica_skew", "difference between the replicas"},
        {"engine.step_slowdown", "step time against the siblings"},
        {"gpu.sm_clock", "SM clock"},
        {"gpu.memory_clock", "GPU memory clock"},
        {"gpu.clock_spread", "spread of the clocks"},
        {"gpu.clock_event_reasons", "clock held by some reason"},
        {"gpu.event_power_cap", "clock held by the power cap"},
        {"gpu.event_thermal", "clock held by heat"},
        {"gpu.event_power_brake", "clock held by the power brake"},
        {"gpu.power", "GPU power"},
        {"gpu.power_limit", "GPU power limit"},
        {"gpu.power_limit_requested", "GPU power limit as requested"},
        {"gpu.power_headroom", "GPU power below its limit"},
        {"gpu.temperature", "GPU temperature"},
        {"gpu.memory_temperature", "GPU memory temperature"},
        {"gpu.thermal_headroom", "GPU temperature below its limit"},
        {"gpu.utilization", "GPU utilisation"},
        {"gpu.dram_active", "GPU memory activity"},
        {"gpu.memory_used", "GPU memory used"},
        {"gpu.memory_free", "GPU memory free"},
        {"gpu.spin", "GPU spins without working"},
        {"gpu.starvation", "GPU waits for work"},
        {"gpu.xid", "GPU error (Xid)"},
        {"DCGM_FI_DEV_POWER_VIOLATION", "held by the power limit"},
        {"DCGM_FI_DEV_THERMAL_VIOLATION", "held back by heat"},
        {"DCGM_FI_DEV_BOARD_LIMIT_VIOLATION", "held back by the board's limit"},
        {"DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
         "GPU memory rows remapped after correctable errors"},
        {"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
         "GPU memory rows remapped after uncorrectable errors"},
        {"DCGM_FI_DEV_ROW_REMAP_FAILURE", "GPU memory row remap failed"},
        {"DCGM_FI_DEV_ROW_REMAP_PENDING", "GPU memory row remap pending"},
        {"DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "double-bit memory errors, lifetime"},
        {"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "double-bit memory errors"},
        {"DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", "NVLink data CRC errors"},
        {"DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "NVLink flit CRC errors"},
        {"DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", "NVLink recoveries"},
        {"DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", "NVLink replays"},
        {"DCGM_FI_DEV_PCIE_LINK_GEN", "PCIe generation"},
        {"DCGM_FI_DEV_PCIE_LINK_WIDTH", "PCIe lanes"},
        {"DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "PCIe replays"},
        {"DCGM_FI_PROF_NVLINK_TX_BYTES", "NVLink sent"},
        {"DCGM_FI_PROF_PCIE_RX_BYTES", "PCIe received"},
        {"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "tensor cores active"},
        {"DCGM_FI_PROF_SM_ACTIVE", "SMs active"},
        {"certmanager_certificate_expiration_timestamp_seconds", "expiry of the certificate"},
        {"container_cpu_usage_seconds_total", "CPU used"},
        {"container_cpu_cfs_throttled_seconds_total", "CPU throttled"},
        {"container_cpu_cfs_throttled_periods_total", "periods with the CPU throttled"},
        {"container_cpu_schedstat_runqueue_seconds_total", "container waits for a CPU"},
        {"container_file_descriptors", "open files"},
        {"container_fs_reads_bytes_total", "disk read by the container"},
        {"container_fs_writes_bytes_total", "disk written by the container"},
        {"container_fs_usage_bytes", "disk space used by the container"},
        {"container_memory_working_set_bytes", "memory (working set)"},
        {"container_memory_rss", "memory (RSS)"},
        {"container_memory_cache", "memory (page cache)"},
        {"container_memory_failcnt", "allocations that hit the memory limit"},
        {"container_memory_failures_total", "page faults"},
        {"container_spec_memory_limit_bytes", "memory limit"},
        {"container_oom_events_total", "out-of-memory kills"},
        {"container_network_transmit_packets_total", "packets sent"},
        {"container_network_receive_packets_total", "packets received"},
        {"container_network_receive_packets_dropped_total", "packets dropped on receipt"},
        {"container_network_transmit_bytes_total", "network sent"},
        {"container_network_receive_bytes_total", "network received"},
        {"container_sockets", "open sockets"},
        {"container_start_time_seconds", "container starts"},
        {"container_processes", "processes"},
        {"coredns_dns_request_duration_seconds", "DNS lookup time"},
        {"coredns_dns_responses_total", "DNS answers"},
        {"haproxy_backend_current_queue", "requests queued at HAProxy"},
        {"haproxy_backend_queue_time_average_seconds", "queue time at HAProxy"},
        {"haproxy_server_queue_time_average_seconds", "queue time at HAProxy"},
        {"haproxy_server_current_sessions", "open sessions at the server"},
        {"http_request_duration_seconds", "HTTP request time"},
        {"istio_request_duration_milliseconds", "request latency seen by callers"},
        {"istio_requests_total", "requests seen by callers"},
        {"kube_deployment_status_observed_generation", "rollouts of the deployment"},
        {"kube_deployment_status_replicas_unavailable", "replicas unavailable"},
        {"kube_node_status_allocatable", "what the node offers"},
        {"kube_node_status_condition", "condition of the node"},
        {"kube_pod_container_status_last_terminated_reason", "reason of the last exit"},
        {"kube_pod_container_status_restarts_total", "restarts"},
        {"kube_pod_container_status_waiting_reason", "container waits to start"},
        {"kube_pod_status_ready", "pod ready"},
        {"kube_pod_status_reason", "pod evicted or lost"},
        {"kube_pod_status_unschedulable", "pod cannot be placed"},
        {"kuberay_service_condition_upgrade_in_progress", "upgrade in progress"},
        {"link.retransmit_share", "share of segments sent again"},
        {"log.lines", "log lines"},
        {"log:engine_error", "errors in the engine's log"},
        {"nginx_connections_accepted", "connections accepted by the proxy"},
        {"nginx_connections_active", "open connections at the proxy"},
        {"nginx_connections_waiting", "idle connections at the proxy"},
        {"nginx_connections_writing", "connections the proxy is answering"},
        {"nginx_up", "proxy answers its status page"},
        {"node_cpu_seconds_total", "CPU of the node"},
        {"node_disk_io_time_seconds_total", "disk busy"},
        {"node_disk_read_bytes_total", "disk read by the node"},
        {"node_network_receive_bytes_total", "bytes received by the node"},
        {"node_network_transmit_bytes_total", "bytes sent by the node"},
        {"litellm_overhead_latency_metric", "time in the gateway itself"},
        {"litellm_in_flight_requests", "requests in work at the gateway"},
        {"node_disk_written_bytes_total", "disk written by the node"},
        {"node_filefd_allocated", "open files of the node"},
        {"node_filesystem_avail_bytes", "disk space left"},
        {"node_hwmon_temp_celsius", "temperature of the host"},
        {"node_load1", "load average of the node"},
        {"node_memory_MemAvailable_bytes", "memory left on the node"},
        {"node_netstat_TcpExt_TCPTimeouts", "TCP timeouts"},
        {"node_netstat_Tcp_CurrEstab", "TCP connections"},
        {"node_netstat_Tcp_RetransSegs", "TCP segments sent again"},
        {"node_network_receive_drop_total", "packets dropped by the node"},
        {"node_network_transmit_errs_total", "send errors of the node"},
        {"node_network_transmit_packets_total", "packets sent by the node"},
        {"node_pressure_cpu_waiting_seconds_total", "processes wait for a CPU"},
        {"node_pressure_io_waiting_seconds_total", "processes wait for the disk"},
        {"node_pressure_memory_stalled_seconds_total", "processes wait for memory"},
        {"node_timex_offset_seconds", "clock offset of the node"},
        {"node_timex_sync_status", "clock of the node in step"},
        {"node_vmstat_oom_kill", "out-of-memory kills on the node"},
        {"node_vmstat_pgmajfault", "page faults that read the disk"},
        {"nv_inference_compute_infer_duration_us", "time spent computing"},
        {"nv_inference_queue_duration_us", "time spent in the queue, all requests"},
        {"nv_inference_request_duration_us", "time spent in requests"},
        {"nv_inference_request_failure", "failed requests"},
        {"process_cpu_seconds_total", "CPU used by the process"},
        {"process_resident_memory_bytes", "memory of the process"},
        {"process_start_time_seconds", "process starts"},
        {"proxy.requests", "requests at the proxy"},
        {"ray_cluster_active_nodes", "nodes in the Ray cluster"},
        {"ray_cluster_failed_nodes", "failed nodes in the Ray cluster"},
        {"ray_component_cpu_percentage", "CPU used by Ray's processes"},
        {"ray_gcs_storage_operation_latency_ms", "time of a GCS storage operation"},
        {"ray_grpc_server_req_process_time_ms", "time of a Ray RPC"},
        {"ray_health_check_rpc_latency_ms", "time of a Ray health check"},
        {"ray_io_context_event_loop_lag_ms", "lag of Ray's event loop"},
        {"ray_memory_manager_worker_eviction_total", "workers killed by Ray for memory"},
        {"ray_node_mem_used", "memory of the node"},
        {"ray_object_manager_received_chunks", "object chunks received"},
        {"ray_object_store_memory", "object store memory"},
        {"ray_placement_groups", "placement groups"},
        {"ray_pull_manager_object_request_time_ms", "time to pull an object"},
        {"ray_scheduler_placement_time_s", "time to place a task"},
        {"ray_scheduler_unscheduleable_tasks", "tasks that cannot be placed"},
        {"ray_serve_autoscaling_desired_replicas", "replicas the autoscaler wants"},
        {"ray_serve_batch_wait_time_ms", "wait for the batch"},
        {"ray_serve_deployment_error_counter_total", "errors of the deployment"},
        {"ray_serve_deployment_processing_latency_ms", "processing time of the deployment"},
        {"ray_serve_deployment_replica_healthy", "replica healthy"},
        {"ray_serve_deployment_replica_starts_total", "replica starts"},
        {"ray_serve_deployment_request_counter_total", "requests given to the replica"},
        {"ray_serve_health_check_failures_total", "failed health checks"},
        {"ray_serve_health_check_latency_ms", "health check time"},
        {"ray_serve_http_request_latency_ms", "HTTP request time at Ray Serve"},
        {"ray_serve_multiplexed_model_load_latency_ms", "time to load a model"},
        {"ray_serve_num_http_error_requests_total", "HTTP errors at Ray Serve"},
        {"ray_serve_num_http_requests_total", "HTTP requests at Ray Serve"},
        {"ray_serve_num_ongoing_http_requests", "open HTTP requests at Ray Serve"},
        {"ray_serve_num_ongoing_requests_at_replicas", "requests at the replica"},
        {"ray_serve_num_router_requests_total", "requests routed"},
        {"ray_serve_replica_initialization_latency_ms", "time to initialise a replica"},
        {"ray_serve_replica_startup_latency_ms", "time to start a replica"},
        {"ray_spill_manager_request_total", "objects spilled to disk"},
        {"scrape_duration_seconds", "time to scrape it"},
        {"sglang:cuda_graph_passes_total", "passes with a CUDA graph"},
        {"sglang:engine_load_weights_time", "time to load the weights"},
        {"sglang:is_cuda_graph", "CUDA graphs in use"},
        {"sglang:kv_transfer_latency_ms", "KV transfer time"},
        {"sglang:kv_transfer_speed_gb_s", "KV transfer rate"},
        {"sglang:num_transfer_failed_reqs_total", "failed KV transfers"},
        {"sglang:spec_accept_length", "drafted tokens accepted per step"},
        {"tgi_batch_inference_failure", "failed batches"},
        {"tgi_request_validation_duration", "time to validate a request"},
        {"up", "answers its scrapes"},
        {"vllm:cache_config_info", "settings of the KV cache"},
        {"vllm:corrupted_requests_total", "requests with NaN in the logits"},
        {"vllm:lora_requests_info", "adapters in use"},
        {"vllm:prompt_tokens_recomputed_total", "prompt tokens computed again"},
        {"vllm:request_prefill_kv_computed_tokens", "prompt tokens computed per request"},
        {"vllm:spec_decode_num_accepted_tokens_total", "drafted tokens accepted"}};
    return known;
}

/// "28.3" and " % of the time".
struct Parts {
    std::string number;
    std::string unit;
};
Parts parts_of(double value, const std::string& unit) {
    const std::string text = quantity_text(value, unit);
    const std::size_t end = std::min(text.find_first_of(" /"), text.size());
    return {text.substr(0, end), text.substr(end)};
}

struct Prefix {
    double from;
    const char* text;
};
constexpr Prefix byte_prefixes[] = {{1e12, " TB"}, {1e9, " GB"}, {1e6, " MB"}, {1e3, " kB"}};

/// Units that are another one times a factor.
struct Multiple {
    std::string_view unit;
    double factor;
    std::string_view of;
};
constexpr Multiple multiples[] = {
    {"ms", 1e-3, "s"},      {"us", 1e-6, "s"},      {"ns", 1e-9, "s"},  {"min", 60.0, "s"},
    {"kBy", 1e3, "By"},     {"MBy", 1e6, "By"},     {"GBy", 1e9, "By"}, {"KiBy", 0x1p10, "By"},
    {"MiBy", 0x1p20, "By"}, {"GiBy", 0x1p30, "By"}, {"mJ", 1e-3, "J"},  {"mW", 1e-3, "W"},
};

std::string number(double v) {
    if (v == 0.0) return "0";
    if (std::abs(v) >= 1000.0) return fmt::format("{:.0f}", v);
    return fmt::format("{:.3g}", v);
}

std::string seconds_text(double value) {
    const double size = std::abs(value);
    if (size > 0.0 && size < 1e-3) return number(value * 1e6) + " us";
    if (size > 0.0 && size < 1.0) return number(value * 1e3) + " ms";
    return number(value) + " s";
}

std::string bytes_text(double value, std::string_view per) {
    for (const Prefix& p : byte_prefixes)
        if (std::abs(value) >= p.from)
            return fmt::format("{}{}{}", number(value / p.from), p.text, per);
    return fmt::format("{} B{}", number(value), per);
}

/// Units of the study's column names, which come without one. "latency" may be in any unit.
std::string_view unit_by_name(const Feature& feature, const Frame& metrics) {
    static constexpr std::array<std::array<std::string_view, 2>, 3> units = {
        {{"ctn_cpu", "cores"}, {"ctn_gpu", "%"}, {"latency-90", "ms"}}};
    for (const std::size_t c : feature.columns)
        for (const auto& [metric, unit] : units)
            if (metrics.column(c).metric == metric) return unit;
    return feature.signal == "istio_request_duration_milliseconds" && feature.columns.empty()
               ? std::string_view("ms")
               : std::string_view();
}

}  // namespace

std::string unit_of(const Feature& feature, const Frame& metrics) {
    if (feature.kind == FeatureKind::ratio) return "1";
    if (feature.unit.empty())
        if (const std::string_view unit = unit_by_name(feature, metrics); !unit.empty())
            return std::string(unit);
    if (feature.kind != FeatureKind::rate) return feature.unit;
    if (feature.unit == "s")  // seconds per second
        return feature.signal.find("cpu_usage") != std::string::npos ? "cores" : "s/s";
    return feature.unit.empty() ? "/s" : feature.unit + "/s";
}

std::string signal_text(std::string_view signal) {
    const auto found = words().find(signal);
    return std::string(found == words().end() ? signal : found->second);
}

std::string quantity_text(double value, const std::string& unit) {
    const std::string_view stem = std::string_view(unit).substr(0, unit.find('/'));
    for (const Multiple& multiple : multiples)
        if (stem == multiple.unit)
            return quantity_text(value * multiple.factor,
                                 std::string(multiple.of) + unit.substr(stem.size()));
    if (unit == "s") return seconds_text(value);
    if (unit == "s/s" && std::abs(value) <= 1.0) return number(value * 100.0) + " % of the time";
    if (unit == "J/s") return number(value) + " W";
    if (unit == "Hz" && std::abs(value) >= 1e6) return number(value * 1e-6) + " MHz";
    if (unit == "By" || unit == "By/s") return bytes_text(value, unit.substr(2));
    if (unit == "1" && std::abs(value) <= 1.0) return number(value * 100.0) + " %";
    if (unit == "Cel") return number(value) + " C";
    if (unit.empty() || unit == "1" || unit.starts_with("{") || unit.starts_with("1{"))
        return number(value) + (unit.ends_with("/s") ? "/s" : "");
    return number(value) + (unit.starts_with("/") ? "" : " ") + unit;
}

std::string change_text(double before, double now, const std::string& unit) {
    return fmt::format("{} -> {}", beside_text(before, now, unit), quantity_text(now, unit));
}

std::string beside_text(double value, double now, const std::string& unit) {
    const Parts parts = parts_of(value, unit);
    return value == 0.0 || parts.unit == parts_of(now, unit).unit ? parts.number
                                                                  : parts.number + parts.unit;
}

}  // namespace culprit::tailored
