"""The machine or container of each component, second by second, before anyone looks at it."""
import numpy as np

from ..faults import CRASHES
from ..serving.random_walk import ornstein_uhlenbeck
from .scraper import per_second, per_second_change

LOAD_BYTES_PER_S = 3e8    # reading a model
RETRANSMIT_SHARE = 0.6    # of what is lost


class Machine:
    """Arrays [second]. Cores and *_bytes, *_packets, retransmits, drops and major_faults are per
    second, throttled_* are running totals, disk_busy, io_wait and *_pressure are shares of time.

    Not modelled: caches, memory bandwidth between neighbours, network queues.
    """

    def __init__(self, seconds):
        nothing = np.zeros(seconds)
        self.is_up = np.ones(seconds)
        self.cores = nothing
        self.neighbour_cores = nothing
        self.throttled_s = nothing
        self.throttled_periods = nothing
        self.memory_bytes = nothing
        self.sent_bytes = nothing
        self.received_bytes = nothing
        self.sent_packets = nothing
        self.received_packets = nothing
        self.retransmits = nothing
        self.drops = nothing
        self.major_faults = nothing
        self.written_bytes = nothing
        self.read_bytes = nothing
        self.disk_busy = nothing
        self.io_wait = nothing
        self.cpu_pressure = nothing
        self.memory_pressure = nothing
        self.extra_processes = nothing


def machines_of(scene):
    """A Machine per component."""
    return {component: _machine_of(scene, component) for component in scene.stack.components}


def _machine_of(scene, component):
    rng = scene.rng
    seconds = scene.seconds
    wobble = np.exp(ornstein_uhlenbeck(rng, seconds, 20, 0.06))
    spikes = np.zeros(seconds)
    for begin in np.nonzero(rng.random(seconds) < 1 / 300)[0]:
        end = begin + int(rng.integers(1, 4))
        spikes[begin:end] += rng.pareto(2.5) * 0.15
    limit = scene.memory_limits[component]
    if scene.is_replica(component):
        machine = _replica(scene, component, limit, wobble, spikes)
    elif component == scene.stack.gateway:
        machine = _gateway(scene, limit, wobble, spikes)
    else:
        machine = _service(scene, component, limit, wobble, spikes)
    _disturb(scene, component, machine, limit)
    machine.memory_bytes = np.minimum(machine.memory_bytes, limit * 0.999)
    return machine


def _replica(scene, component, limit, wobble, spikes):
    rng = scene.rng
    seconds = scene.seconds
    series = scene.series
    index = scene.stack.replicas.index(component)
    machine = Machine(seconds)
    machine.is_up = series.is_up[:, index]
    machine.cores = series.cores[:, index] * wobble + spikes * (machine.is_up > 0)
    machine.throttled_s = series.throttled_s[:, index]
    machine.throttled_periods = series.throttled_periods[:, index]
    machine.neighbour_cores = series.neighbour_cores[:, index]
    machine.memory_bytes = series.memory_share[:, index] * limit * (
        1 + ornstein_uhlenbeck(rng, seconds, 300, 0.01) + 1e-5 * rng.normal() * scene.second / 10)

    generated = per_second_change(series.generated_tokens[:, index])
    prompts = per_second_change(series.prompt_tokens[:, index])
    loss = series.packet_loss[:, index]
    passed = 1 - loss * 0.4
    machine.sent_bytes = ((generated * 280 + prompts * 0.2) * passed
                          + rng.lognormal(9.5, 0.4, seconds))
    machine.received_bytes = prompts * 5.2 + generated * 60 + rng.lognormal(9.3, 0.4, seconds)
    machine.sent_packets = generated * 1.3 * passed + 20 + rng.poisson(10, seconds)
    machine.received_packets = (generated * 0.9 + prompts * 0.004 + 20
                                + rng.poisson(10, seconds))
    machine.retransmits = (rng.poisson(0.05, seconds)
                           + rng.poisson(loss * (generated * 1.3 + 5) * RETRANSMIT_SHARE))
    machine.drops = rng.poisson(loss * (generated * 1.3 + 10)) * 1.0

    faults = series.major_faults_per_s[:, index]
    machine.major_faults = rng.poisson(0.02, seconds) + rng.poisson(faults)
    is_slow = series.storage_wait_s[:, index] > 0
    hog_bytes = 0
    written = rng.lognormal(9, 1.0, seconds)
    if scene.stack.slow_disk_writes or scene.disturbance.slow_disk_writes:
        hog_bytes = rng.lognormal(17, 0.3, seconds)
    machine.written_bytes = written + hog_bytes * is_slow
    machine.read_bytes = (rng.lognormal(5, 1.5, seconds) * (rng.random(seconds) < 0.2)
                          + faults * 4096)
    if scene.fault.kind in CRASHES:
        machine.read_bytes = machine.read_bytes + np.where(machine.is_up < 1, LOAD_BYTES_PER_S, 0)
    machine.disk_busy = np.clip(rng.lognormal(-4, 0.7, seconds)
                                + is_slow * rng.uniform(0.8, 1.0, seconds) + faults * 1e-4, 0, 1)
    machine.io_wait = np.clip(0.002 + is_slow * rng.uniform(0.3, 0.9, seconds), 0, 1)

    slower = series.step_s[:, index] / series.step_s[0:60, index].mean()
    is_throttled = np.diff(machine.throttled_s, prepend=0) > 0
    machine.cpu_pressure = np.clip(
        0.01 + 0.12 * (machine.neighbour_cores > 0) * np.minimum(5, slower) + is_throttled * 0.3,
        0, 1) * wobble
    machine.memory_pressure = np.clip(faults / 4000, 0, 0.9)
    return machine


def _gateway(scene, limit, wobble, spikes):
    rng = scene.rng
    seconds = scene.seconds
    series = scene.series
    machine = Machine(seconds)
    machine.cores = series.gateway_cores * wobble + spikes * 0.2
    machine.throttled_s = series.gateway_throttled_s
    machine.throttled_periods = series.gateway_throttled_s * 8
    machine.memory_bytes = (0.35 * limit * (1 + ornstein_uhlenbeck(rng, seconds, 300, 0.01))
                            + series.gateway_active * 60000)
    generated = per_second_change(series.generated_tokens.sum(1))
    prompts = per_second_change(series.prompt_tokens.sum(1))
    machine.sent_bytes = generated * 280 + prompts * 5 + rng.lognormal(9.5, 0.4, seconds)
    machine.received_bytes = generated * 280 + prompts * 5 + rng.lognormal(9.5, 0.4, seconds)
    machine.sent_packets = generated * 2 + 40 + rng.poisson(15, seconds)
    machine.received_packets = generated * 2 + 40 + rng.poisson(15, seconds)
    loss = series.packet_loss.max(1)
    machine.retransmits = rng.poisson(0.1, seconds) + rng.poisson(loss * 3)
    machine.major_faults = rng.poisson(0.02, seconds) * 1.
    machine.written_bytes = rng.lognormal(9, 1, seconds)
    machine.disk_busy = np.clip(rng.lognormal(-4.5, 0.7, seconds), 0, 1)
    machine.io_wait = scene.constant(0.002)
    is_throttled = np.diff(machine.throttled_s, prepend=0) > 0
    machine.cpu_pressure = np.clip(0.01 + is_throttled * 0.4, 0, 1)
    return machine


def _service(scene, component, limit, wobble, spikes):
    rng = scene.rng
    seconds = scene.seconds
    kind = scene.fault.kind
    service = scene.deployment.services[component]
    is_faulty = scene.since_onset & (scene.culprit == component)
    machine = Machine(seconds)
    middles = np.array(service.arrivals) + np.array(service.durations) * 0.5
    work = per_second(seconds, middles, np.array(service.works) * service.cpu_share)
    spread = np.convolve(work, np.ones(3) / 3, "same")
    machine.cores = spread * wobble + 0.02 + spikes * 0.1
    if kind == "cpu_contention":
        stolen = is_faulty * scene.disturbance.stolen_cores
        machine.cores = machine.cores + stolen * scene.disturbance.burns_inside
        machine.neighbour_cores = stolen
    if kind == "cpu_throttling":
        quota = max(0.05, np.percentile(machine.cores, 60) * 0.8)
        at_quota = np.minimum(machine.cores, quota * rng.uniform(0.93, 1, seconds))
        machine.cores = np.where(is_faulty, at_quota, machine.cores)
        machine.throttled_s = np.cumsum(is_faulty * rng.uniform(0.3, 1.5, seconds))
    machine.throttled_periods = machine.throttled_s * 6
    memory = 0.45 * limit * (1 + ornstein_uhlenbeck(rng, seconds, 300, 0.015))
    if kind == "memory_pressure":
        filled = np.clip((scene.second - scene.fault.onset) / 25, 0, 1) * is_faulty
        memory = memory * (1 - filled) + 0.985 * limit * filled
    machine.memory_bytes = memory

    calls = per_second(seconds, service.arrivals)
    machine.sent_bytes = calls * 3000 + rng.lognormal(8.5, 0.5, seconds)
    machine.received_bytes = calls * 1500 + rng.lognormal(8.5, 0.5, seconds)
    machine.sent_packets = calls * 6 + 8 + rng.poisson(4, seconds)
    machine.received_packets = calls * 6 + 8 + rng.poisson(4, seconds)
    loss = is_faulty * service.loss
    machine.retransmits = rng.poisson(0.03, seconds) + rng.poisson(loss * calls * 5)
    machine.drops = rng.poisson(loss * (calls * 6 + 3)) * 1.
    is_short = is_faulty * (kind == "memory_pressure")
    machine.major_faults = rng.poisson(0.02, seconds) + rng.poisson(is_short * 300)
    is_slow = is_faulty * (kind == "storage_slow")
    machine.written_bytes = rng.lognormal(8, 1, seconds)
    reads = 5 if component == "vector-db" else 0.2
    machine.read_bytes = rng.lognormal(8, 1, seconds) * reads * (1 + is_slow * 30)
    machine.disk_busy = np.clip(rng.lognormal(-4, 0.7, seconds)
                                + is_slow * rng.uniform(0.8, 1, seconds), 0, 1)
    machine.io_wait = np.clip(0.002 + is_slow * rng.uniform(0.3, 0.9, seconds), 0, 1)
    waits_for_cpu = is_faulty * (kind in ("cpu_contention", "cpu_throttling"))
    machine.cpu_pressure = np.clip(0.01 + waits_for_cpu * 0.4, 0, 1)
    machine.memory_pressure = is_short * 0.1
    return machine


def _disturb(scene, component, machine, limit):
    """Puts the window's harmless events on a machine."""
    rng = scene.rng
    second = scene.second
    event = scene.disturbance
    if component in event.saw_teeth:
        period_s, height = event.saw_teeth[component]
        into = second % period_s
        machine.memory_bytes = machine.memory_bytes + height * limit * (into / period_s)
        machine.cores = machine.cores + (into > period_s - 2) * 0.4
    if event.kind == "sidecar" and component not in scene.deployment.services:
        runs = second >= event.begin
        machine.memory_bytes = machine.memory_bytes + runs * 6e7
        machine.sent_packets = machine.sent_packets + runs * 4
        machine.received_packets = machine.received_packets + runs * 4
        machine.extra_processes = 1 * runs
        starts = runs & (second < event.begin + 8)
        machine.cores = machine.cores + starts * 0.3 + runs * 0.01
    if component != event.place:
        return
    lasts = (second >= event.begin) & (second < event.begin + event.length_s)
    if event.kind == "disk_spike":
        machine.written_bytes = (machine.written_bytes
                                 + lasts * rng.lognormal(17.5, 0.4, scene.seconds))
        machine.disk_busy = np.clip(machine.disk_busy + lasts * 0.5, 0, 1)
    if event.kind == "cpu_spike":
        machine.cores = machine.cores + lasts * rng.uniform(0.3, 0.9)
    if event.kind == "cron":
        machine.neighbour_cores = machine.neighbour_cores + lasts * 1.2
        machine.written_bytes = machine.written_bytes + lasts * 3e6
        machine.disk_busy = np.clip(machine.disk_busy + lasts * 0.25, 0, 1)
        machine.cores = machine.cores + lasts * 0.05
    if event.kind == "logrotate":
        rotates = (second >= event.begin) & (second < event.begin + 4)
        machine.written_bytes = machine.written_bytes + rotates * 8e7
        machine.read_bytes = machine.read_bytes + rotates * 8e7
