#!/usr/bin/env python3
"""Shows for each fault of the recorded dataset what moved and what did not.

    tools/fault_plots.py [datasets/llm-testbed] [docs/faults]

Writes one small SVG per fault kind and the page README.md that shows them. Only windows of the dev half
are looked at; of a kind, the one whose users felt it most. Needs zstdcat (Debian's zstd).
"""
import csv
import datetime
import io
import json
import pathlib
import statistics
import subprocess
import sys

COLUMNS, WIDTH, HEIGHT, GAP, TOP = 4, 190, 84, 14, 24
MOVED = 6.0  # robust z-scores; in fault-free windows one column in a hundred exceeds it by chance
BROKEN, OTHERS, QUIET = "#c0392b", "#b9c3cc", "#98a2ab"

PANELS = [
    ("users: first token, s", "clients", "first_token_s"),
    ("users: gap of tokens, s", "clients", "token_gap_mean_s"),
    ("users: failed", "clients", "failed"),
    ("requests running", "column", "vllm:num_requests_running"),
    ("requests waiting", "column", "vllm:num_requests_waiting"),
    ("engine: gap of tokens, s", "column", "vllm:inter_token_latency_seconds:mean"),
    ("KV cache use", "column", "vllm:kv_cache_usage_perc"),
    ("prefix cache hits", "column", "vllm:prefix_cache_hits_total:ratio"),
    ("accelerator use, %", "column", "ctn_gpu"),
    ("accelerator clock, MHz", "column", "DCGM_FI_DEV_SM_CLOCK"),
    ("accelerator heat, C", "column", "DCGM_FI_DEV_GPU_TEMP"),
    ("CPU, cores", "column", "ctn_cpu"),
    ("CPU throttled, s/s", "column", "container_cpu_cfs_throttled_seconds_total:rate"),
    ("memory, bytes", "column", "container_memory_rss"),
    ("retransmits, 1/s", "column", "node_netstat_Tcp_RetransSegs:rate"),
    ("log lines per 5 s", "logs", ""),
]


def text_of(path: pathlib.Path) -> str:
    packed = path.with_name(path.name + ".zst")
    if packed.exists():
        return subprocess.run(["zstdcat", str(packed)], capture_output=True, text=True, check=True).stdout
    return path.read_text(encoding="utf-8")


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


class Window:
    """One recorded case: its label, and series by component as lists of (seconds after the fault, value)."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.label = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        self.start = self.label["inject_time"]
        self.end = max(seconds(fault["removed"]) for fault in self.label["faults"]) - self.start
        self.broken = self.label["root_cause_service"]
        self.series: dict = {}
        rows = list(csv.reader(io.StringIO(text_of(folder / "data.csv"))))
        times = [float(row[0]) - self.start for row in rows[1:]]
        for index, name in enumerate(rows[0][1:], 1):
            component, _, metric = name.partition("_")
            points = [(t, float(row[index])) for t, row in zip(times, rows[1:]) if row[index]]
            self.series.setdefault(metric, {})[component] = points
        self.clients = list(csv.DictReader(io.StringIO(text_of(folder / "clients.csv"))))
        self.read_log_counts()

    def read_log_counts(self) -> None:
        rows = list(csv.reader(io.StringIO(text_of(self.folder / "logts.csv"))))
        self.series["logs"] = {
            name: [(float(row[0]) - self.start, float(row[i])) for row in rows[1:-1]]
            for i, name in enumerate(rows[0][1:], 1)}

    def kind(self) -> str:
        kinds = [f["kind"] for f in self.label["faults"] if f["kind"] != "decoy_reload" or len(self.label["faults"]) == 1]
        return "+".join(kinds)

    def users(self, column: str) -> list:
        points = []
        for client in self.clients:
            failed = client["problem"] not in ("", "stopped")
            value = float(failed) if column == "failed" else float(client[column])
            if column == "failed" or value > 0:
                points.append((float(client["sent"]) - self.start, value))
        return points

    def users_felt(self, column: str) -> bool:
        key = {"first_token_s": "time_to_first_token_s_p95", "token_gap_mean_s": "token_gap_s_p95",
               "failed": "failed_share"}[column]
        return self.label["user_impact"][key]["p_value"] < 0.01

    def severity(self) -> float:
        impact = self.label["user_impact"]
        worst = [impact[k]["during"] / max(impact[k]["before"], 1e-3)
                 for k in ("time_to_first_token_s_p95", "token_gap_s_p95")]
        return max(worst) + 100 * impact["failed_share"]["during"]


def shift(points: list, end: float) -> float:
    """Median during the fault against the baseline's, in robust standard deviations."""
    before = [value for t, value in points if t < -1]
    during = [value for t, value in points if 3 < t < end]
    if len(before) < 4 or len(during) < 3:
        return 0.0
    middle = statistics.median(before)
    spread = 1.4826 * statistics.median(abs(value - middle) for value in before)
    floor = max(0.02 * abs(middle), 0.5 * statistics.pstdev(before), 1e-9)
    peak = max(map(abs, before + during)) or 1
    return (statistics.median(during) - middle) / max(spread, floor, 0.002 * peak)


def number(value: float) -> str:
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"


class Panel:
    def __init__(self, window: Window, left: int, top: int, lines: dict, title: str, users: str):
        self.window, self.left, self.top, self.title, self.users = window, left, top, title, users
        self.lines = {name: points for name, points in lines.items() if points}
        values = [value for points in self.lines.values() for _, value in points]
        self.high = max(values, default=1) or 1
        self.low = min(min(values, default=0), 0) if min(values, default=0) < 0.7 * self.high else min(values)
        times = [t for t, _ in next(iter(window.series["ctn_cpu"].values()))]
        self.first, self.last = times[0], times[-1]

    def x(self, t: float) -> float:
        return self.left + WIDTH * (t - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        if self.high == self.low:
            return self.top + HEIGHT / 2
        return self.top + HEIGHT - (HEIGHT - 4) * (value - self.low) / (self.high - self.low)

    def path(self, points: list, colour: str, thick: float) -> str:
        places = " ".join(f"{self.x(t):.0f},{self.y(v):.0f}" for t, v in points[::2])
        return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{thick}"/>'

    def svg(self) -> str:
        broken = self.window.broken
        moved = self.window.users_felt(self.users) if self.users else any(
            abs(shift(p, self.window.end)) > MOVED for n, p in self.lines.items() if n in broken or not broken)
        parts = [f'<rect x="{self.x(0):.0f}" y="{self.top}" width="{self.x(self.window.end) - self.x(0):.0f}" '
                 f'height="{HEIGHT}" fill="#fbeee6"/>',
                 f'<path d="M{self.left} {self.top + HEIGHT}h{WIDTH}" stroke="#d5dbe0"/>',
                 f'<text x="{self.left}" y="{self.top - 5}" fill="{"#1c2833" if moved else QUIET}" '
                 f'font-weight="{"600" if moved else "400"}">{self.title}</text>',
                 f'<text x="{self.left + WIDTH}" y="{self.top - 5}" text-anchor="end" fill="{QUIET}">'
                 f'{number(self.high)}</text>']
        for name, points in sorted(self.lines.items(), key=lambda item: item[0] in broken):
            points = [(t, v) for t, v in points if self.first <= t <= self.last]
            if self.users:
                dots = "".join(f"M{self.x(t):.0f} {self.y(v):.0f}h0" for t, v in points)
                parts.append(f'<path d="{dots}" stroke="#2e6da4" stroke-width="2.6" stroke-linecap="round"/>')
            else:
                parts.append(self.path(points, BROKEN if name in broken else OTHERS, 1.6 if name in broken else 1))
        return "\n".join(parts)


def draw(window: Window) -> str:
    rows = (len(PANELS) + COLUMNS - 1) // COLUMNS
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + TOP) + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
             f'height="{height}" font-family="sans-serif" font-size="10.5"><rect width="{width}" '
             f'height="{height}" fill="#fff"/>']
    for index, (title, source, key) in enumerate(PANELS):
        lines = ({"users": window.users(key)} if source == "clients" else
                 window.series["logs"] if source == "logs" else window.series.get(key, {}))
        left = GAP + index % COLUMNS * (WIDTH + GAP)
        top = TOP + index // COLUMNS * (HEIGHT + TOP)
        parts.append(Panel(window, left, top, lines, title, key if source == "clients" else "").svg())
    return "\n".join(parts) + "\n</svg>\n"


def movers(window: Window, inside: bool) -> list:
    found = []
    for metric, by_component in window.series.items():
        if metric.startswith("node_") and "Retrans" not in metric:
            continue
        for component, points in by_component.items():
            size = shift(points, window.end)
            if abs(size) > MOVED and (component in window.broken) == inside:
                found.append((abs(size), f"{component} {metric} {'up' if size > 0 else 'down'}"))
    return [name for _, name in sorted(found, reverse=True)]


def impact_line(window: Window) -> str:
    impact = window.label["user_impact"]
    first, gap, failed = (impact[k] for k in ("time_to_first_token_s_p95", "token_gap_s_p95", "failed_share"))
    return (f"first token p95 {1e3 * first['before']:.0f} → {1e3 * first['during']:.0f} ms, "
            f"gap p95 {1e3 * gap['before']:.0f} → {1e3 * gap['during']:.0f} ms, "
            f"failed {100 * failed['before']:.0f} → {100 * failed['during']:.0f} %; "
            + ("users felt it" if impact["measurable"] else "no measurable effect on users"))


def section(window: Window, count: int, felt: int) -> str:
    kind = window.kind()
    settings = "; ".join(f"{f['kind']} on {f['target'] or 'the traffic'}" +
                         "".join(f", {k} {v:g}" for k, v in f.get("intensity", {}).items())
                         for f in window.label["faults"])
    inside, outside = movers(window, True), movers(window, False)
    lines = [f"## {kind}", "", f"{settings}. {impact_line(window)}. ({felt} of {count} dev windows of this kind "
             "were felt.)", "", f"![{kind}]({kind}.svg)", ""]
    if window.broken:
        lines.append(f"Moved in the broken component: {', '.join(inside[:6]) or 'nothing'}.  ")
    lines.append(f"Moved elsewhere: {', '.join(outside[:4]) or 'nothing'}.")
    return "\n".join(lines) + "\n"


def main() -> None:
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "datasets/llm-testbed")
    target = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "docs/faults")
    target.mkdir(parents=True, exist_ok=True)
    by_kind: dict = {}
    for label in sorted((source / "dev").glob("*/*/case.json")):
        window = Window(label.parent)
        by_kind.setdefault(window.kind(), []).append(window)
    planned = {name.split("/")[0].partition("_")[2] for name in json.loads((source / "split.json").read_text())["cases"]}
    page = ["# What each fault moved, and what it did not", "",
            "Made by `make fault-plots` from the dev half of `datasets/llm-testbed`. Of each kind, the window whose",
            "users felt it most. Shaded: the fault. Red: the broken component; grey: the others; blue: single",
            "requests as their clients saw them. A bold title: the median during the fault is more than",
            f"{MOVED:g} robust standard deviations from the baseline's (in the broken component; anywhere when",
            "nothing was broken); for users, slow or failed requests became more frequent (p < 0.01). Number at the",
            "right: the top of the scale.", ""]
    missing = sorted(planned - set(by_kind))
    if missing:
        page += [f"No dev window recorded yet: {', '.join(missing)}.", ""]
    for old in target.glob("*.svg"):
        old.unlink()
    for kind, windows in sorted(by_kind.items()):
        worst = max(windows, key=Window.severity)
        (target / f"{kind}.svg").write_text(draw(worst), encoding="utf-8")
        felt = sum(window.label["user_impact"]["measurable"] for window in windows)
        page.append(section(worst, len(windows), felt))
    (target / "README.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
