"""What one engine replica knows about itself, ready for its exporter."""
import numpy as np

from .scraper import per_second

EXPORTER = "engine"


class EngineView:
    """One replica. Histories of single requests are (times in s, values); totals are [second] and
    0 again after a restart."""

    def __init__(self, scene, index):
        self.scene = scene
        self.index = index
        self.component = scene.stack.replicas[index]
        self.is_culprit = self.component == scene.culprit
        self.machine = scene.machines[self.component]
        self.restarts = scene.times_of(index, "restart")
        roles = scene.deployment.roles
        self.role = roles[index] if roles else None
        self._set_series(scene.series, index)
        self._set_requests(scene.requests)
        self.num_finished = self._num_finished()

    def _set_series(self, series, index):
        self.is_up = series.is_up[:, index]
        self.running = series.running[:, index]
        self.waiting = series.waiting[:, index]
        self.kv_share = series.kv_share[:, index]
        self.prompt_tokens = series.prompt_tokens[:, index]
        self.generated_tokens = series.generated_tokens[:, index]
        self.cache_queried_tokens = series.cache_queried_tokens[:, index]
        self.cache_hit_tokens = series.cache_hit_tokens[:, index]
        self.preemptions = series.preemptions[:, index]
        self.decode_s = series.decode_s[:, index]
        self.steps = series.steps[:, index]

    def _set_requests(self, requests):
        where = requests.decode_replica if self.role == "decode" else requests.replica
        self.is_own = where == self.index
        started = self.is_own & np.isfinite(requests.first_token)
        ended = self.is_own & np.isfinite(requests.engine_done)
        self.started = started
        first = requests.first_token
        done = requests.engine_done
        reached = requests.reached_replica
        self.time_to_first_token = (first[started], (first - reached)[started])
        self.queue_time = (requests.admitted[started],
                           (requests.admitted - requests.queued)[started])
        self.prefill_time = (first[started], requests.prefill_s[started])
        self.frontend_time = (requests.queued[started], (requests.queued - reached)[started])
        self.duration = (done[ended], (done - reached)[ended])
        self.decode_time = (done[ended], (done - first)[ended])
        self.inference_time = (done[ended], (done - requests.admitted)[ended])
        self.time_per_token = (done[ended], (done - first)[ended] / requests.output_tokens[ended])
        self.prompt_lengths = (done[ended], requests.prompt_tokens[ended])
        self.output_lengths = (done[ended], np.round(requests.output_tokens[ended]))

    def _num_finished(self):
        scene = self.scene
        times = np.sort(self.duration[0])
        count = np.searchsorted(times, scene.second, side="right").astype(float)
        for restart in self.restarts:
            begin = int(min(scene.seconds - 1, restart))
            count[begin:] = count[begin:] - count[begin]
        return count

    def process_cpu_s(self):
        """Running total of the engine's own processes."""
        machine = self.machine
        cores = machine.cores
        if self.scene.disturbance.burns_inside:
            stolen = np.minimum(machine.neighbour_cores, cores * 0.9)
            cores = cores - np.where(machine.neighbour_cores > 0, stolen, 0)
        return np.cumsum(cores)

    def gauge(self, name, values):
        """Gone while the engine is."""
        self.scene.scraper.gauge(self.component, EXPORTER, name, values, up=self.is_up)

    def counter(self, name, total, **options):
        self.scene.scraper.counter(self.component, EXPORTER, name, total, self.is_up, **options)

    def histogram(self, name, observations, **options):
        self.scene.scraper.histogram(self.component, EXPORTER, name, *observations, self.restarts,
                                     self.is_up, **options)

    def time_per_output_token(self, name):
        """Seconds: of all tokens in the range, not of single requests."""
        scraper = self.scene.scraper
        if scraper.view == "counters":
            self.counter(name + "_sum", self.decode_s)
            self.counter(name + "_count", np.floor(self.generated_tokens))
            return
        seconds, is_lost = scraper.scrapes(self.component, EXPORTER)
        begins = np.maximum(seconds - scraper.range_s, 0)
        spent = self.decode_s[seconds] - self.decode_s[begins]
        tokens = self.generated_tokens[seconds] - self.generated_tokens[begins]
        is_known = (tokens > 0) & (spent > 0)
        mean = np.where(is_known, spent / np.maximum(tokens, 1), np.nan)
        is_missing = is_lost | (self.is_up[seconds] <= 0)
        scraper.put(self.component, name + ":mean", mean, is_missing)
        scraper.put(self.component, name + ":p95", mean * self.scene.rng.uniform(1.4, 1.8),
                    is_missing)

    def sum_of(self, observations, scale=1):
        """Running total [second] of what single requests took."""
        times, values = observations
        return np.cumsum(per_second(self.scene.seconds, times, np.nan_to_num(values) * scale))
