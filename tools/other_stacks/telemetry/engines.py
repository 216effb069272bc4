"""Engine exporters: vLLM, Ray Serve around it, NIM, SGLang, TGI, Triton, llama.cpp, OpenTelemetry,
a dashboard."""
import numpy as np

from .engine_view import EXPORTER, EngineView
from .scraper import per_second_change

MACHINE_CORES = 16
WAITS_FOR_CPU = ("cpu_contention", "cpu_throttling", "tokenizer_cpu")


def export_engines(scene):
    export = EXPORTERS.get(scene.stack.engine_exporter)
    for index, _ in scene.numbered_replicas:
        engine = EngineView(scene, index)
        if export and scene.stack.view != "dashboard":
            _export_scrape(scene, engine)
        if export:
            export(scene, engine)


def _export_scrape(scene, engine):
    """What Prometheus adds: whether the scrape worked, and how long it took."""
    rng = scene.rng
    fault = scene.fault
    after = scene.since_onset
    replicas = scene.simulation.replicas
    duration_s = 0.004 + 0.004 * rng.random(scene.seconds)
    slow_s = after * 0.05 * rng.random(scene.seconds)
    if engine.is_culprit:
        duration_s = duration_s + replicas.network_delay_s[engine.index] * 2 * after
        if fault.kind in WAITS_FOR_CPU:
            duration_s = duration_s + slow_s
    loss = replicas.packet_loss[engine.index]
    if loss > 0:
        duration_s = duration_s + after * rng.binomial(4, loss, scene.seconds) * 0.2
    scene.scraper.gauge(engine.component, "up", "up", engine.is_up)
    scene.scraper.gauge(engine.component, "up", "scrape_duration_seconds", duration_s,
                        up=engine.is_up)


def _vllm(_, engine):
    _vllm_metrics(engine, "vllm:")
    engine.counter("process_cpu_seconds_total", engine.process_cpu_s())
    engine.gauge("process_resident_memory_bytes", engine.machine.memory_bytes * 0.7)


def _vllm_metrics(engine, prefix):
    engine.gauge(prefix + "num_requests_running", engine.running)
    engine.gauge(prefix + "num_requests_waiting", engine.waiting)
    engine.gauge(prefix + "kv_cache_usage_perc", engine.kv_share)
    engine.counter(prefix + "num_preemptions_total", engine.preemptions, has_history=False)
    engine.counter(prefix + "prompt_tokens_total", np.floor(engine.prompt_tokens))
    engine.counter(prefix + "generation_tokens_total", np.floor(engine.generated_tokens))
    engine.counter(prefix + "request_success_total", engine.num_finished)
    engine.counter(prefix + "prefix_cache_queries_total", np.floor(engine.cache_queried_tokens))
    engine.counter(prefix + "prefix_cache_hits_total", np.floor(engine.cache_hit_tokens))
    engine.histogram(prefix + "time_to_first_token_seconds", engine.time_to_first_token)
    engine.time_per_output_token(prefix + "inter_token_latency_seconds")
    engine.histogram(prefix + "e2e_request_latency_seconds", engine.duration)
    engine.histogram(prefix + "request_queue_time_seconds", engine.queue_time,
                     has_percentiles=False)
    if engine.role != "decode":
        engine.histogram(prefix + "request_prefill_time_seconds", engine.prefill_time,
                         has_percentiles=False)
    if engine.role != "prefill":
        engine.histogram(prefix + "request_decode_time_seconds", engine.decode_time,
                         has_percentiles=False)
    engine.histogram(prefix + "request_prompt_tokens", engine.prompt_lengths,
                     has_percentiles=False)
    engine.histogram(prefix + "request_generation_tokens", engine.output_lengths,
                     has_percentiles=False)


def _nim(_, engine):
    engine.gauge("num_requests_running", engine.running)
    engine.gauge("num_requests_waiting", engine.waiting)
    engine.gauge("gpu_cache_usage_perc", engine.kv_share)
    engine.counter("prompt_tokens_total", np.floor(engine.prompt_tokens))
    engine.counter("generation_tokens_total", np.floor(engine.generated_tokens))
    engine.counter("request_success_total", engine.num_finished)
    engine.histogram("time_to_first_token_seconds", engine.time_to_first_token)
    engine.time_per_output_token("time_per_output_token_seconds")
    engine.histogram("e2e_request_latency_seconds", engine.duration)
    engine.histogram("request_prompt_tokens", engine.prompt_lengths, has_percentiles=False)
    engine.histogram("request_generation_tokens", engine.output_lengths, has_percentiles=False)


def _ray(scene, engine):
    _vllm_metrics(engine, "ray_vllm_")
    times, durations = engine.duration
    engine.gauge("ray_serve_num_ongoing_requests_at_replicas", engine.running + engine.waiting)
    engine.histogram("ray_serve_deployment_processing_latency_ms", (times, durations * 1000))
    engine.counter("ray_serve_deployment_request_counter_total", engine.num_finished)
    scene.scraper.counter(engine.component, EXPORTER, "ray_serve_deployment_error_counter_total",
                          scene.error_totals(engine.index), has_history=False)
    _ray_node(scene, engine)


def _ray_node(scene, engine):
    """Ray's agent on the worker's node, which outlives the engine."""
    component = engine.component
    machine = engine.machine

    def gauge(name, values, up=None):
        scene.scraper.gauge(component, "ray", f"ray_{name}", values, up=up)

    beside = 0 if scene.disturbance.burns_inside else machine.neighbour_cores
    gauge("node_cpu_utilization",
          np.clip((machine.cores + beside) / MACHINE_CORES * 100, 0, 100))
    gauge("node_mem_used", machine.memory_bytes)
    gauge("node_mem_total", scene.constant(scene.memory_limits[component]))
    gauge("component_cpu_percentage", machine.cores * 100, up=engine.is_up)
    gauge("node_network_send_speed", machine.sent_bytes)
    gauge("node_disk_io_write_speed", machine.written_bytes)
    gauge("node_disk_utilization_percentage", scene.constant(41.0))
    gauge("component_rss_mb", machine.memory_bytes / 1e6 * 0.8, up=engine.is_up)
    checks = scene.second[::5]
    delay_s = scene.simulation.replicas.network_delay_s[engine.index]
    latency_ms = (1.2 * scene.rng.lognormal(0, 0.4, len(checks))
                  + scene.since_onset[::5] * delay_s * 2000 * engine.is_culprit)
    scene.scraper.histogram(component, "ray", "ray_health_check_rpc_latency_ms", checks + 0.5,
                            latency_ms)


def _sglang(scene, engine):
    generated = engine.generated_tokens
    engine.gauge("sglang:num_running_reqs", engine.running)
    engine.gauge("sglang:num_queue_reqs", engine.waiting)
    engine.gauge("sglang:token_usage", engine.kv_share)
    engine.gauge("sglang:gen_throughput", np.diff(generated, prepend=generated[0]).clip(0))
    engine.gauge("sglang:cache_hit_rate", _recent_hit_rate(scene, engine))
    engine.counter("sglang:num_retracted_requests_total", engine.preemptions, has_history=False)
    engine.counter("sglang:prompt_tokens_total", np.floor(engine.prompt_tokens))
    engine.counter("sglang:generation_tokens_total", np.floor(generated))
    engine.counter("sglang:num_requests_total", engine.num_finished)
    engine.histogram("sglang:time_to_first_token_seconds", engine.time_to_first_token)
    engine.time_per_output_token("sglang:inter_token_latency_seconds")
    engine.histogram("sglang:e2e_request_latency_seconds", engine.duration)
    engine.histogram("sglang:queue_time_seconds", engine.queue_time)


def _recent_hit_rate(scene, engine):
    """Of the last 30 s."""
    def recent(total):
        return np.convolve(per_second_change(total), np.ones(30), "full")[:scene.seconds]

    share = recent(engine.cache_hit_tokens) / np.maximum(1, recent(engine.cache_queried_tokens))
    return np.where(engine.cache_queried_tokens > 0, share, 0)


def _tgi(scene, engine):
    engine.gauge("tgi_queue_size", engine.waiting)
    engine.gauge("tgi_batch_current_size", engine.running)
    engine.gauge("tgi_batch_current_max_tokens", np.round(engine.running * 900))
    engine.histogram("tgi_request_duration", engine.duration)
    engine.histogram("tgi_request_queue_duration", engine.queue_time)
    engine.histogram("tgi_request_validation_duration", engine.frontend_time)
    engine.histogram("tgi_request_inference_duration", engine.inference_time)
    engine.histogram("tgi_request_mean_time_per_token_duration", engine.time_per_token)
    engine.counter("tgi_request_success", engine.num_finished)
    engine.counter("tgi_request_count",
                   scene.totals(scene.requests.reached_replica[engine.is_own]))
    engine.histogram("tgi_request_input_length", engine.prompt_lengths)
    engine.histogram("tgi_request_generated_tokens", engine.output_lengths)
    engine.counter("tgi_batch_inference_count", np.floor(engine.steps))
    engine.counter("tgi_request_failure", scene.error_totals(engine.index), has_history=False)


def _triton(scene, engine):
    engine.counter("nv_inference_request_success", engine.num_finished)
    engine.counter("nv_inference_request_failure", scene.error_totals(engine.index),
                   has_history=False)
    engine.counter("nv_inference_count", engine.num_finished)
    engine.gauge("nv_inference_pending_request_count", engine.waiting)
    for name, observations in (("request", engine.duration), ("queue", engine.queue_time),
                               ("compute_infer", engine.inference_time),
                               ("compute_input", engine.frontend_time)):
        engine.counter(f"nv_inference_{name}_duration_us", engine.sum_of(observations, 1e6))
    times, first_token_s = engine.time_to_first_token
    engine.histogram("nv_inference_first_response_histogram_ms", (times, first_token_s * 1000))
    _triton_machine(scene, engine)
    _triton_batch(scene, engine)


def _triton_machine(scene, engine):
    index = engine.index
    series = scene.series
    machine = engine.machine

    def gpu_gauge(name, values):
        scene.scraper.gauge(engine.component, EXPORTER, name, values)

    power_w = series.power_w[:, index] * scene.rng.normal(1, 0.02, scene.seconds)
    memory_bytes = scene.deployment.gpu_watts * 90 * 2 ** 20 * engine.is_up + 4e8
    gpu_gauge("nv_gpu_power_usage", power_w)
    gpu_gauge("nv_gpu_power_limit", series.power_cap_w[:, index])
    gpu_gauge("nv_gpu_utilization", series.utilisation[:, index])
    gpu_gauge("nv_gpu_memory_used_bytes", memory_bytes)
    scene.scraper.counter(engine.component, EXPORTER, "nv_energy_consumption",
                          np.cumsum(series.power_w[:, index]))
    engine.gauge("nv_cpu_utilization", np.clip(machine.cores / MACHINE_CORES, 0, 1))
    engine.gauge("nv_cpu_memory_used_bytes", machine.memory_bytes)


def _triton_batch(scene, engine):
    kv_tokens = scene.deployment.kv_tokens
    tokens_per_block = 64
    prefix = "nv_trt_llm_kv_cache_block_metrics_"
    engine.gauge("nv_trt_llm_request_metrics_active", engine.running)
    engine.gauge("nv_trt_llm_request_metrics_waiting", engine.waiting)
    engine.gauge(prefix + "used", np.round(engine.kv_share * kv_tokens / tokens_per_block))
    engine.gauge(prefix + "max", scene.constant(kv_tokens // tokens_per_block))
    engine.gauge(prefix + "fraction", engine.kv_share)


def _llamacpp(scene, engine):
    def recent(total):
        """What was added in the last 15 s."""
        return (total - np.concatenate([np.zeros(15), total[:-15]])).clip(0)

    prefill_s = engine.sum_of(engine.prefill_time)
    engine.gauge("llamacpp:requests_processing", engine.running)
    engine.gauge("llamacpp:requests_deferred", engine.waiting)
    engine.counter("llamacpp:prompt_tokens_total", np.floor(engine.prompt_tokens))
    engine.counter("llamacpp:prompt_seconds_total", prefill_s)
    engine.counter("llamacpp:tokens_predicted_total", np.floor(engine.generated_tokens))
    engine.counter("llamacpp:tokens_predicted_seconds_total", engine.decode_s)
    engine.counter("llamacpp:n_decode_total", np.floor(engine.steps))
    spent_s = recent(engine.decode_s)
    rate = recent(engine.generated_tokens) / np.maximum(spent_s, 0.1)
    engine.gauge("llamacpp:predicted_tokens_seconds", np.where(spent_s > 0, rate, 0))
    busy = engine.running * scene.rng.uniform(0.95, 1, scene.seconds)
    engine.gauge("llamacpp:n_busy_slots_per_decode", np.where(engine.running > 0, busy, 0))


def _opentelemetry(_, engine):
    engine.histogram("gen_ai.server.time_to_first_token", engine.time_to_first_token)
    engine.histogram("gen_ai.server.request.duration", engine.duration)
    engine.time_per_output_token("gen_ai.server.time_per_output_token")
    engine.histogram("gen_ai.client.token.usage", engine.output_lengths, has_percentiles=False)
    engine.gauge("http.server.active_requests", engine.running + engine.waiting)


def _dashboard(scene, engine):
    """Panels that someone named by hand."""
    scraper = scene.scraper
    where = (engine.component, EXPORTER)
    own = [(begin + seconds, seconds, status)
           for begin, replica, seconds, status in scene.simulation.gateway.attempts
           if replica == engine.index]
    times = [time for time, _, _ in own]
    durations = [duration for _, duration, _ in own]
    failures = [time for time, _, status in own if status != 200]
    requests = scene.requests
    first = requests.client_first_token
    scraper.percentile(*where, "latency p95 (ms)", times, durations, 0.95, 1000)
    scraper.percentile(*where, "latency p50 (ms)", times, durations, 0.5, 1000)
    scraper.percentile(*where, "TTFT p95 (ms)", first[engine.started],
                       (first - requests.forwarded)[engine.started], 0.95, 1000)
    scraper.rate_of(*where, "requests per second", times)
    scraper.rate_of(*where, "errors per second", failures)
    engine.gauge("queue length", engine.waiting)
    engine.gauge("running requests", engine.running)
    engine.gauge("KV cache (%)", engine.kv_share * 100)
    _dashboard_machine(scene, engine)
    _dashboard_tokens(scene, engine)


def _dashboard_machine(scene, engine):
    machine = engine.machine
    limit = scene.memory_limits[engine.component]
    throttled = np.diff(machine.throttled_periods, prepend=0) * 10
    for name, values in (
            ("CPU usage (%)", np.clip(machine.cores / MACHINE_CORES * 100, 0, 100)),
            ("memory used (GB)", machine.memory_bytes / 1e9),
            ("memory limit (GB)", scene.constant(limit / 1e9)),
            ("network out (MB/s)", machine.sent_bytes / 1e6),
            ("TCP retransmits per second", machine.retransmits),
            ("CPU throttled (%)", np.clip(throttled, 0, 100)),
            ("disk busy (%)", machine.disk_busy * 100),
            ("up", engine.is_up)):
        scene.scraper.gauge(engine.component, EXPORTER, name, values)


def _dashboard_tokens(scene, engine):
    scraper = scene.scraper
    seconds, is_lost = scraper.scrapes(engine.component, EXPORTER)
    begins = np.maximum(seconds - 60, 0)
    tokens = engine.generated_tokens[seconds] - engine.generated_tokens[begins]
    spent_s = engine.decode_s[seconds] - engine.decode_s[begins]
    per_token_ms = np.where(tokens > 1, spent_s / np.maximum(tokens, 1) * 1000, np.nan)
    scraper.put(engine.component, "tokens per second", tokens.clip(0) / 60, is_lost)
    scraper.put(engine.component, "time per output token (ms)", per_token_ms)


EXPORTERS = {"vllm": _vllm, "ray": _ray, "nim": _nim, "sglang": _sglang, "tgi": _tgi,
             "triton": _triton, "llamacpp": _llamacpp, "opentelemetry": _opentelemetry,
             "dashboard": _dashboard}
