"""Draws a window's conditions and a fault for them, and simulates it."""
import dataclasses

from .faults import (NO_FAULT, Fault, Manifestation, replica_severity, service_severity,
                     usual_load)
from .serving.gateway import CPU_PER_OUTPUT_TOKEN_S, CPU_PER_REQUEST_S
from .serving.simulation import Simulation


@dataclasses.dataclass
class Wanted:
    """The fault that a window is made for."""
    kind: str
    target: object     # index of a replica, name of a service, GATEWAY, or None where all is sound
    onset: int         # s from the window's beginning
    seconds: int       # of the window
    load_drifts: bool  # the load goes up or down by a third or more, for no fault's sake


def simulate(stack, wanted, rng, attempt):
    """A simulation that has run. attempt counts from 0 and makes the fault harder."""
    deployment = _drawn_deployment(stack, rng)
    severity = _severity(stack, deployment, wanted, rng, attempt)
    manifestation = _manifestation(stack, deployment, wanted.kind, rng, attempt)
    if wanted.load_drifts:
        deployment.trend = float(rng.choice([-1, 1]) * rng.uniform(.3, .6))
    fault = Fault(wanted.kind, wanted.target, severity, wanted.onset, manifestation)
    simulation = Simulation(rng, deployment, fault, wanted.seconds)
    simulation.run()
    return simulation


def _drawn_deployment(stack, rng):
    deployment = dataclasses.replace(stack.deployment)
    if stack.services:
        deployment.services, deployment.paths = stack.services()
    deployment.requests_per_s *= rng.uniform(0.75, 1.3)
    deployment.prompt_tokens *= rng.uniform(0.7, 1.4)
    deployment.output_tokens *= rng.uniform(0.8, 1.25)
    deployment.trend = rng.normal(0, 0.15)
    deployment.wave = rng.uniform(0, 0.12)
    timeout_s = rng.choice([30., 60., 60., 90.])
    if deployment.timeout_s is None:
        deployment.timeout_s = timeout_s
    deployment.memory_share = rng.uniform(0.35, 0.6)
    deployment.ambient_c = rng.uniform(22, 32)
    deployment.num_retries = int(rng.integers(0, 2))
    return deployment


def _severity(stack, deployment, wanted, rng, attempt):
    kind = wanted.kind
    if kind == NO_FAULT:
        return 1
    if wanted.target in deployment.services:
        return service_severity(kind, rng.random(), attempt)
    if kind == "gateway_cpu_throttling":
        # Cores, from a little below what the load needs: the queue then grows slowly.
        needed = deployment.requests_per_s * stack.llm_share * (
            CPU_PER_REQUEST_S + CPU_PER_OUTPUT_TOKEN_S * deployment.output_tokens * 1.2)
        return needed * (1.02 - 0.15 * attempt * rng.random() + rng.uniform(-0.1, 0.02))
    return replica_severity(kind, usual_load(deployment, stack.llm_share), rng.random(), attempt)


def _manifestation(stack, deployment, kind, rng, attempt):
    """Draws everything whatever the kind, so that a seed's later draws do not depend on it."""
    burns_inside = rng.random() < 0.6
    burnt_cores = rng.uniform(3, 14)
    hang_gpu_utilisation = rng.choice([0.0, 0.45])
    hang_cores = rng.choice([0.02, 0.9])
    rng.random()   # decides nothing now; without it every later draw of a seed would change
    memory_fills_s = rng.uniform(25, 90)
    reload_s = rng.uniform(15, 35) if kind == "crash_loop" else rng.uniform(40, 120)
    life_s = rng.uniform(8, 30)
    stays_dead = rng.random() < 0.5
    kv_is_held = rng.random() < 0.6
    hot_replica = int(rng.integers(deployment.num_replicas))
    connect_timeout_s = rng.choice([2.0, 3.0, 5.0])
    unreachable_failing_share = 0.2 + 0.5 * rng.random()
    is_ejected = False
    if kind == "upstream_lost":
        is_ejected = attempt == 0 and rng.random() >= 0.6
        burns_inside = False
    if kind == "cpu_contention" and stack.contention_is_inside:
        burns_inside = True
    return Manifestation(
        burns_inside=burns_inside, burnt_cores=burnt_cores,
        hang_gpu_utilisation=hang_gpu_utilisation, hang_cores=hang_cores,
        memory_fills_s=memory_fills_s, reload_s=reload_s, life_s=life_s, stays_dead=stays_dead,
        kv_is_held=kv_is_held, hot_replica=hot_replica, connect_timeout_s=connect_timeout_s,
        unreachable_failing_share=unreachable_failing_share, is_ejected=is_ejected)
