"""The node exporter; each component has a machine of its own."""
import numpy as np

LOAD_MEMORY_S = 60


def export_nodes(scene):
    for component in scene.stack.components:
        _export_node(scene, component)


def _export_node(scene, component):
    rng = scene.rng
    machine = scene.machines[component]
    is_culprit = component == scene.culprit

    def counter(name, total, **options):
        scene.scraper.counter(component, "node", f"node_{name}", total, **options)

    def gauge(name, values):
        scene.scraper.gauge(component, "node", f"node_{name}", values)

    num_cores = float(rng.choice([8, 16, 32])) if scene.is_replica(component) else 4.0
    memory_bytes = scene.memory_limits[component] * 2
    busy = _busy_cores(scene, machine, num_cores, is_culprit)
    io_wait = np.minimum(machine.io_wait * 1.5, num_cores - busy)
    if scene.stack.view == "counters":
        counter("cpu_idle_seconds_total", np.cumsum(np.clip(num_cores - busy - io_wait, 0, None)))
        counter("cpu_iowait_seconds_total", np.cumsum(io_wait))
        counter("cpu_user_seconds_total", np.cumsum(busy * 0.85))
        counter("cpu_system_seconds_total", np.cumsum(busy * 0.15))
    else:
        gauge("cpu", busy / num_cores)
    gauge("load1", np.round(_load(busy, machine, scene.seconds), 2))
    # Whoever takes the memory away is on the machine too.
    takers = 1.95 if scene.fault.kind == "memory_pressure" and is_culprit else 1.0
    gauge("memory_MemAvailable_bytes",
          np.clip(memory_bytes - machine.memory_bytes * takers, 2e8, None))
    gauge("memory_MemTotal_bytes", scene.constant(memory_bytes))
    counter("disk_io_time_seconds_total", np.cumsum(machine.disk_busy))
    counter("disk_written_bytes_total", np.cumsum(machine.written_bytes))
    counter("disk_read_bytes_total", np.cumsum(machine.read_bytes))
    counter("network_transmit_bytes_total", np.cumsum(machine.sent_bytes))
    counter("network_receive_bytes_total", np.cumsum(machine.received_bytes))
    counter("netstat_Tcp_RetransSegs", np.cumsum(machine.retransmits))
    counter("netstat_Tcp_OutSegs", np.cumsum(machine.sent_packets))
    counter("vmstat_pgmajfault", np.cumsum(machine.major_faults))
    if rng.random() < 0.6:
        counter("pressure_cpu_waiting_seconds_total", np.cumsum(machine.cpu_pressure))
        counter("pressure_io_waiting_seconds_total", np.cumsum(machine.io_wait))
        counter("pressure_memory_stalled_seconds_total", np.cumsum(machine.memory_pressure))
    counter("vmstat_oom_kill", scene.num_out_of_memory(component), has_history=False,
            stays_total=True)


def _busy_cores(scene, machine, num_cores, is_culprit):
    is_contended = scene.fault.kind == "cpu_contention"
    # What burns inside the container is in its cores already.
    beside = 0 if is_contended and scene.disturbance.burns_inside else 1
    busy = np.clip(machine.cores + machine.neighbour_cores * beside + 0.1, 0, num_cores)
    if is_contended and is_culprit:
        full = num_cores * scene.rng.uniform(0.9, 1, scene.seconds)
        busy = np.where(machine.neighbour_cores > 0, full, busy)
    return busy


def _load(busy, machine, seconds):
    runnable = busy + machine.io_wait * 4 + machine.neighbour_cores
    history = np.concatenate([np.full(LOAD_MEMORY_S, busy[0]), runnable])
    return np.convolve(history, np.ones(LOAD_MEMORY_S) / LOAD_MEMORY_S, "valid")[:seconds]
