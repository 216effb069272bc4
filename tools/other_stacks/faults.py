"""The kinds of fault: what each changes, how strongly, and how it develops."""
import dataclasses

import numpy as np

REPLICA_FAULTS = (
    "gpu_power_cap", "gpu_thermal", "cpu_contention", "cpu_throttling", "memory_pressure",
    "network_delay", "packet_loss", "engine_hang", "engine_dead", "crash_loop", "replica_oom",
    "kv_exhaustion", "batch_limit", "tokenizer_cpu", "straggler", "storage_slow")
GATEWAY_FAULTS = ("router_imbalance", "connection_exhaustion", "gateway_cpu_throttling",
                  "upstream_lost")
LOAD_CHANGES = ("traffic_burst", "traffic_drop", "long_prompts", "long_outputs",
                "prefix_cache_miss")
NO_FAULT = "none"
CRASHES = ("crash_loop", "engine_dead", "replica_oom")
GATEWAY = "gateway"

HEALTH_CHECK_S = 8.0            # until a dead replica is taken out of the balancing
OUT_OF_MEMORY_EVERY_S = 100
MAJOR_FAULTS_PER_S = 400        # per unit of severity, once memory is short
MEMORY_SHARE_SHORT = 0.985
HEATING_S = 20
HOTTER_C = 18


def is_sound(kind):
    """No component is broken: nothing happens, or only the load changes."""
    return kind == NO_FAULT or kind in LOAD_CHANGES


def name_in_case(kind):
    """Throttling is one kind of fault, wherever it is."""
    return "cpu_throttling" if kind == "gateway_cpu_throttling" else kind


@dataclasses.dataclass
class Manifestation:
    """In which of several possible ways a fault shows; drawn once per window."""
    burns_inside: bool              # cpu_contention: within the victim's container, or beside it
    burnt_cores: float
    hang_gpu_utilisation: float     # an engine that hangs may spin
    hang_cores: float
    memory_fills_s: float           # replica_oom: until memory is full
    reload_s: float                 # a crashed replica's model
    life_s: float                   # crash_loop: between start and next crash
    stays_dead: bool
    kv_is_held: bool                # kv_exhaustion: counted as used, or the cache is smaller
    hot_replica: int                # router_imbalance's favourite, upstream_lost's loss
    connect_timeout_s: float
    unreachable_failing_share: float
    is_ejected: bool                # upstream_lost: taken out, not timing out


@dataclasses.dataclass
class Fault:
    kind: str
    target: object        # index of a replica, name of a service, GATEWAY, or None
    severity: float       # units: see replica_severity
    onset: int            # s from the window's beginning
    manifestation: Manifestation = None

    @property
    def replica(self):
        return self.target if isinstance(self.target, int) else None


@dataclasses.dataclass
class Usual:
    """The load that severities are measured by."""
    requests_in_flight: float    # per replica that decodes
    num_replicas: int
    prompt_tokens: float
    output_tokens: float
    kv_tokens: float


def usual_load(deployment, llm_share):
    """llm_share: of all requests, those that reach the LLM."""
    num_decoders = deployment.num_replicas
    if deployment.roles:
        num_decoders = len(deployment.replicas_with_role("decode"))
    in_flight = (deployment.requests_per_s * llm_share / num_decoders * deployment.output_tokens
                 * 1.2 * deployment.step_ms / 1000 * 1.35)
    return Usual(in_flight, deployment.num_replicas, deployment.prompt_tokens,
                 deployment.output_tokens, deployment.kv_tokens)


def replica_severity(kind, usual, draw, attempt):
    """How strong a fault of a replica or of the gateway, or a change of load, is.

    draw is uniform in [0, 1). attempt counts from 0: a fault that users did not feel is tried
    again, harder.
    """
    harder = 1 + 0.6 * attempt
    in_flight = usual.requests_in_flight
    kv_share = (in_flight * (usual.prompt_tokens * 1.28 + usual.output_tokens * 0.6)
                / usual.kv_tokens)
    return {
        "gpu_power_cap": (0.15 + 0.07 * draw) / (1 + 0.05 * attempt),   # share of rated power
        "gpu_thermal": 2.2 + 1.2 * draw + 0.6 * attempt,         # times the thermal resistance
        "cpu_contention": 1 + (2.5 + 4 * draw) * harder,         # times the CPU's part of a step
        "cpu_throttling": 1 + (3 + 5 * draw) * harder,           # likewise
        "memory_pressure": 1 + (3 + 5 * draw) * harder,          # likewise
        "network_delay": (0.15 + 0.6 * draw) * harder,           # s, both ways together
        "packet_loss": min(0.45, (0.06 + 0.14 * draw) * harder),   # share
        "engine_hang": 1,
        "engine_dead": 1,
        "crash_loop": 1,
        "replica_oom": 1,
        "kv_exhaustion": kv_share * (0.3 + 0.35 * draw) / harder,   # share of the cache left
        "batch_limit": max(1, round(in_flight * (0.3 + 0.35 * draw) / harder)),   # requests
        "tokenizer_cpu": (15 + 45 * draw) * harder,              # times a prompt's tokenization
        "straggler": 1.45 + 1.0 * draw + 0.5 * attempt,          # times the GPU's part of a step
        "storage_slow": (0.3 + 1.2 * draw) * harder,             # s per request, mean
        "router_imbalance": min(0.95, 0.72 + 0.18 * draw + 0.06 * attempt),   # share to one
        "connection_exhaustion":                                 # connections
            max(1, round(in_flight * usual.num_replicas * (0.35 + 0.4 * draw) / harder)),
        "upstream_lost": 1,
        "traffic_burst": 1.5 + 1.5 * draw,                       # times the requests
        "traffic_drop": 0.2 + 0.4 * draw,
        "long_prompts": 3 + 3 * draw,                            # times the tokens
        "long_outputs": 2 + 1.2 * draw,
        "prefix_cache_miss": 0.08 * draw,                        # share of the usual hits
    }[kind]


def service_severity(kind, draw, attempt):
    """Seconds of delay, share of packets lost, else factor on the service's work."""
    if kind == "network_delay":
        return (0.15 + 0.5 * draw) * (1 + attempt)
    if kind == "packet_loss":
        return min(.4, (0.08 + 0.15 * draw) * (1 + .5 * attempt))
    return (3 + 5 * draw) * (1 + 0.5 * attempt)


class FaultCourse:
    """Puts a fault on a simulation at its onset and lets it develop."""

    def __init__(self, fault, ramp_s, deployment, replicas, gateway, engines):
        self.fault = fault
        self.ramp_s = ramp_s
        self.deployment = deployment
        self.replicas = replicas
        self.gateway = gateway
        self.engines = engines
        self.events = []                                # (time, replica, fault kind or "restart")
        self._is_applied = False
        self._crashes = []                              # times
        self._dead_until = [0.0] * replicas.count
        self._taken_out_at = [0.0] * replicas.count     # by health checks

    def advance(self, now):
        fault = self.fault
        if fault.kind != NO_FAULT and now >= fault.onset:
            if not self._is_applied:
                self._is_applied = True
                self._apply()
            if fault.replica is not None:
                self._develop(now)
        self._restart_and_take_out(now)

    def _apply(self):
        if self.fault.target in self.deployment.services:
            self._apply_to_service(self.deployment.services[self.fault.target])
        elif self.fault.replica is not None:
            self._apply_to_replica(self.fault.replica)
        if self.fault.kind in GATEWAY_FAULTS:
            self._apply_to_gateway()

    def _apply_to_service(self, service):
        if self.fault.kind == "network_delay":
            service.delay_s = self.fault.severity
        elif self.fault.kind == "packet_loss":
            service.loss = self.fault.severity
        else:
            service.slowdown = self.fault.severity

    def _apply_to_replica(self, index):
        severity = self.fault.severity
        how = self.fault.manifestation
        replicas = self.replicas
        cut = 1 - severity
        changes = {
            "cpu_contention": (
                (replicas.cpu_slowdown, severity),
                (replicas.stolen_cores, how.burnt_cores if how.burns_inside else 0),
                (replicas.neighbour_cores, how.burnt_cores)),
            "cpu_throttling": (
                (replicas.cpu_slowdown, severity),
                (replicas.cpu_quota, max(0.15, 0.75 / severity))),
            "network_delay": ((replicas.network_delay_s, severity),),
            "packet_loss": ((replicas.packet_loss, severity),),
            "engine_hang": ((replicas.hangs, True),),
            "kv_exhaustion": ((replicas.kv_share, severity),),
            "batch_limit": ((replicas.slots, int(severity)),),
            "tokenizer_cpu": ((replicas.tokenizer_slowdown, severity),),
            "straggler": ((replicas.gpu_slowdown, severity),),
            "storage_slow": ((replicas.storage_wait_s, severity),),
            "gpu_power_cap": ((replicas.power_cap_w, self.deployment.gpu_watts * (1 - cut)),),
        }
        for condition, value in changes.get(self.fault.kind, ()):
            condition[index] = value

    def _apply_to_gateway(self):
        kind = self.fault.kind
        severity = self.fault.severity
        how = self.fault.manifestation
        gateway = self.gateway
        if kind == "router_imbalance":
            count = self.replicas.count
            gateway.weights = np.full(count, (1 - severity) / max(1, count - 1))
            gateway.weights[how.hot_replica] = severity
        elif kind == "connection_exhaustion":
            gateway.connections_max = int(severity)
        elif kind == "gateway_cpu_throttling":
            gateway.cpu_quota = severity
        elif how.is_ejected:
            gateway.ejected.add(how.hot_replica)
        else:
            gateway.unreachable = how.hot_replica
            gateway.connect_timeout_s = how.connect_timeout_s
            gateway.unreachable_failing_share = how.unreachable_failing_share

    def _develop(self, now):
        """What goes on changing after the onset."""
        kind = self.fault.kind
        severity = self.fault.severity
        index = self.fault.replica
        replicas = self.replicas
        since_s = now - self.fault.onset
        if kind == "gpu_thermal":
            heated = min(1, since_s / HEATING_S)
            replicas.thermal_resistance[index] = 1 + (severity - 1) * heated
            replicas.ambient_c[index] = self.deployment.ambient_c + HOTTER_C * heated
        elif kind == "memory_pressure":
            grown = min(1.0, since_s / max(1, self.ramp_s))
            usual = replicas.usual_memory_share
            short = max(0, (grown - 0.6) / 0.4)
            replicas.memory_share[index] = usual + (MEMORY_SHARE_SHORT - usual) * grown
            replicas.cpu_slowdown[index] = 1 + (severity - 1) * short
            replicas.major_faults_per_s[index] = MAJOR_FAULTS_PER_S * severity * short
        elif kind in CRASHES and self._crashes_now(now):
            self._crash(now)

    def _crashes_now(self, now):
        index = self.fault.replica
        how = self.fault.manifestation
        replicas = self.replicas
        is_first = not self._crashes
        if not replicas.is_up[index]:
            return False
        if self.fault.kind == "engine_dead":
            return is_first
        if self.fault.kind == "crash_loop":
            return is_first or now >= self._dead_until[index] + how.life_s
        if is_first:
            usual = replicas.usual_memory_share
            filled = (1.0 - usual) * (now - self.fault.onset) / how.memory_fills_s
            replicas.memory_share[index] = min(1.0, usual + filled)
        return (replicas.memory_share[index] >= 0.999
                and (is_first or now - self._crashes[-1] > OUT_OF_MEMORY_EVERY_S))

    def _crash(self, now):
        index = self.fault.replica
        self._crashes.append(now)
        self.replicas.crash(index)
        self.events.append((now, index, self.fault.kind))
        self.engines.lose_all(index, now)
        self._dead_until[index] = now + self.fault.manifestation.reload_s
        self._taken_out_at[index] = now + HEALTH_CHECK_S

    def _restart_and_take_out(self, now):
        fault = self.fault
        for index in range(self.replicas.count):
            if self.replicas.is_up[index]:
                continue
            is_gone = fault.kind == "engine_dead" and fault.manifestation.stays_dead
            if now >= self._dead_until[index] and not is_gone:
                self.replicas.restart(index)
                self.gateway.failed_checks.discard(index)
                self.events.append((now, index, "restart"))
            elif now >= self._taken_out_at[index]:
                self.gateway.failed_checks.add(index)

