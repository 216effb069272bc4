"""cAdvisor and kube-state-metrics, or what the OpenTelemetry collector makes of the same."""
import numpy as np

from .scene import GIB


def draw_memory_limits(rng, stack):
    """Bytes per component."""
    limits = {}
    for component in stack.components:
        sizes = [16, 32, 48, 64] if component in stack.replicas else [1, 2, 4]
        limits[component] = float(rng.choice(sizes)) * GIB
    return limits


def export_containers(scene):
    for component in scene.stack.components:
        _export_container(scene, component)


def _export_container(scene, component):
    rng = scene.rng
    machine = scene.machines[component]
    lag_s = rng.uniform(2, 9)   # cAdvisor collects on its own clock

    def counter(name, total, **options):
        scene.scraper.counter(component, "cadvisor", f"container_{name}", total, lag_s=lag_s,
                              **options)

    def gauge(name, values):
        scene.scraper.gauge(component, "cadvisor", f"container_{name}", values, lag_s)

    counter("cpu_usage_seconds_total", np.cumsum(machine.cores))
    counter("cpu_cfs_throttled_seconds_total", machine.throttled_s, has_history=False)
    counter("cpu_cfs_throttled_periods_total", np.floor(machine.throttled_periods),
            has_history=False)
    gauge("memory_working_set_bytes", machine.memory_bytes)
    gauge("memory_rss", machine.memory_bytes * 0.82)
    gauge("spec_memory_limit_bytes", scene.constant(scene.memory_limits[component]))
    counter("network_transmit_bytes_total", np.cumsum(machine.sent_bytes))
    counter("network_receive_bytes_total", np.cumsum(machine.received_bytes))
    counter("network_transmit_packets_total", np.cumsum(machine.sent_packets))
    direction = "receive" if rng.random() < 0.5 else "transmit"
    counter(f"network_{direction}_packets_dropped_total", np.cumsum(machine.drops),
            has_history=False)
    counter("fs_writes_bytes_total", np.cumsum(machine.written_bytes))
    counter("fs_reads_bytes_total", np.cumsum(machine.read_bytes))
    counter("memory_failures_total", np.cumsum(machine.major_faults))
    if scene.is_replica(component):
        counter("oom_events_total", scene.num_out_of_memory(component), has_history=False,
                stays_total=True)
    own_processes = 14 if scene.is_replica(component) else 5
    gauge("processes", own_processes + machine.extra_processes)
    if scene.stack.has_container_pressure:
        counter("pressure_cpu_waiting_seconds_total", np.cumsum(machine.cpu_pressure))
        counter("pressure_io_waiting_seconds_total", np.cumsum(machine.io_wait))
        counter("pressure_memory_waiting_seconds_total", np.cumsum(machine.memory_pressure))


def export_kubernetes(scene):
    gateway = scene.stack.gateway
    for component in scene.stack.components:
        scene.scraper.gauge(component, "kube", "kube_pod_status_ready",
                            scene.machines[component].is_up)
        scene.scraper.counter(component, "kube", "kube_pod_container_status_restarts_total",
                              scene.num_restarts(component), has_history=False, stays_total=True)
    scene.scraper.gauge(gateway, "kube", "kube_deployment_status_replicas_available",
                        scene.series.is_up.sum(1))
    if scene.rng.random() < 0.4:
        scene.scraper.gauge(gateway, "kube",
                            "kube_horizontalpodautoscaler_status_desired_replicas",
                            scene.replicas_wanted())


def export_opentelemetry_pods(scene):
    for component in scene.stack.components:
        _export_opentelemetry_pod(scene, component)


def _export_opentelemetry_pod(scene, component):
    machine = scene.machines[component]

    def counter(name, total, **options):
        scene.scraper.counter(component, "otel", name, total, **options)

    def gauge(name, values):
        scene.scraper.gauge(component, "otel", name, values)

    cpu_limit = 8 if scene.is_replica(component) else 2
    gauge("k8s.pod.cpu.usage", machine.cores)
    gauge("k8s.pod.memory.working_set", machine.memory_bytes)
    gauge("k8s.pod.memory_limit_utilization",
          machine.memory_bytes / scene.memory_limits[component])
    counter("k8s.pod.network.io", np.cumsum(machine.sent_bytes))
    counter("k8s.pod.network.errors", np.cumsum(machine.drops), has_history=False)
    gauge("k8s.container.cpu_limit_utilization", np.clip(machine.cores / cpu_limit, 0, 1))
    gauge("k8s.container.restarts", scene.num_restarts(component))
    gauge("k8s.container.ready", machine.is_up)
    counter("system.disk.io_time", np.cumsum(machine.disk_busy))
    counter("system.paging.faults", np.cumsum(machine.major_faults))
