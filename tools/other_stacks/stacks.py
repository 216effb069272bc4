"""The stacks: what is deployed in each, and through which exporters it is seen."""
import dataclasses

from .faults import GATEWAY_FAULTS, REPLICA_FAULTS
from .serving.deployment import Deployment
from .serving.services import Path, Service


@dataclasses.dataclass
class Stack:
    """One deployment and its monitoring.

    `view` is what the data hold: "counters" (running totals as scraped), "rates" (what a recording
    rule makes of them: rates, means, percentiles) or "dashboard" (named by hand, percentiles and
    rates). The exporters' names lead to the tables in telemetry/observe.py.
    """
    name: str
    deployment: Deployment
    replicas: tuple                    # names
    gateway: str
    scrape_s: int
    view: str
    faults: tuple
    engine_exporter: str = None
    gateway_exporter: str = None
    gpu_exporter: str = None
    has_containers: bool = False       # cAdvisor
    has_container_pressure: bool = False
    has_kubernetes: bool = False       # kube-state-metrics
    has_nodes: bool = False            # node exporter, one machine per component
    has_opentelemetry_pods: bool = False
    has_logs: bool = False
    has_traces: bool = False
    has_call_graph: bool = False
    has_latency_90: bool = False       # a column latency-90 per component, ms
    has_endpoint_counts: bool = False  # the gateway's, per replica
    slow_disk_writes: bool = True      # storage_slow always shows as a writer; else half the time
    contention_is_inside: bool = False   # cpu_contention always burns in the victim's container
    services: object = None            # makes (services by name, paths)
    service_faults: tuple = ()         # (service, fault)
    service_latency: str = "http_request_duration_seconds"
    llm_share: float = 1               # of the requests that reach the LLM, for severities
    service_fault_share: float = 1 / 2   # of the windows with a fault
    gateway_is_application: bool = False   # the gateway exports what the services export
    only_held: bool = False
    calls: tuple = ()                  # between services, and to the gateway: (caller, callee)

    @property
    def components(self):
        """Names, replicas first; services come behind the gateway."""
        services = list(self.services()[0]) if self.services else []
        return [*self.replicas, self.gateway, *services]


def numbered(name, count):
    return tuple(f"{name}-{index}" for index in range(count))


def without(faults, *left_out):
    return tuple(fault for fault in faults if fault not in left_out)


def rag_services():
    """A retrieval-augmented application: every request passes retrieval before the LLM."""
    services = [
        Service("rag-api", 16, 0.012, 0.5, 0.8, spans_whole_request=True),
        Service("embedder", 4, 0.045, 0.4, 0.9),
        Service("vector-db", 8, 0.06, 0.8, 0.7),
        Service("reranker", 3, 0.09, 0.4, 0.9),
    ]
    paths = [Path(1.0, ("rag-api", "embedder", "vector-db", "reranker"), True)]
    return {service.name: service for service in services}, paths


def shop_services():
    """A web shop of which one page in ten has the LLM summarize reviews."""
    services = [
        Service("frontend", 24, 0.010, 0.5, 0.8, spans_whole_request=True),
        Service("catalog", 12, 0.018, 0.6, 0.6),
        Service("cart", 12, 0.012, 0.6, 0.6),
        Service("checkout", 8, 0.03, 0.6, 0.7, waits_for=("payment", "shipping")),
        Service("payment", 6, 0.05, 0.5, 0.5),
        Service("reviews", 8, 0.025, 0.6, 0.6, waits_for_llm=True),
        Service("recommendation", 6, 0.03, 0.6, 0.8),
        Service("shipping", 6, 0.015, 0.5, 0.6),
    ]
    paths = [
        Path(0.4, ("frontend", "catalog", "recommendation"), False),
        Path(0.2, ("frontend", "cart", "catalog"), False),
        Path(0.12, ("frontend", "cart", "checkout", "payment", "shipping"), False),
        Path(0.08, ("frontend", "reviews"), True),
    ]
    return {service.name: service for service in services}, paths


ALL_FAULTS = REPLICA_FAULTS + GATEWAY_FAULTS

ENVOY_VLLM = Stack(
    "envoy-vllm",
    Deployment(3, 5.0, policy="least_loaded"),
    numbered("vllm", 3), "envoy-gateway", scrape_s=15, view="counters", faults=ALL_FAULTS,
    engine_exporter="vllm", gateway_exporter="envoy", gpu_exporter="dcgm_profiling",
    has_containers=True, has_container_pressure=True, has_kubernetes=True, has_logs=True,
    has_call_graph=True, has_endpoint_counts=True, slow_disk_writes=False)

SGLANG_NGINX = Stack(
    "sglang-nginx",
    Deployment(2, 4.0, gpu_watts=400, step_ms=22, slots=48),
    numbered("sglang", 2), "nginx", scrape_s=10, view="counters",
    faults=without(ALL_FAULTS, "replica_oom"),
    engine_exporter="sglang", gateway_exporter="nginx", gpu_exporter="nvidia_smi",
    has_nodes=True, slow_disk_writes=False)

LITELLM_SINGLE = Stack(
    "litellm-single",
    Deployment(1, 2.0, gpu_watts=350, step_ms=20),
    ("vllm",), "litellm", scrape_s=15, view="rates",
    faults=("cpu_contention", "cpu_throttling", "memory_pressure", "network_delay", "packet_loss",
            "engine_hang", "engine_dead", "crash_loop", "replica_oom", "kv_exhaustion",
            "batch_limit", "tokenizer_cpu", "storage_slow", "connection_exhaustion",
            "gateway_cpu_throttling"),
    engine_exporter="vllm", gateway_exporter="litellm",
    has_containers=True, has_nodes=True, has_call_graph=True, slow_disk_writes=False)

TGI_TRAEFIK = Stack(
    "tgi-traefik",
    Deployment(5, 8.0, gpu_watts=350, step_ms=24, slots=32),
    numbered("tgi", 5), "traefik", scrape_s=30, view="counters", faults=ALL_FAULTS,
    engine_exporter="tgi", gateway_exporter="traefik", gpu_exporter="dcgm",
    has_containers=True, has_kubernetes=True, contention_is_inside=True)

TRITON_HAPROXY = Stack(
    "triton-haproxy",
    Deployment(3, 6.0, step_ms=14, policy="least_loaded"),
    ("trt-a", "trt-b", "trt-c"), "haproxy", scrape_s=10, view="counters", faults=ALL_FAULTS,
    engine_exporter="triton", gateway_exporter="haproxy",
    has_nodes=True, has_call_graph=True, slow_disk_writes=False)

LLAMACPP_NODE = Stack(
    "llamacpp-node",
    Deployment(3, 0.9, gpu_watts=320, step_ms=35, slots=8, prefill_tokens_per_s=1500,
               prompt_tokens=350, output_tokens=120, kv_tokens=40000, step_cpu_s=0.006,
               timeout_s=120.),
    ("llama-a", "llama-b", "llama-c"), "caddy", scrape_s=15, view="counters",
    faults=("cpu_contention", "memory_pressure", "network_delay", "packet_loss", "engine_hang",
            "engine_dead", "crash_loop", "batch_limit", "straggler", "storage_slow",
            "router_imbalance", "upstream_lost"),
    engine_exporter="llamacpp", gateway_exporter="caddy", has_nodes=True, slow_disk_writes=False)

RAY_SERVE = Stack(
    "ray-serve",
    Deployment(6, 10.0, policy="two_choices"),
    numbered("ray-worker", 6), "ray-head", scrape_s=10, view="rates",
    faults=REPLICA_FAULTS + ("router_imbalance", "gateway_cpu_throttling"),
    engine_exporter="ray", gateway_exporter="ray", gpu_exporter="ray", has_logs=True)

DASHBOARDS = Stack(
    "dashboards",
    Deployment(3, 4.5, gpu_watts=300, step_ms=24),
    ("replica-a", "replica-b", "replica-c"), "gateway", scrape_s=30, view="dashboard",
    faults=ALL_FAULTS,
    engine_exporter="dashboard", gateway_exporter="dashboard", gpu_exporter="dashboard",
    contention_is_inside=True)

DISAGGREGATED = Stack(
    "disagg",
    Deployment(5, 6.0, roles=("prefill", "prefill", "decode", "decode", "decode"),
               policy="least_loaded", prompt_tokens=1500, output_tokens=200, kv_tokens=200000),
    ("prefill-0", "prefill-1", "decode-0", "decode-1", "decode-2"), "router",
    scrape_s=15, view="counters",
    faults=("gpu_power_cap", "gpu_thermal", "cpu_contention", "cpu_throttling", "network_delay",
            "packet_loss", "engine_hang", "engine_dead", "crash_loop", "kv_exhaustion", "straggler",
            "tokenizer_cpu", "batch_limit", "gateway_cpu_throttling", "connection_exhaustion"),
    engine_exporter="vllm", gateway_exporter="vllm_router", gpu_exporter="dcgm_profiling",
    has_containers=True, has_kubernetes=True, has_call_graph=True)

RAG = Stack(
    "rag",
    Deployment(2, 4.0, prompt_tokens=1200, output_tokens=120, step_ms=16),
    numbered("llm", 2), "llm-gateway", scrape_s=15, view="counters",
    faults=("gpu_power_cap", "cpu_contention", "engine_hang", "kv_exhaustion", "crash_loop",
            "network_delay"),
    engine_exporter="vllm", gateway_exporter="envoy", gpu_exporter="dcgm",
    has_containers=True, has_container_pressure=True, has_kubernetes=True, has_traces=True,
    has_call_graph=True, services=rag_services,
    service_faults=(("vector-db", "storage_slow"), ("vector-db", "cpu_throttling"),
                    ("embedder", "cpu_contention"), ("embedder", "straggler"),
                    ("reranker", "cpu_contention"), ("vector-db", "network_delay"),
                    ("rag-api", "cpu_throttling"), ("reranker", "memory_pressure"),
                    ("embedder", "packet_loss")),
    service_latency="http_server_request_duration_seconds",
    calls=(("rag-api", "embedder"), ("rag-api", "vector-db"), ("rag-api", "reranker"),
           ("rag-api", "llm-gateway")))

SHOP = Stack(
    "shop",
    Deployment(1, 18.0, prompt_tokens=700, output_tokens=90, step_ms=16),
    ("summarizer",), "llm-proxy", scrape_s=5, view="rates",
    faults=("cpu_contention", "engine_hang", "kv_exhaustion"),
    engine_exporter="vllm", has_containers=True, has_call_graph=True, contention_is_inside=True,
    services=shop_services,
    service_faults=tuple(
        (service, fault)
        for service in ("catalog", "cart", "checkout", "payment", "reviews", "recommendation")
        for fault in ("cpu_contention", "cpu_throttling", "memory_pressure", "network_delay",
                      "packet_loss")),
    llm_share=0.1, service_fault_share=2 / 3, gateway_is_application=True,
    calls=(("frontend", "catalog"), ("frontend", "cart"), ("frontend", "recommendation"),
           ("frontend", "checkout"), ("frontend", "reviews"), ("cart", "catalog"),
           ("checkout", "payment"), ("checkout", "shipping"), ("reviews", "llm-proxy")))

CONTAINERS = Stack(
    "containers",
    Deployment(4, 6.0),
    numbered("llm-worker", 4), "proxy", scrape_s=15, view="counters",
    faults=("cpu_contention", "cpu_throttling", "memory_pressure", "packet_loss", "engine_hang",
            "engine_dead", "crash_loop", "replica_oom", "router_imbalance",
            "gateway_cpu_throttling"),
    has_containers=True, has_container_pressure=True, has_kubernetes=True)

KSERVE_ISTIO = Stack(
    "kserve-istio",
    Deployment(4, 7.0, policy="least_loaded", gpu_watts=400, step_ms=20),
    numbered("predictor", 4), "istio-ingressgateway", scrape_s=10, view="rates", faults=ALL_FAULTS,
    engine_exporter="vllm", gateway_exporter="istio", gpu_exporter="dcgm",
    has_containers=True, has_container_pressure=True, has_kubernetes=True, has_call_graph=True,
    has_latency_90=True, slow_disk_writes=False, only_held=True)

NIM_KONG = Stack(
    "nim-kong",
    Deployment(3, 5.0, gpu_watts=350, step_ms=21),
    numbered("nim-llm", 3), "kong", scrape_s=15, view="counters", faults=ALL_FAULTS,
    engine_exporter="nim", gateway_exporter="kong", gpu_exporter="nvidia_smi",
    has_containers=True, contention_is_inside=True, only_held=True)

OTEL_GATEWAY = Stack(
    "otel-gateway",
    Deployment(3, 5.0, policy="two_choices"),
    ("inference-1", "inference-2", "inference-3"), "api-gateway", scrape_s=10, view="rates",
    faults=ALL_FAULTS,
    engine_exporter="opentelemetry", gateway_exporter="opentelemetry",
    gpu_exporter="opentelemetry", has_opentelemetry_pods=True, has_call_graph=True,
    contention_is_inside=True, only_held=True)

STACKS = {stack.name: stack for stack in (
    ENVOY_VLLM, SGLANG_NGINX, LITELLM_SINGLE, TGI_TRAEFIK, TRITON_HAPROXY, LLAMACPP_NODE, RAY_SERVE,
    DASHBOARDS, DISAGGREGATED, RAG, SHOP, CONTAINERS, KSERVE_ISTIO, NIM_KONG, OTEL_GATEWAY)}
