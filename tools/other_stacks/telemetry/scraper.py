"""Scrapes: what is left of a signal that is looked at every few seconds, and sometimes missed."""
import numpy as np

WARM_UP_S = 60
BASE_RATE_S = 200   # from whose rate a counter's history before the window is made up


def per_second(seconds, times, weights=None):
    """Counts of `times`, or sums of `weights`, in each second of the window."""
    times = np.asarray(times, float)
    is_inside = np.isfinite(times) & (times >= 0) & (times < seconds)
    if weights is not None:
        weights = np.asarray(weights, float)[is_inside]
    sums = np.bincount(times[is_inside].astype(int), weights=weights, minlength=seconds)
    return sums[:seconds].astype(float)


def per_second_change(total):
    """What a running total [second] grew by in each second; 0 where it was reset."""
    return np.diff(total, prepend=0).clip(0)


def finite_in_order(times, values, kind=None):
    times = np.asarray(times, float)
    values = np.asarray(values, float)
    is_known = np.isfinite(times) & np.isfinite(values)
    times = times[is_known]
    order = np.argsort(times, kind=kind)
    return times[order], values[is_known][order]


class Scraper:
    """The columns of one window, `<component>_<metric>`, on one grid of times.

    Each (component, exporter) is scraped at its own phase, with jitter, late by `lag_s`, and some
    scrapes are lost. In the view "counters" running totals stay as they are; else they become
    `:rate` over `range_s`, histograms `:mean`, `:p50`, `:p95` and `:rate`.
    """

    def __init__(self, rng, seconds, interval_s, view):
        self.rng = rng
        self.seconds = seconds
        self.interval_s = interval_s
        self.view = view
        self.times = np.arange(max(interval_s, WARM_UP_S), seconds, interval_s)
        self.columns = {}
        has_wide_range = rng.random() < 0.5
        self.range_s = int(max(4 * interval_s, 60) if has_wide_range else max(2 * interval_s, 30))
        self.gaps = {}    # component: [(begin, end)] without scrapes
        self._lost_share = rng.choice([0, 0.002, 0.01])
        self._scrapes = {}

    def scrapes(self, component, exporter, lag_s=0):
        """(seconds that were looked at, which of the scrapes are lost)."""
        key = (component, exporter)
        if key not in self._scrapes:
            rng = self.rng
            count = len(self.times)
            phase_s = rng.uniform(0, self.interval_s)
            jitter_s = rng.normal(0, 0.02 * self.interval_s, count)
            seen = self.times - phase_s * 0.999 + jitter_s - lag_s
            is_lost = rng.random(count) < self._lost_share
            for begin, end in self.gaps.get(component, []):
                is_lost |= (self.times >= begin) & (self.times < end)
            self._scrapes[key] = (np.clip(seen.astype(int), 0, self.seconds - 1), is_lost)
        return self._scrapes[key]

    def put(self, component, name, values, is_missing=False):
        self.columns[f"{component}_{name}"] = np.where(is_missing, np.nan, values)

    def gauge(self, component, exporter, name, values, lag_s=0, up=None):
        """values, up: [second]; nothing is seen where up is 0."""
        seconds, is_lost = self.scrapes(component, exporter, lag_s)
        self.put(component, name, np.asarray(values, float)[seconds],
                 is_lost | self._is_down(up, seconds))

    def counter(self, component, exporter, name, total, up=None, lag_s=0, has_history=True,
                stays_total=False):
        """total: [second], 0 again where the process restarted. has_history: it had counted before
        the window began. stays_total: also where the view is one of rates."""
        seconds, is_lost = self.scrapes(component, exporter, lag_s)
        total = np.asarray(total, float)
        if has_history:
            total = self._with_history(name, total)
        seen = total[seconds]
        is_missing = is_lost | self._is_down(up, seconds)
        if self.view == "counters" or stays_total:
            self.put(component, name, seen, is_missing)
        else:
            self.put(component, name + ":rate", self._rate(seen, seconds), is_missing)

    def histogram(self, component, exporter, name, times, values, restarts=(), up=None,
                  has_percentiles=True):
        """times (s) and values of single observations."""
        times, values = finite_in_order(times, values, kind="stable")
        if self.view != "counters":
            self._summary(component, exporter, name, times, values, up, has_percentiles)
            return
        num_before = np.searchsorted(times, np.arange(self.seconds), side="right")
        sums_before = np.concatenate([[0], np.cumsum(values)])
        counts = num_before.astype(float)
        sums = sums_before[num_before]
        for restart in restarts:
            begin = int(min(self.seconds - 1, max(0, restart)))
            counts[begin:] = num_before[begin:] - num_before[begin]
            sums[begin:] = sums_before[num_before[begin:]] - sums_before[num_before[begin]]
        self.counter(component, exporter, name + "_sum", sums, up)
        self.counter(component, exporter, name + "_count", counts, up)

    def percentile(self, component, exporter, name, times, values, share, scale=1, range_s=60):
        """A hand-made panel: the percentile of the last range_s."""
        times, values = finite_in_order(times, values)
        seconds, is_lost = self.scrapes(component, exporter)
        begins, ends = self._ranges(times, seconds, range_s)
        found = np.full(len(seconds), np.nan)
        for index, (begin, end) in enumerate(zip(begins, ends)):
            if end > begin:
                rank = min(end - begin - 1, int(share * (end - begin)))
                found[index] = np.sort(values[begin:end])[rank] * scale
        self.put(component, name, found, is_lost)

    def rate_of(self, component, exporter, name, times, range_s=60):
        """A hand-made panel: events per second over the last range_s."""
        times = np.sort(np.asarray(times, float))
        seconds, is_lost = self.scrapes(component, exporter)
        begins, ends = self._ranges(times, seconds, range_s)
        self.put(component, name, (ends - begins) / range_s, is_lost)

    def _with_history(self, name, total):
        rate = max(0.0, (total[min(BASE_RATE_S, len(total) - 1)] - total[0]) / float(BASE_RATE_S))
        history = rate * self.rng.uniform(3000, 300000)
        if name.endswith("total") and "seconds" not in name:
            history = np.floor(history)
        resets = np.nonzero(np.diff(total, prepend=total[0]) < -1e-9)[0]
        first = resets[0] if len(resets) else len(total)
        total = total.copy()
        total[:first] += history
        return total

    def _rate(self, seen, seconds):
        num_steps = max(1, int(round(self.range_s / self.interval_s)))
        rate = np.full(len(seen), np.nan)
        grown = np.diff(seen)
        grown = np.where(grown < 0, seen[1:], grown)
        total = np.concatenate([[0], np.cumsum(grown)])
        at = seconds.astype(float)
        rate[num_steps:] = ((total[num_steps:] - total[:-num_steps])
                            / np.maximum(1, at[num_steps:] - at[:-num_steps]))
        return rate

    def _summary(self, component, exporter, name, times, values, up, has_percentiles):
        seconds, is_lost = self.scrapes(component, exporter)
        begins, ends = self._ranges(times, seconds, self.range_s)
        mean = np.full(len(seconds), np.nan)
        median = mean.copy()
        high = mean.copy()
        for index, (begin, end) in enumerate(zip(begins, ends)):
            if end > begin:
                ordered = np.sort(values[begin:end])
                count = end - begin
                mean[index] = ordered.mean()
                median[index] = ordered[count // 2]
                high[index] = ordered[min(count - 1, int(0.95 * count))]
        is_missing = is_lost | self._is_down(up, seconds)
        self.put(component, name + ":mean", mean, is_missing)
        if has_percentiles:
            self.put(component, name + ":p50", median, is_missing)
            self.put(component, name + ":p95", high, is_missing)
        self.put(component, name + ":rate", (ends - begins) / self.range_s, is_missing)

    @staticmethod
    def _ranges(times, seconds, range_s):
        return (np.searchsorted(times, seconds - range_s, side="right"),
                np.searchsorted(times, seconds, side="right"))

    @staticmethod
    def _is_down(up, seconds):
        return False if up is None else up[seconds] <= 0
