"""What the simulation was like in each second: the truth that exporters look at."""
import numpy as np

from .gateway import TOKENIZER_BASE_S, TOKENIZER_PER_TOKEN_S
from .replicas import NO_QUOTA

IDLE_CORES = 0.15
OF_REPLICAS = (
    "preemptions", "prompt_tokens", "generated_tokens", "cache_queried_tokens", "cache_hit_tokens",
    "decode_s", "steps", "power_cap_w", "throttled_s", "throttled_periods", "memory_share",
    "storage_wait_s", "major_faults_per_s", "neighbour_cores", "packet_loss", "is_up")
OF_GPUS = ("clock", "power_w", "temperature_c", "power_violation_s", "thermal_violation_s")
DERIVED = ("running", "waiting", "kv_share", "cores", "utilisation", "memory_bandwidth", "step_s")


class Series:
    """Arrays [second, replica] named in OF_REPLICAS, OF_GPUS and DERIVED, and arrays [second] of
    the gateway. Totals run on; utilisation, clock, bandwidth and kv_share are shares of 1."""

    def __init__(self, rng, fault, rate, seconds, deployment, replicas, gpus, engines, gateway):
        self._rng = rng
        self._fault = fault
        self._rate = rate
        self._deployment = deployment
        self._replicas = replicas
        self._gpus = gpus
        self._engines = engines
        self._gateway = gateway
        for name in OF_REPLICAS + OF_GPUS + DERIVED:
            setattr(self, name, np.zeros((seconds, replicas.count)))
        self.gateway_active = np.zeros(seconds)
        self.gateway_queued = np.zeros(seconds)
        self.gateway_cores = np.zeros(seconds)
        self.gateway_throttled_s = np.zeros(seconds)

    def record(self, second, now):
        self.cores[second] = self._cores(second)
        self._throttle()
        self.running[second] = self._running()
        self.waiting[second] = self._waiting()
        self.kv_share[second] = self._kv_share()
        self.utilisation[second] = self._utilisation()
        self.memory_bandwidth[second] = self._memory_bandwidth()
        self.step_s[second] = self._engines.step_s
        for source, names in ((self._replicas, OF_REPLICAS), (self._gpus, OF_GPUS)):
            for name in names:
                getattr(self, name)[second] = getattr(source, name)
        self.gateway_active[second] = self._gateway.num_active
        self.gateway_queued[second] = len(self._gateway.waiting)
        self.gateway_cores[second], self.gateway_throttled_s[second] = (
            self._gateway.close_second(now))

    def _running(self):
        return self._engines.num_decoding + [len(queue) for queue in self._engines.prefilling]

    def _waiting(self):
        return [len(queue) + len(transferred) for queue, transferred
                in zip(self._engines.waiting, self._engines.transferred)]

    def _kv_share(self):
        engines = self._engines
        replicas = self._replicas
        fault = self._fault
        if fault.kind == "kv_exhaustion" and fault.manifestation.kv_is_held:
            own = engines.kv_used / self._deployment.kv_tokens
            held = np.where(replicas.kv_share < 1, (1 - replicas.kv_share) + own, own)
            return np.clip(held, 0, 1)
        return np.clip(engines.kv_used / np.maximum(engines.kv_capacity, 1), 0, 1)

    def _cores(self, second):
        engines = self._engines
        replicas = self._replicas
        deployment = self._deployment
        is_decoding = engines.num_decoding > 0
        requests_per_s = self._rate[second] / max(1, len(self._gateway.entry_replicas))
        tokenizer = requests_per_s * (
            TOKENIZER_BASE_S + TOKENIZER_PER_TOKEN_S * deployment.prompt_tokens * 1.28)
        slowed = np.minimum(1.0, np.full(replicas.count, tokenizer) * replicas.tokenizer_slowdown)
        wakeups = engines.steps_per_s * is_decoding + (engines.num_decoding == 0) * 5
        needed = (IDLE_CORES + wakeups * deployment.step_cpu_s + engines.prefill_share * 0.15
                  + 0.002 * engines.num_decoding
                  + np.where(replicas.tokenizer_slowdown > 1, slowed, 0))
        manifestation = self._fault.manifestation
        used = (np.where(replicas.hangs, IDLE_CORES + manifestation.hang_cores, needed)
                + replicas.stolen_cores + replicas.major_faults_per_s * 0.0004)
        is_loading = not (self._fault.kind == "engine_dead" and manifestation.stays_dead)
        used = used * replicas.is_up + 0.9 * ~replicas.is_up * is_loading
        at_quota = replicas.cpu_quota * self._rng.uniform(0.95, 1.0, replicas.count)
        return np.where(replicas.cpu_quota < NO_QUOTA, at_quota, used)

    def _throttle(self):
        engines = self._engines
        replicas = self._replicas
        step_cpu_s = self._deployment.step_cpu_s
        wanted = (IDLE_CORES
                  + step_cpu_s / (self._deployment.step_ms / 1000 + step_cpu_s)
                  * (engines.num_decoding > 0)
                  + 0.15 * engines.prefill_share + 0.002 * engines.num_decoding)
        has_quota = replicas.cpu_quota < NO_QUOTA
        replicas.throttled_s += np.where(
            has_quota,
            np.maximum(0, (wanted + 0.2) / np.minimum(replicas.cpu_quota, 9) - 1) * 0.4, 0)
        replicas.throttled_periods += np.where(
            has_quota, 10 * np.clip(1 - replicas.cpu_quota / (wanted + 0.6), 0.2, 0.97), 0.0)

    def _utilisation(self):
        engines = self._engines
        replicas = self._replicas
        is_decoding = np.where(engines.num_decoding > 0, 1.0, 0.0)
        waits_for_cpu = np.where(replicas.cpu_slowdown > 1, engines.gpu_step_s / engines.step_s, 1)
        busy = np.clip(is_decoding * self._rng.uniform(0.85, 1.0, replicas.count) * waits_for_cpu
                       + engines.prefill_share * 0.3, 0, 1)
        spins = self._fault.manifestation.hang_gpu_utilisation > 0.2
        return np.where(replicas.hangs, spins, busy) * replicas.is_up

    def _memory_bandwidth(self):
        engines = self._engines
        share = np.clip(0.62 * (engines.num_decoding > 0) * engines.gpu_step_s / engines.step_s
                        * self._gpus.clock ** 0.3, 0, 1)
        return share * ~self._replicas.hangs * self._replicas.is_up
