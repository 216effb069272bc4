"""One window of a serving stack, from its clients to its GPUs, in ticks of half a second."""
from . import events
from .engines import Engines
from .gateway import Gateway
from .gpus import Gpus
from .load import LoadChange, Requests, rate_curve
from .replicas import Replicas
from .series import Series
from ..faults import FaultCourse

TICK_S = 0.5
TICKS_PER_SECOND = 2


class Simulation:
    """Clients, services and gateway are exact queues; the engines advance in ticks.

    After run(): `requests` (one row each), `gateway.attempts` and `gateway.errors`, `series` (per
    second), `course.events` (crashes and restarts), `replicas`, and the services' calls.
    """

    def __init__(self, rng, deployment, fault, seconds):
        self.rng = rng
        self.deployment = deployment
        self.fault = fault
        self.seconds = seconds
        self.events = events.Events()

    def run(self):
        self._set_up()
        for tick in range(self.seconds * TICKS_PER_SECOND):
            now = tick * TICK_S
            end = now + TICK_S
            self.course.advance(now)
            for event in self.events.before(end):
                self._handle(*event)
            self.gateway.admit_waiting(now)
            self.engines.advance(now, end)
            if tick % TICKS_PER_SECOND == 0:
                overdue = self.gateway.overdue(now)
                if overdue:
                    self.engines.time_out(overdue, now)
            else:
                self.series.record(int(now), now)

    def _set_up(self):
        rng = self.rng
        deployment = self.deployment
        fault = self.fault
        rate = rate_curve(rng, deployment, self.seconds, fault.onset)
        ramp_s = int(rng.uniform(3, 40))
        change = LoadChange(fault, self.seconds, ramp_s)
        rate *= change.rate
        self.requests = Requests(rng, deployment, rate, change)
        self.replicas = Replicas(deployment)
        self.gateway = Gateway(rng, deployment, self.requests, self.replicas, self.events)
        gpus = Gpus(deployment, self.replicas)
        self.engines = Engines(rng, deployment, self.requests, self.replicas, gpus, self.gateway,
                               self.events, fault.manifestation)
        self.course = FaultCourse(fault, ramp_s, deployment, self.replicas, self.gateway,
                                  self.engines)
        self.series = Series(rng, fault, rate, self.seconds, deployment, self.replicas, gpus,
                             self.engines, self.gateway)
        first = events.CALLS_SERVICE if deployment.paths else events.REACHES_GATEWAY
        for request, time in enumerate(self.requests.arrival):
            self.events.add(time, first, request)

    def _handle(self, time, kind, request, place):
        if kind == events.CALLS_SERVICE:
            self._call_service(time, request, place)
        elif kind == events.REACHES_GATEWAY:
            self.gateway.arrive(time, request)
        elif kind == events.IS_FORWARDED:
            self.gateway.forward(time, request)
        elif kind == events.REACHES_ENGINE:
            self._enter_engine(time, request, place)
        else:
            self._start_decoding(time, request, place)

    def _call_service(self, time, request, position):
        """Passes the request to the next service of its path, and to the LLM after the last."""
        path = self.deployment.paths[self.requests.path[request]]
        if position == len(path.services):
            if path.reaches_llm:
                self.events.add(time, events.REACHES_GATEWAY, request)
            else:
                self.requests.close(request, time, 200)
            return
        name = path.services[position]
        answered, is_ok = self.deployment.services[name].serve(time, self.rng)
        self.requests.service_calls[request].append((name, time, answered - time, is_ok))
        if is_ok:
            self.events.add(answered, events.CALLS_SERVICE, request, position + 1)
        else:
            self.requests.close(request, answered, 504)

    def _enter_engine(self, time, request, replica):
        requests = self.requests
        if requests.is_done[request] or requests.replica[request] != replica:
            return
        if not self.replicas.is_up[replica]:
            self.gateway.finish(request, time, 502)
            return
        requests.queued[request] = time
        self.engines.waiting[replica].append(request)

    def _start_decoding(self, time, request, replica):
        if self.requests.is_done[request]:
            return
        if not self.replicas.is_up[replica]:
            self.gateway.finish(request, time, 502)
            return
        self.engines.transferred[replica].append(request)
