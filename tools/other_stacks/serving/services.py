"""Ordinary microservices in front of, or beside, the LLM."""
import dataclasses
import heapq
import math

TIMEOUT_S = 20.0


def retransmission_wait_s(rng, count, first_s):
    """What `count` lost segments cost, each sent again after first_s, twice or four times that."""
    return sum(first_s * 2 ** int(rng.integers(0, 3)) for _ in range(count))


@dataclasses.dataclass
class Path:
    """One kind of request: its share of the load, the services it passes in order, and whether it
    then goes on to the LLM."""
    weight: float
    services: tuple
    reaches_llm: bool


class Service:
    """A number of workers and one first-come queue. Work is log-normal, one call in a hundred takes
    four times as long. Not modelled: connection pools, retries, garbage collection.

    A fault sets `slowdown` (factor on work), `delay_s` (network, both ways together) or `loss`
    (share of packets).
    """

    def __init__(self, name, workers, mean_s, variation, cpu_share, waits_for=(),
                 spans_whole_request=False, waits_for_llm=False):
        self.name = name
        self.mean_s = mean_s
        self.variation = variation                      # standard deviation over mean of the work
        self.cpu_share = cpu_share                      # of the work that is processor time
        self.waits_for = waits_for                      # services whose time its own latency holds
        self.spans_whole_request = spans_whole_request  # the front: its latency is the client's
        self.waits_for_llm = waits_for_llm
        self.free_at = [0.0] * workers                  # heap, per worker
        self.slowdown = 1.0
        self.delay_s = 0.0
        self.loss = 0.0
        self.arrivals = []                              # per call: s, and below s each
        self.durations = []
        self.works = []

    def serve(self, arrival, rng):
        """When the answer is back (s), and whether it came in time."""
        network_s = 0.0
        if self.delay_s:
            network_s = self.delay_s * (1 + 0.1 * rng.standard_normal())
        if self.loss:
            network_s += retransmission_wait_s(rng, rng.binomial(6, self.loss), 0.2)
            if rng.random() < self.loss * self.loss * 2:
                network_s += 1.0
        worker_free = heapq.heappop(self.free_at)
        spread = math.sqrt(math.log(1 + self.variation * self.variation))
        work = self.mean_s * math.exp(spread * rng.standard_normal() - spread * spread / 2)
        if rng.random() < 0.01:
            work *= 4
        end = max(arrival + network_s / 2, worker_free) + work * self.slowdown
        heapq.heappush(self.free_at, end)
        answered = end + network_s / 2
        in_time = answered - arrival < TIMEOUT_S
        if not in_time:
            answered = arrival + TIMEOUT_S
        self.arrivals.append(arrival)
        self.durations.append(answered - arrival)
        self.works.append(work)
        return answered, in_time
