"""The engine replicas: admission, prefill, decoding in batches, preemption."""
from collections import deque

import numpy as np

from . import events
from .services import retransmission_wait_s

ADMIT_KV_SHARE_MAX = 0.98      # of the KV cache that admitting a prompt may fill
PREEMPT_KV_SHARE = 0.97        # to which preemption brings it down
PREFILL_SHARE_BESIDE_DECODING = 0.75
DECODING_LOST_TO_PREFILL = 0.75
PREFILL_START_S = 0.004
KV_TRANSFER_BASE_S = 0.01
KV_TRANSFER_PER_TOKEN_S = 8e-6


class Batch:
    """The requests that decode, on all replicas: one array per property, in order of joining."""

    def __init__(self):
        self.request = np.empty(0, int)
        self.replica = np.empty(0, int)
        self.tokens_left = np.empty(0)
        self.kv_tokens = np.empty(0)
        self.joining = []   # (request, replica, tokens left, KV tokens), from the next tick on

    def __len__(self):
        return len(self.request)

    def take_in(self):
        if not self.joining:
            return
        request, replica, tokens_left, kv_tokens = zip(*self.joining)
        self.request = np.concatenate([self.request, request]).astype(int)
        self.replica = np.concatenate([self.replica, replica]).astype(int)
        self.tokens_left = np.concatenate([self.tokens_left, tokens_left])
        self.kv_tokens = np.concatenate([self.kv_tokens, kv_tokens])
        self.joining = []

    def keep(self, mask):
        self.request = self.request[mask]
        self.replica = self.replica[mask]
        self.tokens_left = self.tokens_left[mask]
        self.kv_tokens = self.kv_tokens[mask]

    def sum_by_replica(self, num_replicas, values=None):
        """Sums of `values`, or counts, as floats."""
        return np.bincount(self.replica, weights=values, minlength=num_replicas).astype(float)


class Prefill:
    __slots__ = ("request", "tokens_left", "admitted")

    def __init__(self, request, tokens_left, admitted):
        self.request = request
        self.tokens_left = tokens_left
        self.admitted = admitted


class Engines:
    """All replicas advance together in ticks; prefill is exact within a tick.

    A step's time grows with the batch and with the KV cache's fill, and with a lower clock.
    Prefill takes turns with decoding. Where roles are separated, a prefilled request's KV cache
    goes over the network to a replica that decodes. Not modelled: speculative decoding, adapters,
    tensor parallelism, chunked prefill's budget.
    """

    def __init__(self, rng, deployment, requests, replicas, gpus, gateway, queue, manifestation):
        self.rng = rng
        self.deployment = deployment
        self.requests = requests
        self.replicas = replicas
        self.gpus = gpus
        self.gateway = gateway
        self.events = queue
        self.hang_utilisation = manifestation.hang_gpu_utilisation
        self.decoders = deployment.replicas_with_role("decode")
        count = replicas.count
        self.waiting = [deque() for _ in range(count)]
        self.prefilling = [deque() for _ in range(count)]
        self.transferred = [deque() for _ in range(count)]   # KV cache is there, no slot yet
        self.batch = Batch()
        self.prefill_until = [0.0] * count
        self.prefill_share = np.zeros(count)    # of the last tick
        self.num_decoding = np.zeros(count)
        self.kv_used = np.zeros(count)          # tokens
        self.kv_capacity = np.zeros(count)
        self.gpu_step_s = np.zeros(count)
        self.step_s = np.zeros(count)           # with the CPU's part
        self.steps_per_s = np.zeros(count)

    def lose_all(self, replica, now):
        """The engine's process is gone, and with it every request that it had."""
        batch = self.batch
        lost = [*self.waiting[replica],
                *(item.request for item in self.prefilling[replica]),
                *self.transferred[replica],
                *batch.request[batch.replica == replica],
                *(item[0] for item in batch.joining if item[1] == replica)]
        batch.joining = [item for item in batch.joining if item[1] != replica]
        batch.keep(batch.replica != replica)
        for queue in (self.waiting, self.prefilling, self.transferred):
            queue[replica].clear()
        self.replicas.tokenizer_free_at[replica] = 0
        for request in lost:
            self.gateway.finish(int(request), now, 502)

    def time_out(self, overdue, now):
        late = set(overdue)
        batch = self.batch
        for replica in range(self.replicas.count):
            self.waiting[replica] = deque(x for x in self.waiting[replica] if x not in late)
            self.transferred[replica] = deque(x for x in self.transferred[replica] if x not in late)
            self.prefilling[replica] = deque(x for x in self.prefilling[replica]
                                             if x.request not in late)
        # An engine that hangs does not notice that its clients have left.
        batch.keep(~np.isin(batch.request, overdue) | self.replicas.hangs[batch.replica])
        batch.joining = [item for item in batch.joining if item[0] not in late]
        for request in overdue:
            self.gateway.finish(request, now, 504)

    def advance(self, now, end):
        """One tick, [now, end) in s."""
        replicas = self.replicas
        self.batch.take_in()
        self.num_decoding = self.batch.sum_by_replica(replicas.count)
        self.kv_used = self.batch.sum_by_replica(replicas.count, self.batch.kv_tokens)
        for replica in range(replicas.count):
            self.kv_used[replica] += sum(self.requests.prompt_tokens[item.request]
                                         for item in self.prefilling[replica])
        self.kv_capacity = self.deployment.kv_tokens * replicas.kv_share
        self.gpus.advance(end - now, self.num_decoding, self.prefill_share, self.hang_utilisation)
        self._pace()
        for replica in range(replicas.count):
            self._admit_and_prefill(replica, now, end)
        self._decode(now, end)
        replicas.steps += self.steps_per_s * (self.num_decoding > 0) * (end - now)

    def _pace(self):
        """Sets how long a step takes in this tick, and so how many fit into a second."""
        replicas = self.replicas
        clock_factor = 0.35 + 0.65 * self.gpus.clock
        kv_fill = np.clip(self.kv_used / self.deployment.kv_tokens, 0, 1.2)
        self.gpu_step_s = (self.deployment.step_ms / 1000
                           * (1 + 0.012 * self.num_decoding + 0.25 * kv_fill)
                           * replicas.gpu_slowdown / clock_factor)
        self.step_s = self.gpu_step_s + self.deployment.step_cpu_s * replicas.cpu_slowdown
        self.steps_per_s = np.where(~replicas.hangs & replicas.is_up, 1 / self.step_s, 0.0)

    def _admit_and_prefill(self, replica, now, end):
        if not self.replicas.is_up[replica] or self.replicas.hangs[replica]:
            self.prefill_share[replica] = 0
            return
        num_running = self._admit(replica, now)
        busy_s = self._prefill(replica, now, end)
        self.prefill_share[replica] = min(1.0, max(0, busy_s) / (end - now))
        self._start_decoding_transferred(replica, num_running, now)

    def _admit(self, replica, now):
        """Moves requests from the queue to prefill; returns how many run then."""
        requests = self.requests
        replicas = self.replicas
        waiting = self.waiting[replica]
        prefilling = self.prefilling[replica]
        num_slots = replicas.slots[replica] - len(prefilling)
        num_running = self.num_decoding[replica]
        kv_max = self.kv_capacity[replica] * ADMIT_KV_SHARE_MAX
        while waiting and num_running < num_slots:
            prompt_tokens = requests.prompt_tokens[waiting[0]]
            is_idle = num_running == 0 and not prefilling
            if self.kv_used[replica] + prompt_tokens > kv_max and not is_idle:
                break
            request = waiting.popleft()
            requests.admitted[request] = max(requests.queued[request], now)
            cached = int(prompt_tokens * requests.cached_share[request])
            replicas.cache_queried_tokens[replica] += prompt_tokens
            replicas.cache_hit_tokens[replica] += cached
            replicas.prompt_tokens[replica] += prompt_tokens
            again = requests.tokens_before_preemption.get(request, 0)
            prefilling.append(Prefill(request, max(8, prompt_tokens - cached + again),
                                      requests.admitted[request]))
            num_running += 1
            self.kv_used[replica] += prompt_tokens
        return num_running

    def _prefill(self, replica, now, end):
        """Prefills one prompt after the other; returns the seconds that this took."""
        replicas = self.replicas
        prefilling = self.prefilling[replica]
        share = PREFILL_SHARE_BESIDE_DECODING if self.num_decoding[replica] > 0 else 1.0
        tokens_per_s = (self.deployment.prefill_tokens_per_s * self.gpus.clock[replica] * share
                        / replicas.gpu_slowdown[replica]
                        / (1 + 0.25 * (replicas.cpu_slowdown[replica] - 1)))
        until = self.prefill_until[replica]
        busy_s = 0.0
        while prefilling:
            item = prefilling[0]
            start = max(until, item.admitted, now - (end - now))
            if start >= end:
                break
            finished = start + item.tokens_left / tokens_per_s + PREFILL_START_S
            if finished > end:
                item.tokens_left -= (end - start) * tokens_per_s
                busy_s += end - max(start, now)
                until = end
                break
            prefilling.popleft()
            busy_s += finished - max(start, now)
            until = finished
            self._prefilled(item.request, replica, finished, end)
        self.prefill_until[replica] = until
        return busy_s

    def _prefilled(self, request, replica, finished, end):
        requests = self.requests
        if np.isnan(requests.prefill_s[request]):
            requests.prefill_s[request] = finished - requests.admitted[request]
        if self.decoders:
            self._transfer(request, finished, end)
            return
        if np.isnan(requests.first_token[request]):
            requests.first_token[request] = finished
        output_tokens = requests.output_tokens[request]
        tokens_left = output_tokens - requests.tokens_before_preemption.get(request, 0)
        generated = max(0, end - finished) * self.steps_per_s[replica] * 0.5
        kv_tokens = requests.prompt_tokens[request] + (output_tokens - tokens_left)
        self.batch.joining.append((request, replica, tokens_left - generated, kv_tokens))

    def _transfer(self, request, finished, end):
        """Sends the KV cache to a replica that decodes, most often the least busy one."""
        rng = self.rng
        requests = self.requests
        replicas = self.replicas
        choice = [decoder for decoder in self.decoders
                  if replicas.is_up[decoder] and decoder not in self.gateway.failed_checks]
        if not choice:
            self.gateway.finish(request, finished, 502)
            return
        if rng.random() < 0.8:
            decoder = min(choice, key=lambda one: (self.num_decoding[one]
                                                   + len(self.transferred[one])) + rng.random())
        else:
            decoder = choice[int(rng.integers(len(choice)))]
        requests.decode_replica[request] = decoder
        transfer_s = (KV_TRANSFER_BASE_S
                      + requests.prompt_tokens[request] * KV_TRANSFER_PER_TOKEN_S
                      + replicas.network_delay_s[decoder])
        loss = replicas.packet_loss[decoder]
        if loss > 0:
            transfer_s += retransmission_wait_s(rng, rng.binomial(8, loss), 0.22)
        there = finished + transfer_s
        self.events.add(max(there, end), events.KV_ARRIVES, request, decoder)
        requests.first_token[request] = there

    def _start_decoding_transferred(self, replica, num_running, now):
        requests = self.requests
        transferred = self.transferred[replica]
        while transferred and num_running < self.replicas.slots[replica]:
            request = transferred[0]
            prompt_tokens = requests.prompt_tokens[request]
            if self.kv_used[replica] + prompt_tokens > self.kv_capacity[replica]:
                break
            transferred.popleft()
            requests.first_token[request] = max(requests.first_token[request], now)
            self.batch.joining.append((request, replica, requests.output_tokens[request],
                                       prompt_tokens))
            num_running += 1
            self.kv_used[replica] += prompt_tokens

    def _decode(self, now, end):
        batch = self.batch
        replicas = self.replicas
        if not len(batch):
            return
        tokens_per_s = self.steps_per_s * (1 - DECODING_LOST_TO_PREFILL * self.prefill_share)
        tokens = tokens_per_s[batch.replica] * (end - now)
        batch.tokens_left = batch.tokens_left - tokens
        batch.kv_tokens = batch.kv_tokens + tokens
        replicas.generated_tokens += batch.sum_by_replica(replicas.count, tokens)
        replicas.decode_s += self.num_decoding * (end - now)
        is_finished = batch.tokens_left <= 0
        for index in np.nonzero(is_finished)[0]:
            request = int(batch.request[index])
            rate = max(tokens_per_s[batch.replica[index]], 1e-6)
            time = max(end + batch.tokens_left[index] / rate, now)
            self.requests.engine_done[request] = time
            self.gateway.finish(request, time, 200)
        if is_finished.any():
            batch.keep(~is_finished)
        for replica in np.nonzero(self.kv_used > self.kv_capacity)[0]:
            self._preempt(replica)

    def _preempt(self, replica):
        """Puts the youngest requests back into the queue until the rest fits."""
        batch = self.batch
        requests = self.requests
        back_to = self.transferred if self.decoders else self.waiting
        is_kept = np.ones(len(batch), bool)
        members = list(np.nonzero(batch.replica == replica)[0])
        while (len(members) > 1
               and self.kv_used[replica] > self.kv_capacity[replica] * PREEMPT_KV_SHARE):
            index = members.pop()
            request = int(batch.request[index])
            self.kv_used[replica] -= batch.kv_tokens[index]
            requests.tokens_before_preemption[request] = max(
                0, requests.output_tokens[request] - batch.tokens_left[index])
            self.replicas.preemptions[replica] += 1
            back_to[replica].appendleft(request)
            is_kept[index] = False
        batch.keep(is_kept)
