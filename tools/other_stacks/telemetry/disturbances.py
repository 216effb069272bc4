"""Harmless events of a window: what monitoring shows though nothing is wrong."""
import dataclasses

# "plain" stands for none of them.
KINDS = ("plain", "disk_spike", "cpu_spike", "scrape_gap", "gc", "cron", "autoscaler", "logrotate",
         "reload", "sidecar", "drift")
WITHOUT_PLACE = ("plain", "gc", "sidecar", "autoscaler", "reload", "drift")


@dataclasses.dataclass
class Disturbance:
    """One harmless event, and how a few faults look in this window's machines."""
    kind: str
    place: str                 # component
    begin: int                 # s from the window's beginning
    length_s: int
    stolen_cores: float        # by cpu_contention of a service
    burns_inside: bool         # cpu_contention shows within the victim's container
    slow_disk_writes: bool     # storage_slow shows as a writer, where the stack leaves it open
    saw_teeth: dict            # component: (period in s, share of the memory limit), collectors

    @property
    def note(self):
        return self.kind if self.kind in WITHOUT_PLACE else f"{self.kind} at {self.place}"


def draw_disturbance(rng, stack, kind, begin, fault, is_of_service):
    components = stack.components
    place = str(rng.choice(components))
    length_s = int(rng.uniform(20, 120))
    stolen_cores = float(rng.uniform(1, 4))
    burns_inside = fault.manifestation.burns_inside
    if is_of_service:
        burns_inside = stack.contention_is_inside or rng.random() < .6
    slow_disk_writes = bool(rng.random() < .5)
    saw_teeth = {}
    for component in components:
        if rng.random() < (.5 if kind == "gc" else .12):
            saw_teeth[component] = (int(rng.uniform(40, 240)), float(rng.uniform(.02, .12)))
    if kind == "scrape_gap":
        length_s = int(rng.uniform(2, 5) * stack.scrape_s)
    return Disturbance(kind, place, begin, length_s, stolen_cores, burns_inside, slow_disk_writes,
                       saw_teeth)
