"""What exporters look at: a simulation that has run, and the machines around it."""
import dataclasses

import numpy as np

from .disturbances import Disturbance
from .scraper import Scraper, per_second

GIB = 2 ** 30


@dataclasses.dataclass
class Scene:
    stack: object
    simulation: object
    rng: np.random.Generator
    scraper: Scraper
    disturbance: Disturbance
    culprit: str                 # component, None where all is sound
    memory_limits: dict          # component: bytes
    machines: dict               # component: Machine

    def __post_init__(self):
        self.seconds = self.simulation.seconds
        self.second = np.arange(self.seconds)
        self.series = self.simulation.series
        self.requests = self.simulation.requests
        self.fault = self.simulation.fault
        self.deployment = self.simulation.deployment
        self.since_onset = self.second >= self.fault.onset

    @property
    def numbered_replicas(self):
        return enumerate(self.stack.replicas)

    def is_replica(self, component):
        return component in self.stack.replicas

    def totals(self, times):
        """Running total [second] of events at these times (s)."""
        return np.cumsum(per_second(self.seconds, times))

    def constant(self, value):
        return np.full(self.seconds, value)

    def times_of(self, replica, what):
        """Of an event of the fault's course: a kind of crash, or "restart"."""
        return [time for time, where, kind in self.simulation.course.events
                if where == replica and kind == what]

    def num_restarts(self, component):
        count = np.zeros(self.seconds)
        if self.is_replica(component):
            for time in self.times_of(self.stack.replicas.index(component), "restart"):
                count[int(time):] += 1
        return count

    def num_out_of_memory(self, component):
        times = []
        if self.is_replica(component):
            times = self.times_of(self.stack.replicas.index(component), "replica_oom")
        return np.cumsum(np.isin(self.second, [int(time) for time in times]))

    def error_totals(self, replica):
        """Errors that the gateway saw of a replica, [second]."""
        return self.totals([time for time, where, _ in self.simulation.gateway.errors
                            if where == replica])

    def replicas_wanted(self):
        """By an autoscaler: [second]."""
        event = self.disturbance
        more = 1.0 * (self.second >= event.begin) if event.kind == "autoscaler" else 0
        return self.deployment.num_replicas + more + np.zeros(self.seconds)
