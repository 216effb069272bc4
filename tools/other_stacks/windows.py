"""Which windows are made of a stack, and each of them from its seed to its folder."""
import dataclasses
import pathlib
import zlib

import numpy as np

from .case_folder import write_case
from .faults import GATEWAY, GATEWAY_FAULTS, LOAD_CHANGES, NO_FAULT, is_sound, name_in_case
from .impact import FELT_RATIO_MIN, user_impact
from .stacks import STACKS
from .telemetry.disturbances import KINDS, draw_disturbance
from .telemetry.observe import observe
from .window_simulation import Wanted, simulate

SEEDS = {"dev": 101, "held": 9077}
BROKEN_SHARE = 0.62      # of the windows
ATTEMPTS_MAX = 5         # to make a fault that users feel
EPOCH_MIN = 1790000000   # Unix time, s
EPOCHS = 5000000


@dataclasses.dataclass
class Window:
    """What to make; number, within the stack, and half decide the seed."""
    folder: pathlib.Path   # of the half
    half: str
    stack: str
    number: int
    service: str           # that breaks; None: a replica, the gateway, or nothing
    kind: str


@dataclasses.dataclass
class Label:
    culprit: str           # component, None where all is sound
    alert: int             # s from the window's beginning
    note: str
    user_impact: dict


def plan(folder, half, stack, count):
    """`count` windows: about three in five with a broken component, the rest sound, of which at
    least three have a change of load."""
    rng = np.random.default_rng([SEEDS[half], _number_of(stack.name)])
    num_broken = int(round(count * BROKEN_SHARE))
    faults = list(stack.faults)
    rng.shuffle(faults)
    service_faults = list(stack.service_faults)
    rng.shuffle(service_faults)
    num_of_services = max(1, int(num_broken * stack.service_fault_share))
    pool = []
    while len(pool) < num_broken:
        of_services = service_faults[:num_of_services]
        num_others = len(faults)
        if service_faults:
            num_others = num_broken - len(of_services)
        pool += of_services + [(None, fault) for fault in faults[:num_others]]
    num_sound = count - num_broken
    loads = list(LOAD_CHANGES)
    rng.shuffle(loads)
    sound = [(None, kind) for kind in loads[:min(num_sound, max(3, num_sound // 2 - 1))]]
    sound += [(None, NO_FAULT)] * (num_sound - len(sound))
    return [Window(folder, half, stack.name, number, service, kind)
            for number, (service, kind) in enumerate(pool[:num_broken] + sound)]


def make(window):
    """Simulates, observes and writes a window; False where users felt nothing of its fault, even
    of the hardest, and nothing was written."""
    stack = STACKS[window.stack]
    key = [SEEDS[window.half], _number_of(window.stack), window.number, 77]
    rng = np.random.default_rng(key)
    onset, seconds, alert_delay_s = _times(rng)
    if window.kind == NO_FAULT:
        alert_delay_s = 0
    target, culprit = _target(stack, window, rng)
    disturbance_kind = _disturbance_kind(window, rng)
    wanted = Wanted(window.kind, target, onset, seconds, disturbance_kind == "drift")
    simulation, impact = _simulate_until_felt(stack, window, wanted, key)
    if simulation is None:
        return False
    begin = (onset + int(rng.uniform(-10, 30)) if window.kind == NO_FAULT
             else int(rng.uniform(100, seconds - 60)))
    disturbance = draw_disturbance(rng, stack, disturbance_kind, begin, simulation.fault,
                                   is_of_service=window.service is not None)
    scraper = observe(stack, simulation, disturbance, culprit, np.random.default_rng(key + [99]))
    epoch = EPOCH_MIN + int(rng.integers(0, EPOCHS))
    label = Label(culprit, onset + alert_delay_s, disturbance.note, impact)
    name = f"{culprit or 'svc'}_{name_in_case(window.kind)}"
    write_case(window.folder / stack.name / name / str(window.number), stack, simulation, scraper,
               label, epoch, rng)
    return True


def _number_of(name):
    """A number for seeds that does not depend on the stack's place in a list."""
    return zlib.crc32(name.encode())


def _times(rng):
    """Onset, window's length and the alert's delay, s: mostly short histories, some delays of
    minutes."""
    onset = int(300 + 1500 * rng.beta(1.0, 3.0))
    after_s = int(rng.uniform(120, 480))
    is_late = rng.random() < 0.3
    delay_s = int(rng.uniform(60, 240) if is_late else rng.uniform(0, 25))
    return onset, onset + max(after_s, delay_s + 60), delay_s


def _target(stack, window, rng):
    """What the fault is put on, and the name of the component that is broken then."""
    if is_sound(window.kind):
        return None, None
    if window.service:
        return window.service, window.service
    if window.kind in GATEWAY_FAULTS:
        return GATEWAY, stack.gateway
    deployment = stack.deployment
    replica = int(rng.integers(deployment.num_replicas))
    if deployment.roles and window.kind in ("kv_exhaustion", "batch_limit"):
        replica = int(rng.choice(deployment.replicas_with_role("decode")))
    if deployment.roles and window.kind == "tokenizer_cpu":
        replica = int(rng.choice(deployment.replicas_with_role("prefill")))
    return replica, stack.replicas[replica]


def _disturbance_kind(window, rng):
    """Most sound windows have a harmless event; a third of the others."""
    if window.kind != NO_FAULT and rng.random() >= 0.35:
        return "plain"
    kind = str(rng.choice(KINDS))
    return "plain" if window.kind == NO_FAULT and window.number % 4 == 0 else kind


def _simulate_until_felt(stack, window, wanted, key):
    """(simulation, impact), or (None, None): a fault that nobody feels is no incident."""
    replica = wanted.target if isinstance(wanted.target, int) else None
    for attempt in range(ATTEMPTS_MAX):
        rng = np.random.default_rng(key + [attempt])
        simulation = simulate(stack, wanted, rng, attempt)
        ratio, felt = user_impact(simulation, replica, window.service)
        if is_sound(window.kind) or ratio >= FELT_RATIO_MIN:
            return simulation, {"ratio": ratio, **felt}
    return None, None
