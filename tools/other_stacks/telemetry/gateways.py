"""Gateway exporters: Envoy, nginx, LiteLLM, Traefik, HAProxy, Caddy, Ray Serve's proxy, vLLM's
router, Istio, Kong, OpenTelemetry, a dashboard."""
import numpy as np

from .engine_view import EngineView
from .gateway_view import EXPORTER, GatewayView
from .scraper import per_second


def export_gateway(scene):
    export = EXPORTERS.get(scene.stack.gateway_exporter)
    if export:
        export(scene, GatewayView(scene))


def _envoy(scene, gateway):
    nothing = np.zeros(scene.seconds)
    is_full = scene.fault.kind == "connection_exhaustion"
    cluster = "envoy_cluster_"
    gateway.histogram(cluster + "upstream_rq_time", gateway.attempts_ms)
    gateway.counter(cluster + "upstream_rq_total", gateway.num_attempts())
    gateway.counter(cluster + "upstream_rq_2xx", gateway.num_attempts(status=200))
    gateway.error_counter(cluster + "upstream_rq_5xx", gateway.num_attempts(failed=True))
    gateway.gauge(cluster + "upstream_rq_active", gateway.num_active)
    gateway.gauge(cluster + "upstream_rq_pending_active", gateway.num_queued)
    gateway.error_counter(cluster + "upstream_rq_pending_overflow",
                          gateway.num_requests_with(503) if is_full else nothing)
    gateway.gauge(cluster + "membership_healthy", gateway.num_healthy)
    gateway.gauge(cluster + "membership_total", scene.constant(scene.deployment.num_replicas))
    gateway.error_counter(cluster + "upstream_cx_connect_timeout",
                          gateway.num_attempts(status=504) if gateway.loses_upstream else nothing)
    gateway.error_counter(cluster + "upstream_cx_connect_fail", gateway.num_attempts(status=502))
    gateway.error_counter(cluster + "upstream_rq_retry", gateway.num_attempts(status=502))
    gateway.histogram("envoy_http_downstream_rq_time", gateway.client_requests_ms)
    gateway.error_counter("envoy_http_downstream_rq_5xx", gateway.num_requests(failed=True))
    gateway.gauge("envoy_http_downstream_cx_active", gateway.num_open + 12)
    gateway.error_counter("envoy_listener_manager_listener_modified",
                          np.cumsum(gateway.reloads > 0) // 3)
    if scene.stack.has_endpoint_counts:
        for replica, _ in scene.numbered_replicas:
            _envoy_endpoint(gateway, replica)


def _envoy_endpoint(gateway, replica):
    endpoint = "envoy_cluster_endpoint_"
    gateway.replica_counter("gwep", replica, endpoint + "rq_total", gateway.num_attempts(replica))
    gateway.replica_counter("gwep", replica, endpoint + "rq_error",
                            gateway.num_attempts(replica, failed=True), has_history=False)
    gateway.replica_counter("gwep", replica, endpoint + "rq_timeout",
                            gateway.num_attempts(replica, status=504), has_history=False)


def _nginx(scene, gateway):
    gateway.gauge("nginx_connections_active", gateway.num_open + 3 + gateway.reloads * 8)
    gateway.gauge("nginx_connections_waiting", 2 + scene.rng.poisson(1.5, scene.seconds))
    gateway.counter("nginx_connections_accepted", gateway.num_requests())
    gateway.counter("nginx_http_requests_total", gateway.num_requests())
    gateway.error_counter("nginx_vts_server_requests_5xx_total", gateway.num_requests(failed=True))
    for replica, _ in scene.numbered_replicas:
        gateway.replica_histogram("ngx", replica, "nginx_vts_upstream_response_response_seconds",
                                  gateway.attempts_of(replica))
        gateway.replica_counter("ngx", replica, "nginx_vts_upstream_requests_total",
                                gateway.num_attempts(replica))
        gateway.replica_counter("ngx", replica, "nginx_vts_upstream_requests_5xx_total",
                                gateway.num_attempts(replica, failed=True), has_history=False)


def _litellm(scene, gateway):
    gateway.histogram("litellm_request_total_latency_metric", gateway.client_requests)
    gateway.histogram("litellm_llm_api_latency_metric", gateway.attempts)
    gateway.counter("litellm_proxy_total_requests_metric_total", gateway.num_requests())
    gateway.error_counter("litellm_proxy_failed_requests_metric_total",
                          gateway.num_requests(failed=True))
    gateway.error_counter("litellm_deployment_failure_responses_total",
                          gateway.num_attempts(failed=True))
    gateway.histogram("litellm_overhead_latency_metric",
                      (gateway.end, np.clip(gateway.own_s, 0.002, None)))
    gateway.gauge("litellm_in_flight_requests", gateway.num_open)
    gateway.histogram("litellm_llm_api_time_to_first_token_metric", _first_tokens(scene))


def _first_tokens(scene):
    """(times, s since the request came to the gateway)."""
    requests = scene.requests
    first = requests.client_first_token
    is_known = np.isfinite(first)
    return first[is_known], (first - requests.gateway_in)[is_known]


def _traefik(scene, gateway):
    gateway.histogram("traefik_entrypoint_request_duration_seconds", gateway.client_requests)
    gateway.counter("traefik_entrypoint_requests_total", gateway.num_requests())
    gateway.error_counter("traefik_service_requests_5xx_total", gateway.num_requests(failed=True))
    gateway.gauge("traefik_open_connections", gateway.num_open + 5)
    gateway.error_counter("traefik_service_retries_total", gateway.num_attempts(status=502))
    gateway.error_counter("traefik_config_reloads_total", np.cumsum(gateway.reloads > 0) // 3)
    for replica, _ in scene.numbered_replicas:
        gateway.replica_gauge("trf", replica, "traefik_service_server_up",
                              scene.series.is_up[:, replica])


def _haproxy(scene, gateway):
    backend = "haproxy_backend_"
    cores = min(scene.simulation.gateway.cpu_quota, 1)
    is_refused = gateway.attempt_status == 502
    is_unreachable = (gateway.attempt_status == 504) & gateway.loses_upstream
    gateway.gauge("haproxy_frontend_current_sessions", gateway.num_open)
    gateway.gauge(backend + "current_queue", gateway.num_queued)
    gateway.gauge(backend + "active_servers", gateway.num_healthy)
    gateway.counter("haproxy_frontend_http_requests_total", gateway.num_requests())
    gateway.error_counter(backend + "http_responses_5xx_total", gateway.num_requests(failed=True))
    gateway.error_counter(backend + "connection_errors_total",
                          scene.totals(gateway.attempt_end[is_refused | is_unreachable]))
    gateway.gauge("haproxy_process_idle_time_percent",
                  np.clip(100 - scene.series.gateway_cores / cores * 100, 0, 100))
    gateway.gauge(backend + "total_time_average_seconds",
                  _haproxy_average(scene, gateway.end, gateway.duration_s))
    gateway.gauge(backend + "queue_time_average_seconds",
                  _haproxy_average(scene, gateway.end, gateway.own_s))
    for replica, _ in scene.numbered_replicas:
        _haproxy_server(scene, gateway, replica)


def _haproxy_average(scene, times, values):
    """[second], over the last 128 requests (HAProxy itself takes 1024)."""
    order = np.argsort(times)
    num_so_far = np.searchsorted(times[order], scene.second, side="right")
    sums = np.concatenate([[0], np.cumsum(values[order])])
    first = np.maximum(0, num_so_far - 128)
    mean = (sums[num_so_far] - sums[first]) / np.maximum(1, num_so_far - first)
    return np.where(num_so_far > first, mean, 0)


def _haproxy_server(scene, gateway, replica):
    series = scene.series
    is_hot = scene.fault.manifestation.hot_replica == replica
    sessions = series.running[:, replica] + series.waiting[:, replica]
    times, durations = gateway.attempts_of(replica)
    server = "haproxy_server_"
    gateway.replica_gauge("hap", replica, server + "current_sessions", sessions)
    gateway.replica_gauge("hap", replica, server + "total_time_average_seconds",
                          _haproxy_average(scene, times, durations))
    gateway.replica_counter("hap", replica, server + "http_responses_5xx_total",
                            gateway.num_attempts(replica, failed=True), has_history=False)
    gateway.replica_gauge("hap", replica, server + "status",
                          series.is_up[:, replica] - gateway.is_ejected * is_hot)
    gateway.replica_counter("hap", replica, server + "sessions_total",
                            gateway.num_attempts(replica))


def _caddy(scene, gateway):
    gateway.histogram("caddy_http_request_duration_seconds", gateway.client_requests)
    gateway.gauge("caddy_http_requests_in_flight", gateway.num_open)
    gateway.error_counter("caddy_http_request_errors_total", gateway.num_requests(failed=True))
    for replica, _ in scene.numbered_replicas:
        gateway.replica_gauge("cad", replica, "caddy_reverse_proxy_upstreams_healthy",
                              scene.series.is_up[:, replica])


def _ray(scene, gateway):
    machine = scene.machines[gateway.component]
    gateway.histogram("ray_serve_http_request_latency_ms", gateway.client_requests_ms)
    gateway.counter("ray_serve_num_http_requests_total", gateway.num_requests())
    gateway.error_counter("ray_serve_num_http_error_requests_total",
                          gateway.num_requests(failed=True))
    gateway.gauge("ray_serve_num_ongoing_http_requests", gateway.num_open)
    gateway.gauge("ray_serve_deployment_queued_queries", gateway.num_queued)
    gateway.gauge("ray_node_cpu_utilization", np.clip(machine.cores / 8 * 100, 0, 100))
    gateway.gauge("ray_node_mem_used", machine.memory_bytes)
    gateway.gauge("ray_serve_autoscaling_desired_replicas", scene.replicas_wanted())
    gateway.gauge("ray_component_cpu_percentage", machine.cores * 100)
    gateway.error_counter("container_cpu_cfs_throttled_seconds_total", machine.throttled_s)
    for replica, component in scene.numbered_replicas:
        worker = scene.machines[component]
        gateway.replica_counter("rayc", replica, "container_cpu_cfs_throttled_seconds_total",
                                worker.throttled_s, has_history=False)
        gateway.replica_counter("rayc", replica, "node_disk_io_time_seconds_total",
                                np.cumsum(worker.disk_busy))
        gateway.replica_counter("rayc", replica, "node_netstat_Tcp_RetransSegs",
                                np.cumsum(worker.retransmits))


def _dashboard(scene, gateway):
    scraper = scene.scraper
    machine = scene.machines[gateway.component]
    where = (gateway.component, EXPORTER)
    throttled = np.diff(machine.throttled_s, prepend=0) * 70
    scraper.percentile(*where, "latency p95 (ms)", *gateway.client_requests, 0.95, 1000)
    scraper.percentile(*where, "latency p50 (ms)", *gateway.client_requests, 0.5, 1000)
    scraper.rate_of(*where, "requests per second", gateway.end)
    scraper.rate_of(*where, "errors per second", gateway.end[gateway.status != 200])
    gateway.gauge("active connections", gateway.num_open)
    gateway.gauge("queued requests", gateway.num_queued)
    gateway.gauge("CPU usage (%)", np.clip(machine.cores / 2 * 100, 0, 100))
    gateway.gauge("memory used (GB)", machine.memory_bytes / 1e9)
    gateway.gauge("CPU throttled (%)", np.clip(throttled, 0, 100))
    gateway.gauge("healthy upstreams", gateway.num_healthy)


def _vllm_router(scene, gateway):
    forwarded = per_second(scene.seconds, scene.requests.forwarded)
    gateway.gauge("vllm:current_qps", np.convolve(forwarded, np.ones(10) / 10, "same"))
    gateway.gauge("vllm:healthy_pods_total", scene.series.is_up.sum(1))
    gateway.error_counter("vllm:request_errors_total", gateway.num_requests(failed=True))
    gateway.histogram("vllm_router_request_latency_seconds", gateway.client_requests)
    gateway.gauge("vllm_router_active_requests", gateway.num_open)
    gateway.gauge("vllm_router_queue_size", gateway.num_queued)
    gateway.histogram("vllm_router_time_to_first_token_seconds", _first_tokens(scene))
    for replica in scene.deployment.replicas_with_role("decode"):
        _kv_transfers(scene, replica)


def _kv_transfers(scene, replica):
    """As the replica that decodes reports them: from the end of prefill to the first token."""
    requests = scene.requests
    first = requests.first_token
    is_own = ((requests.decode_replica == replica) & np.isfinite(first)
              & np.isfinite(requests.prefill_s))
    transfer_s = (first - requests.admitted - requests.prefill_s)[is_own].clip(0.001)
    EngineView(scene, replica).histogram("vllm:nixl_xfer_time_seconds",
                                         (first[is_own], transfer_s), has_percentiles=False)


def _istio(scene, gateway):
    gateway.histogram("istio_request_duration_milliseconds", gateway.client_requests_ms)
    gateway.counter("istio_requests_total", gateway.num_requests())
    gateway.error_counter("istio_requests_5xx_total", gateway.num_requests(failed=True))
    gateway.gauge("envoy_cluster_upstream_rq_active", gateway.num_active)
    gateway.gauge("envoy_cluster_upstream_rq_pending_active", gateway.num_queued)
    for replica, _ in scene.numbered_replicas:
        times, durations = gateway.attempts_of(replica)
        gateway.replica_histogram("ist", replica, "istio_request_duration_milliseconds",
                                  (times, durations * 1000))
        gateway.replica_counter("ist", replica, "istio_requests_total",
                                gateway.num_attempts(replica))
        gateway.replica_counter("ist", replica, "istio_requests_5xx_total",
                                gateway.num_attempts(replica, failed=True), has_history=False)


def _kong(scene, gateway):
    gateway.histogram("kong_request_latency_ms", gateway.client_requests_ms)
    gateway.histogram("kong_upstream_latency_ms", gateway.attempts_ms)
    gateway.histogram("kong_kong_latency_ms",
                      (gateway.end, np.clip(gateway.own_s, 0.001, None) * 1000))
    gateway.counter("kong_http_requests_total", gateway.num_requests())
    gateway.error_counter("kong_http_requests_5xx_total", gateway.num_requests(failed=True))
    gateway.gauge("kong_nginx_connections_active", gateway.num_open)
    for replica, _ in scene.numbered_replicas:
        gateway.replica_gauge("kong", replica, "kong_upstream_target_health",
                              scene.series.is_up[:, replica])


def _opentelemetry(scene, gateway):
    requests = scene.requests
    first = requests.client_first_token
    gateway.histogram("http.server.request.duration", gateway.client_requests)
    gateway.gauge("http.server.active_requests", gateway.num_open)
    gateway.error_counter("http.server.request.errors", gateway.num_requests(failed=True))
    gateway.histogram("http.client.request.duration", gateway.attempts)
    gateway.gauge("http.client.open_connections", gateway.num_active)
    for replica, _ in scene.numbered_replicas:
        is_own = np.isfinite(first) & (requests.replica == replica)
        gateway.replica_histogram("otl", replica, "http.client.request.duration",
                                  gateway.attempts_of(replica))
        gateway.replica_histogram("otl", replica, "gen_ai.client.operation.time_to_first_chunk",
                                  (first[is_own], (first - requests.forwarded)[is_own]))


def export_latency_90(scene):
    """The 90th percentile per component in ms, as the service mesh of some benchmarks has it."""
    gateway = GatewayView(scene)
    for replica, component in scene.numbered_replicas:
        scene.scraper.percentile(component, "ist", "latency-90", *gateway.attempts_of(replica),
                                 0.9, 1000)
    scene.scraper.percentile(gateway.component, EXPORTER, "latency-90", *gateway.client_requests,
                             0.9, 1000)


EXPORTERS = {"envoy": _envoy, "nginx": _nginx, "litellm": _litellm, "traefik": _traefik,
             "haproxy": _haproxy, "caddy": _caddy, "ray": _ray, "dashboard": _dashboard,
             "vllm_router": _vllm_router, "istio": _istio, "kong": _kong,
             "opentelemetry": _opentelemetry}
