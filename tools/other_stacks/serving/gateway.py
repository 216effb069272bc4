"""The gateway: admits, forwards, balances, retries, gives up; and the network behind it."""
from collections import deque

import numpy as np

from . import events
from .replicas import NO_QUOTA
from .services import retransmission_wait_s

CONNECTIONS_MAX = 1000
BACKLOG_MAX = 200                 # requests that wait for a connection
CPU_PER_REQUEST_S = 0.0015
CPU_PER_OUTPUT_TOKEN_S = 0.00004
CORES = 2
IDLE_CORES = 0.02
NETWORK_S = 0.0006                # to a replica, one way
RETRY_AFTER_S = 0.05
TOKENIZER_BASE_S = 0.0015
TOKENIZER_PER_TOKEN_S = 3e-6


class Gateway:
    """One process, one first-come queue of processor work; forwards each request to a replica.

    Faults set `connections_max`, `cpu_quota` (cores), `weights` (share of requests per replica),
    `ejected` (replicas that are out of the balancing though they are well) and `unreachable` (a
    replica that connections time out to). Not modelled: keep-alive, TLS, streaming back pressure.
    """

    def __init__(self, rng, deployment, requests, replicas, queue):
        self.rng = rng
        self.requests = requests
        self.replicas = replicas
        self.events = queue
        self.policy = deployment.policy
        self.timeout_s = deployment.timeout_s
        self.num_retries = deployment.num_retries
        self.entry_replicas = deployment.replicas_with_role("prefill")
        self.connections_max = CONNECTIONS_MAX
        self.cpu_quota = NO_QUOTA
        self.weights = None
        self.ejected = set()
        self.unreachable = None
        self.connect_timeout_s = 0.0
        self.unreachable_failing_share = 0.0
        self.failed_checks = set()      # replicas that health checks have taken out
        self.num_active = 0
        self.waiting = deque()          # for a connection
        self.free_at = 0.0
        self.cpu_used_s = 0.0           # in the current second
        self.throttled_s = 0.0
        self.outstanding = [0] * replicas.count
        self.held = set()               # requests that a replica has
        self.errors = []                # (time, replica or -1, status)
        self.attempts = []              # (begin, replica, seconds, status)
        self._turn = 0

    def arrive(self, time, request):
        requests = self.requests
        if np.isnan(requests.gateway_in[request]):
            requests.gateway_in[request] = time
        if self.num_active < self.connections_max:
            self.num_active += 1
            self.events.add(time, events.IS_FORWARDED, request)
        elif len(self.waiting) > BACKLOG_MAX:
            self._refuse(request, time + 0.002, 503, seen=time)
        else:
            self.waiting.append(request)

    def admit_waiting(self, now):
        while self.waiting and self.num_active < self.connections_max:
            request = self.waiting.popleft()
            came = self.requests.gateway_in[request]
            if now - came > self.timeout_s:
                self._refuse(request, now, 504, seen=now)
                continue
            self.requests.gateway_wait_s[request] += max(0, now - came)
            self.num_active += 1
            self.events.add(max(now, came), events.IS_FORWARDED, request)

    def forward(self, time, request):
        requests = self.requests
        ready = self._spend_cpu(time, request)
        replica = self._choose()
        requests.tries[request] += 1
        if replica is None or ready - time > self.timeout_s:
            self._give_up(request, ready, 503)
            self.errors.append((ready, -1, 503))
            return
        sent = ready
        if replica == self.unreachable:
            replica, sent = self._go_around(request, ready)
            if replica is None:
                return
        self.outstanding[replica] += 1
        requests.replica[request] = replica
        requests.forwarded[request] = sent
        requests.network_s[request] = self._network_s(replica)
        if not self.replicas.is_up[replica]:
            self.finish(request, sent + 0.004, 502)
            return
        reached = sent + requests.network_s[request]
        requests.reached_replica[request] = reached
        self.held.add(request)
        self.events.add(self._tokenized(request, replica, reached), events.REACHES_ENGINE, request,
                        replica)

    def finish(self, request, time, status):
        """A replica's answer, or its failure, comes back at `time`."""
        requests = self.requests
        replicas = self.replicas
        if requests.is_done[request]:
            return
        replica = requests.replica[request]
        lost_s = 0.0
        if replicas.packet_loss[replica] > 0 and status == 200:
            count = self.rng.binomial(5, replicas.packet_loss[replica])
            lost_s = retransmission_wait_s(self.rng, count, 0.2)
        back_s = replicas.network_delay_s[replica] / 2
        answered = time + back_s + lost_s
        self.outstanding[replica] -= 1
        self.held.discard(request)
        sent = requests.forwarded[request]
        self.attempts.append((sent, replica, answered - sent, status))
        if status != 200:
            decoding = requests.decode_replica[request]
            has_failed = decoding >= 0 and not replicas.is_up[decoding]
            self.errors.append((answered, int(decoding) if has_failed else replica, status))
            if requests.tries[request] <= self.num_retries and status in (502, 503):
                self.num_active -= 1
                self.events.add(answered + RETRY_AFTER_S, events.REACHES_GATEWAY, request)
                return
        self._give_up(request, answered, status)
        if status == 200:
            late_s = lost_s if self.rng.random() < 0.3 else 0
            requests.client_first_token[request] = requests.first_token[request] + back_s + late_s

    def overdue(self, now):
        """Requests that a replica has had for longer than the timeout."""
        requests = self.requests
        return [request for request in self.held
                if not requests.is_done[request]
                and now - requests.forwarded[request] > self.timeout_s]

    def close_second(self, now):
        """Cores used in the second that ends, and what it was throttled by so far (s)."""
        cores = self.cpu_used_s + IDLE_CORES
        if self.cpu_quota < NO_QUOTA:
            cores = min(self.cpu_quota * self.rng.uniform(0.95, 1), cores)
            behind_s = max(0, self.free_at - now)
            self.throttled_s += min(1.0, 0.2 + behind_s * 0.2)
        self.cpu_used_s = 0.0
        return cores, self.throttled_s

    def _refuse(self, request, time, status, seen):
        self.requests.close(request, time, status)
        self.errors.append((seen, -1, status))

    def _give_up(self, request, time, status):
        self.num_active -= 1
        self.requests.close(request, time, status)

    def _spend_cpu(self, time, request):
        """When the gateway has done its part of the work."""
        work_s = CPU_PER_REQUEST_S + CPU_PER_OUTPUT_TOKEN_S * self.requests.output_tokens[request]
        self.cpu_used_s += work_s
        cores = min(1.0, self.cpu_quota) if self.cpu_quota < NO_QUOTA else CORES
        begin = max(time, self.free_at)
        self.free_at = begin + work_s / cores * (0.5 + self.rng.random())
        self.requests.gateway_wait_s[request] += self.free_at - time
        return self.free_at

    def _choose(self):
        rng = self.rng
        choice = [replica for replica in self.entry_replicas
                  if replica not in self.failed_checks and replica not in self.ejected]
        if not choice:
            return None
        if self.weights is not None:
            weights = np.array([self.weights[replica] for replica in choice])
            return choice[int(rng.choice(len(choice), p=weights / weights.sum()))]
        if self.policy == "round_robin":
            self._turn += 1
            return choice[self._turn % len(choice)]
        if self.policy == "least_loaded":
            fewest = min(self.outstanding[replica] for replica in choice)
            least = [replica for replica in choice if self.outstanding[replica] == fewest]
            return least[int(rng.integers(len(least)))]
        one = choice[int(rng.integers(len(choice)))]
        other = choice[int(rng.integers(len(choice)))]
        return one if self.outstanding[one] <= self.outstanding[other] else other

    def _go_around(self, request, ready):
        """Waits until the connection attempt has timed out, then fails or takes another replica:
        (replica or None, when it is sent there)."""
        lost = self.unreachable
        given_up = ready + self.connect_timeout_s
        self.attempts.append((ready, lost, self.connect_timeout_s, 504))
        self.errors.append((given_up, lost, 504))
        if self.rng.random() < self.unreachable_failing_share:
            self._give_up(request, given_up, 504)
            return None, given_up
        others = [replica for replica in self.entry_replicas
                  if replica != lost and replica not in self.failed_checks]
        if not others:
            self._give_up(request, given_up, 502)
            return None, given_up
        self.requests.gateway_wait_s[request] += self.connect_timeout_s
        return others[int(self.rng.integers(len(others)))], given_up

    def _network_s(self, replica):
        rng = self.rng
        delay_s = self.replicas.network_delay_s[replica] * (1 + 0.1 * rng.standard_normal())
        network_s = NETWORK_S + abs(delay_s)
        loss = self.replicas.packet_loss[replica]
        if loss > 0:
            network_s += retransmission_wait_s(rng, rng.binomial(4, loss), 0.22)
            if rng.random() < loss * 0.5:
                network_s += 1.0
        return network_s

    def _tokenized(self, request, replica, reached):
        """When the replica's HTTP server and tokenizer, one thread, hand over to the engine."""
        replicas = self.replicas
        is_slowed = replicas.tokenizer_slowdown[replica] > 1
        storage_wait_s = replicas.storage_wait_s[replica]
        work_s = ((TOKENIZER_BASE_S + TOKENIZER_PER_TOKEN_S * self.requests.prompt_tokens[request])
                  * replicas.tokenizer_slowdown[replica]
                  * max(1.0, replicas.cpu_slowdown[replica] ** 1.5))
        if storage_wait_s > 0:
            work_s += self.rng.exponential(storage_wait_s)
        begin = reached
        if is_slowed or replicas.cpu_slowdown[replica] > 1:
            begin = max(reached, replicas.tokenizer_free_at[replica])
        if storage_wait_s <= 0 or is_slowed:
            replicas.tokenizer_free_at[replica] = begin + work_s
        return begin + work_s
