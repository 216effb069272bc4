"""How many requests come when, and what they ask for."""
import math

import numpy as np

from .random_walk import ornstein_uhlenbeck

PREFIX_CACHED_SHARE = 0.6   # of what could be shared is still in the cache


def rate_curve(rng, deployment, seconds, onset):
    """Expected requests per second, per second: trend, slow wave, wandering and small bursts."""
    count = seconds + 1
    second = np.arange(count)
    shape = (1 + deployment.trend * (second - onset) / max(600, seconds)
             + deployment.wave * np.sin(2 * np.pi * second / rng.uniform(600, 2400)
                                        + rng.uniform(0, 6)))
    rate = (deployment.requests_per_s * np.clip(shape, 0.2, 3)
            * np.exp(ornstein_uhlenbeck(rng, count, 60, 0.10)))
    for _ in range(rng.poisson(count / 900)):
        begin = int(rng.integers(0, count))
        end = begin + int(rng.integers(5, 20))
        rate[begin:end] *= rng.uniform(1.2, 1.6)
    return rate


class Requests:
    """One row per request of the window: what it asks for, and what becomes of it.

    Times are seconds from the window's beginning, NaN where a request never got there.
    """

    def __init__(self, rng, deployment, rate, change):
        """change: LoadChange, factors per second that a fault of the load puts on the usual."""
        seconds = len(rate) - 1
        arrivals = rng.poisson(rate[:seconds])
        self.arrival = np.repeat(np.arange(seconds), arrivals) + rng.random(arrivals.sum())
        self.arrival.sort()
        self.count = count = len(self.arrival)
        second = self.arrival.astype(int)
        prompt = deployment.prompt_tokens
        output = deployment.output_tokens
        self.prompt_tokens = np.clip(rng.lognormal(math.log(prompt), 0.7, count), 16, prompt * 12)
        output_tokens = np.clip(rng.lognormal(math.log(output), 0.6, count), 4, output * 8)
        is_affected = rng.random(count) < 0.6   # longer prompts are some clients', not everyone's
        self.prompt_tokens = np.where(is_affected, self.prompt_tokens * change.prompt[second],
                                      self.prompt_tokens)
        self.output_tokens = np.maximum(output_tokens * change.output[second], 1)
        shared = np.where(rng.random(count) < 0.8, rng.uniform(0.2, 0.9, count), 0)
        self.cached_share = shared * PREFIX_CACHED_SHARE * change.cached[second]
        self.path = np.zeros(count, int)
        if deployment.paths:
            weights = np.array([path.weight for path in deployment.paths])
            self.path = rng.choice(len(weights), count, p=weights / weights.sum())
        unknown = np.full(count, np.nan)
        self.gateway_in = unknown.copy()
        self.forwarded = unknown.copy()        # to the replica that it was last sent to
        self.reached_replica = unknown.copy()
        self.queued = unknown.copy()           # in the engine, after HTTP server and tokenizer
        self.admitted = unknown.copy()
        self.first_token = unknown.copy()      # at the engine
        self.engine_done = unknown.copy()
        self.client_first_token = unknown.copy()
        self.done = unknown.copy()
        self.is_done = np.zeros(count, bool)
        self.status = np.zeros(count, int)     # HTTP
        self.replica = np.full(count, -1)
        self.decode_replica = np.full(count, -1)
        self.tries = np.zeros(count, int)
        self.gateway_wait_s = np.zeros(count)
        self.network_s = np.zeros(count)       # gateway to replica
        self.prefill_s = unknown.copy()
        self.service_calls = [[] for _ in range(count)]   # (service, begin, seconds, ok)
        self.tokens_before_preemption = {}     # request: tokens that it had generated

    def close(self, request, time, status):
        """The client has its answer, or its error."""
        self.is_done[request] = True
        self.done[request] = time
        self.status[request] = status


class LoadChange:
    """Factors per second on the rate, prompt and output tokens, and on the cached share."""

    def __init__(self, fault, seconds, ramp_s):
        self.rate = np.ones(seconds + 1)
        self.prompt = np.ones(seconds + 1)
        self.output = np.ones(seconds + 1)
        self.cached = np.ones(seconds + 1)
        changed = {"traffic_burst": self.rate, "traffic_drop": self.rate,
                   "long_prompts": self.prompt, "long_outputs": self.output}
        if fault.kind in changed:
            grown = np.clip((np.arange(seconds + 1) - fault.onset) / ramp_s, 0, 1)
            changed[fault.kind] *= 1 + (fault.severity - 1) * grown
        if fault.kind == "prefix_cache_miss":
            self.cached[fault.onset:] = fault.severity
