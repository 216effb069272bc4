#!/usr/bin/env python3
"""Walks one recorded incident from raw signals to the answer: writes docs/worked-example.md and its pictures.

    tools/worked_example.py build/release/bin/culprit [CASE] [docs/worked-example]

CASE is a window of the development half of datasets/llm-testbed. Every number and picture is computed from
the recorded files and from what `culprit diagnose CASE --format json` says. Needs zstdcat (Debian's zstd).
"""
import csv
import datetime
import html
import io
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASE = "datasets/llm-testbed/dev/ray-replicas-0_cpu_quota/3"
OWN, OTHERS, INK, SOFT, GRID, SHADE = "#c0392b", "#7f9bbd", "#1c2833", "#667380", "#e3e7ec", "#fbeee6"
# Columns of the case behind the signals of the pictures, with the unit in which they are drawn.
COLUMNS = {
    "container_cpu_cfs_throttled_seconds_total:rate": ("CPU throttled, s/s", 1),
    "ctn_cpu": ("CPU used, cores", 1),
    "vllm:inter_token_latency_seconds:mean": ("inter-token latency, ms", 1e3),
    "vllm:time_to_first_token_seconds:mean": ("time to first token, ms", 1e3),
    "DCGM_FI_DEV_SM_CLOCK": ("SM clock, MHz", 1),
    "node_netstat_Tcp_RetransSegs:rate": ("TCP segments sent again, /s", 1),
}


def text_of(path: pathlib.Path) -> str:
    packed = path.with_name(path.name + ".zst")
    if packed.exists():
        return subprocess.run(["zstdcat", str(packed)], capture_output=True, text=True, check=True).stdout
    return path.read_text(encoding="utf-8")


def rows_of(path: pathlib.Path) -> list:
    return list(csv.DictReader(io.StringIO(text_of(path))))


def unix(rfc3339: str) -> float:
    return datetime.datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).timestamp()


def short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


class Svg:
    def __init__(self, width: int, height: int):
        self.size = (width, height)
        self.parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']

    def add(self, text: str) -> None:
        self.parts.append(text)

    def text(self, x, y, text, anchor="start", colour=INK, weight=400, size=11) -> None:
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}" '
                 f'font-size="{size}">{html.escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour=GRID, width=1.0, dash="") -> None:
        self.add(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{width}" '
                 f'stroke-dasharray="{dash or "none"}" fill="none"/>')

    def rect(self, x, y, width, height, colour) -> None:
        self.add(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" fill="{colour}"/>')

    def write(self, path: pathlib.Path) -> None:
        width, height = self.size
        path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                        f'height="{height}" font-family="sans-serif">\n' + "\n".join(self.parts) + "\n</svg>\n",
                        encoding="utf-8")


class Plot:
    """Axes inside a picture: x is seconds after the alert."""

    def __init__(self, svg: Svg, box: tuple, times: tuple, values: tuple, title: str):
        self.svg, (self.left, self.top, self.width, self.height), self.times, self.values = svg, box, times, values
        svg.rect(self.x(0), self.top, self.x(times[1]) - self.x(0), self.height, SHADE)
        for value in (values[0], (values[0] + values[1]) / 2, values[1]):
            svg.line(self.left, self.y(value), self.left + self.width, self.y(value))
            svg.text(self.left - 5, self.y(value) + 3.5, short(value), "end", SOFT, size=9.5)
        for at in (times[0], 0, times[1]):
            svg.text(self.x(at), self.top + self.height + 13, f"{at:+.0f} s" if at else "alert", "middle", SOFT, size=9.5)
        svg.text(self.left, self.top - 6, title, weight=600)

    def x(self, t: float) -> float:
        return self.left + self.width * (t - self.times[0]) / (self.times[1] - self.times[0])

    def y(self, value: float) -> float:
        low, high = self.values
        return self.top + self.height * (1 - (value - low) / ((high - low) or 1))

    def curve(self, points: list, colour: str, width: float) -> None:
        place = " ".join(f"{self.x(t):.1f},{self.y(v):.1f}" for t, v in points)
        self.svg.add(f'<polyline points="{place}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def dots(self, points: list, colour: str) -> None:
        for t, v in points:
            self.svg.add(f'<circle cx="{self.x(t):.1f}" cy="{self.y(v):.1f}" r="2.6" fill="{colour}" fill-opacity="0.75"/>')

    def mark(self, t: float) -> None:
        self.svg.line(self.x(t), self.top, self.x(t), self.top + self.height, OWN, 1.2, "4 3")


class Example:
    def __init__(self, program: str, case: str):
        self.case = case
        folder = ROOT / case
        self.label = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        self.alert = float(self.label["inject_time"])
        run = [program, "diagnose", case]
        self.answer = json.loads(subprocess.run(run + ["--format", "json"], cwd=ROOT, capture_output=True, text=True,
                                                check=True).stdout)
        self.printed = subprocess.run(run + ["--no-report"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        self.first = self.answer["findings"][0]
        self.own = self.first["component"]
        self.series: dict = {}
        for row in rows_of(folder / "data.csv"):
            t = float(row["time"]) - self.alert
            for name, value in row.items():
                component, _, metric = name.partition("_")
                if metric in COLUMNS and value:
                    self.series.setdefault(metric, {}).setdefault(component, []).append((t, float(value)))
        times = [t for t, _ in self.series["ctn_cpu"][self.own]]
        self.times = (times[0], times[-1])
        self.spans = rows_of(folder / "traces.csv")

    def siblings(self, metric: str) -> dict:
        return {name: points for name, points in self.series[metric].items()
                if name != self.own and name.rsplit("-", 1)[0] == self.own.rsplit("-", 1)[0]}

    def is_before(self, t: float) -> bool:
        """In the reference: all but the last quarter of the time before the alert (windows.h)."""
        return t < self.times[0] / 4

    def shift(self, points: list) -> dict:
        """(mean now - median before) / (max(1.4826 MAD, 0.3 deviation) + 5 % of the median)."""
        before = [v for t, v in points if self.is_before(t)]
        now = [v for t, v in points if t >= 0]
        median = statistics.median(before)
        mad = 1.4826 * statistics.median(abs(v - median) for v in before)
        scale = max(mad, 0.3 * statistics.pstdev(before)) + 0.05 * abs(median)
        return {"median": median, "mad": mad, "now": statistics.fmean(now), "scale": scale,
                "z": (statistics.fmean(now) - median) / scale if scale else float("inf")}

    def against_siblings(self, metric: str) -> list:
        """Row by row, the component less the median of its siblings."""
        others: dict = {}
        for points in self.siblings(metric).values():
            for t, v in points:
                others.setdefault(t, []).append(v)
        return [(t, v - statistics.median(others[t])) for t, v in self.series[metric][self.own] if t in others]

    # Pictures

    def requests(self) -> dict:
        """Requests as the proxy saw them, by the replica that answered: (when it ended, seconds)."""
        server = {span["parentSpanID"]: span["serviceName"] for span in self.spans
                  if span["serviceName"] != "nginx-proxy" and span["operationName"].startswith("POST")}
        points: dict = {}
        for span in self.spans:
            if span["parentSpanID"] == "" and span["spanID"] in server:
                end = (float(span["startTime"]) + float(span["duration"])) / 1e6 - self.alert
                points.setdefault(server[span["spanID"]], []).append((end, float(span["duration"]) / 1e6))
        return points

    def draw_requests(self, path: pathlib.Path) -> None:
        points = self.requests()
        svg = Svg(760, 230)
        high = max(v for of in points.values() for _, v in of)
        plot = Plot(svg, (54, 26, 690, 160), self.times, (0, high), "request latency, s: one dot per request, when it ended")
        for name, of in sorted(points.items(), key=lambda item: item[0] == self.own):
            plot.dots([p for p in of if self.times[0] <= p[0] <= self.times[1]], OWN if name == self.own else OTHERS)
        plot.mark(unix(self.answer["symptom"]["when"]) - self.alert)
        svg.text(54, 222, f"red: answered by {self.own}; blue: by its siblings; dashed: since when, as diagnosed", colour=SOFT)
        svg.write(path)

    def draw_signals(self, path: pathlib.Path) -> None:
        svg = Svg(760, 400)
        for index, (metric, (title, factor)) in enumerate(COLUMNS.items()):
            lines = {self.own: self.series[metric][self.own], **self.siblings(metric)}
            lines = {name: [(t, factor * v) for t, v in points] for name, points in lines.items()}
            high = max(v for points in lines.values() for _, v in points) or 1
            box = (54 + index % 3 * 240, 26 + index // 3 * 180, 180, 120)
            plot = Plot(svg, box, self.times, (0, high), title)
            for name, points in reversed(lines.items()):
                plot.curve(points, OWN if name == self.own else OTHERS, 1.8 if name == self.own else 1.1)
        svg.text(54, 388, f"red: {self.own}; blue: its siblings; shaded: since the alert. Below: what stays speaks, too.",
                 colour=SOFT)
        svg.write(path)

    def draw_difference(self, path: pathlib.Path) -> None:
        svg = Svg(760, 215)
        metric = "vllm:inter_token_latency_seconds:mean"
        step = next(s for s in self.first["chain"] if s.get("signal") == "engine.itl")
        for index, (title, points) in enumerate((
                ("inter-token latency, ms", self.series[metric][self.own]),
                ("less the median of its siblings, ms", self.against_siblings(metric)))):
            points = [(t, 1e3 * v) for t, v in points]
            values = [v for _, v in points]
            plot = Plot(svg, (54 + index * 370, 26, 310, 140), self.times, (min(0, *values), max(values)), title)
            plot.curve(points, OWN, 1.8)
            plot.mark(unix(step["when"]) - self.alert)
            before = [v for t, v in points if self.is_before(t)]
            svg.line(plot.left, plot.y(statistics.median(before)), plot.left + plot.width,
                     plot.y(statistics.median(before)), "#2e7d4f", 1.2, "5 3")
        svg.text(54, 208, "green: median of the reference; dashed red: onset by Page's likelihood ratio", colour=SOFT)
        svg.write(path)

    def parts(self) -> dict:
        """Seconds per request of the component, by operation, before and since."""
        children: dict = {}
        for span in self.spans:
            children[span["parentSpanID"]] = children.get(span["parentSpanID"], 0.0) + float(span["duration"]) / 1e6
        by_id = {span["spanID"]: span for span in self.spans}
        sums: dict = {"before": {}, "since": {}}
        counts = {"before": 0, "since": 0}
        for span in self.spans:
            if span["serviceName"] != self.own:
                continue
            seconds = float(span["duration"]) / 1e6
            end = float(span["startTime"]) / 1e6 + seconds - self.alert
            side = "before" if self.is_before(end) else "since" if end >= 0 else None
            if side is None:
                continue
            name = span["operationName"]
            parent = by_id.get(span["parentSpanID"])
            if parent is None or parent["serviceName"] != self.own:
                counts[side] += 1
                if parent is not None:
                    way = float(parent["duration"]) / 1e6 - seconds
                    sums[side]["on the way to it"] = sums[side].get("on the way to it", 0.0) + way
            own = max(0.0, seconds - children.get(span["spanID"], 0.0))
            sums[side][name] = sums[side].get(name, 0.0) + own
        return {side: {name: value / counts[side] for name, value in of.items()} for side, of in sums.items()}

    def draw_parts(self, path: pathlib.Path) -> None:
        parts = self.parts()
        names = sorted(parts["since"], key=lambda name: -(parts["since"][name] - parts["before"].get(name, 0.0)))
        high = max(max(of.values()) for of in parts.values())
        svg = Svg(760, 40 + 38 * len(names))
        for index, name in enumerate(names):
            top = 12 + 38 * index
            svg.text(190, top + 19, name, "end")
            for row, (side, colour) in enumerate((("before", OTHERS), ("since", OWN))):
                value = parts[side].get(name, 0.0)
                svg.rect(200, top + 14 * row, 460 * value / high, 12, colour)
                svg.text(206 + 460 * value / high, top + 10 + 14 * row, f"{1e3 * value:.0f} ms", colour=SOFT, size=10)
        svg.text(200, 30 + 38 * len(names), "per request: blue before, red since the alert; without what lies below it", colour=SOFT)
        svg.write(path)

    def draw_answer(self, path: pathlib.Path) -> None:
        findings = self.answer["findings"]
        svg = Svg(760, 26 + 26 * len(findings))
        for index, finding in enumerate(findings):
            top = 10 + 26 * index
            svg.text(360, top + 14, f"{finding['component']}  {finding['name']}".strip(), "end",
                     weight=600 if index == 0 else 400)
            svg.rect(372, top, 300 * finding["probability"], 18, OWN if index == 0 else OTHERS)
            svg.text(378 + 300 * finding["probability"], top + 14, f"{100 * finding['probability']:.1f} %", colour=SOFT)
        svg.write(path)

    # The page

    def signature_table(self) -> str:
        signature = json.loads((ROOT / "data" / "faults" / f"{self.first['fault']}.json").read_text(encoding="utf-8"))
        effects = json.loads((ROOT / "data" / "effects.json").read_text(encoding="utf-8"))
        expected = {s["signal"]: (s, f"`{self.first['fault']}.json`") for s in signature["signals"]}
        for name in signature["effects"]:
            for s in effects[name]["signals"]:
                expected.setdefault(s["signal"], (s, f"`effects.json`, {name}"))
        lines = ["| signal | expected | weight | order | seen | says |", "|---|---|---|---|---|---|"]
        for step in self.first["chain"]:
            if step.get("signal") in expected:
                s, place = expected[step["signal"]]
                lines.append(f"| {step['signal']} | {s['direction']} | {s['weight']} | {s['order']} | {step['text']} | {place} |")
        return "\n".join(lines)

    def page(self) -> str:
        fault = self.label["faults"][0]
        itl = "vllm:inter_token_latency_seconds:mean"
        alone, relative = self.shift(self.series[itl][self.own]), self.shift(self.against_siblings(itl))
        clock = self.shift(self.series["DCGM_FI_DEV_SM_CLOCK"][self.own])
        slowest = {own: max(v for name, of in self.requests().items() if (name == self.own) == own
                            for t, v in of if t >= 0) for own in (True, False)}
        number = len(self.first["chain"])
        against = "; ".join(self.first["against"]) or "nothing"
        ruled_out = "; ".join(self.first["ruled_out"])
        spots = "\n".join(f"- {spot}" for spot in self.answer.get("blind_spots", []))
        meanwhile = self.first["meanwhile"]
        block = "\n".join(line.rstrip() for line in self.printed.strip().splitlines()
                          if not line.startswith(("method ", "more ")))  # differ from run to run, point to more
        return f"""# One incident, from raw signals to the answer

Made by `tools/worked_example.py build/release/bin/culprit` from `{self.case}`, a window of the
development half of [the recorded dataset](../datasets/llm-testbed/README.md): every number and picture below
is computed from its files. What was done: `{fault['kind']}` on {fault['target']}, {fault['read_back_after_apply']},
from the alert on. The steps are those of [the method](method.md).

```
$ culprit diagnose {self.case} --no-report
{block}
```

## 1. What users felt

![latency of single requests](worked-example/requests.svg)

The traces hold every request as the proxy saw it. The slowest that a sibling answered since the alert took
{slowest[False]:.2g} s, the slowest of {self.own} {slowest[True]:.2g} s. Over all: {self.answer['symptom']['text']};
{self.answer['symptom']['remark']}.

## 2. What moved, and what did not

![signals of the replica and its siblings](worked-example/signals.svg)

Each signal is compared with its own past: the mean since the alert less the median before, in robust deviations
of the past (1.4826 times the median absolute deviation, or 0.3 standard deviations where that is more, plus 5 % of the
median). For the inter-token latency of {self.own}: median {1e3 * alone['median']:.3g} ms, deviation
{1e3 * alone['mad']:.2g} ms, mean now {1e3 * alone['now']:.3g} ms: {alone['z']:.0f} deviations, of which the method
counts 50. For its SM clock: {clock['median']:.0f} MHz before, {clock['now']:.0f} MHz now, {clock['z']:.1f} deviations.
The last quarter of the time before the alert belongs to neither side, because an alert may be late.

## 3. Against its siblings

![the latency and its difference to the siblings](worked-example/difference.svg)

The replicas share one load: what load does to one it does to all. Row by row the median of the siblings is
subtracted. The latency grew by {1e3 * (alone['now'] - alone['median']):.3g} ms; {1e3 * (relative['now'] - relative['median']):.3g}
ms of that are left, so the load explains nearly nothing of it. The onset is the start of the segment that a shifted
mean explains best.

## 4. Where inside

![parts of a request](worked-example/parts.svg)

A request's time is shared out over the spans below it; parts add up to the whole: {self.first['where']}.

## 5. Which fault

Each of the {len(list((ROOT / 'data' / 'faults').glob('*.json')))} signatures in `data/faults` says which way a
signal goes, how surely (weight 1 to 5) and in which order. The {number} most telling signals that moved as the
answer's signature says:

{self.signature_table()}

For each signal and each fault, the probability of what was seen under that fault is compared with the probability
that a component which is not broken shows it; log ratios add, correlated signals count less
([method.md](method.md), 4). The posterior:

![probabilities](worked-example/answer.svg)

What speaks against the first: {against}.{f" What it is not: {ruled_out}." if ruled_out else ""}

What would make it surer:

{spots or "- nothing that is missing"}

## 6. What to do

{chr(10).join(f"{i}. {a['action']}" + (f": `{a['command']}`" if a['command'] else "") for i, a in enumerate(self.first['advice'], 1))}

Until then: {meanwhile['action'][0].lower() + meanwhile['action'][1:] if meanwhile else "nothing"}. What the siblings
carry is arithmetic on their own series: it says what to expect, not that it will hold.
"""


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    case = sys.argv[2] if len(sys.argv) > 2 else CASE
    target = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else ROOT / "docs" / "worked-example")
    if "/test/" in case:
        print("worked_example: the test half is for measuring, not for looking into", file=sys.stderr)
        return 2
    example = Example(str(pathlib.Path(sys.argv[1]).resolve()), case)
    target.mkdir(parents=True, exist_ok=True)
    example.draw_requests(target / "requests.svg")
    example.draw_signals(target / "signals.svg")
    example.draw_difference(target / "difference.svg")
    example.draw_parts(target / "parts.svg")
    example.draw_answer(target / "answer.svg")
    target.with_suffix(".md").write_text(example.page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
