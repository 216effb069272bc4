#!/usr/bin/env python3
"""Measures the default method and writes docs/method-figures.md: every number of that page.

    tools/method_figures.py build/release/bin/culprit [--seeds 5] [DATASET...]

Runs `culprit scorecard` on simulated test seeds (from 1000 on), on datasets/llm-testbed and on
datasets/llm-testbed-sound, whole, spoiled and with parts switched off; and, for each DATASET given, `culprit evaluate --split test`.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDED = "datasets/llm-testbed"
SOUND = "datasets/llm-testbed-sound"

# Title: picture, options, values of the last of them, value in use (None: all are run).
CURVES = {
    "share of the series taken away": ("drop", ["--drop"], [0.1, 0.3, 0.5, 0.7, 0.9], 0),
    "alert late by, s, after 285 s of history": ("alert-delay", ["--alert-delay"], [60, 180, 300, 600], 0),
    "alert late by, s, after 30 minutes of history (collected by default)":
        ("alert-delay-long", ["--baseline", "1800", "--alert-delay"], [0, 60, 180, 300, 600], None),
    "seconds between scrapes": ("scrape", ["--scrape"], [1, 15, 30], 5),
    "baseline, s": ("baseline", ["--baseline"], [10, 30, 60, 120], 285),
    "blurred over, s": ("blur", ["--blur"], [15, 60], 0),
    "arrivals while the fault lasts, times": ("load", ["--load-factor"], [0.5, 1.5, 2, 3], 1),
    "replicas": ("replicas", ["--replicas"], [1, 2, 4, 8], None),
    "seconds of data after the alert": ("until", ["--until"], [10, 20, 30, 45], 75),
}
MISSING = {"logs": "--no-logs", "GPU series": "--no-gpu", "engine series": "--no-engine",
           "service mesh": "--no-mesh"}
PARTS = {"comparison with siblings": "siblings=0", "log lines": "logs=0",
         "order of onsets": "order=0", "change events": "changes=0", "spans": "spans=0",
         "call graph": "call_flow=0", "correlation of signals": "correlation=0",
         "fault signatures": "signatures=0"}


class Runner:
    def __init__(self, program: str, seeds: int):
        self.program = program
        self.simulated = ["--simulated", "--seed", "1000", "--count", str(seeds), "--threads", "0"]

    def card(self, *arguments: str) -> dict:
        command = [self.program, "scorecard", *arguments, "--format", "json"]
        print("culprit", " ".join(command[1:]), flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return json.loads(done.stdout)


def share(value: float) -> str:
    return f"{value:.3f}".lstrip("0") if value < 1 else "1.00"


HEAD = ("| | component AC@1 | AC@3 | Avg@5 | fault kind | false blame | Brier |\n"
        "|---|---|---|---|---|---|---|\n")


def row(name: str, card: dict) -> str:
    fault = share(card["fault_kind"]) if card["named_a_fault"] else "–"
    blame = share(card["false_blame"]) if card["sound"] else "–"
    ranks = ["component_ac1", "component_ac3", "component_avg5"]
    broken = card["broken"] > 0
    found = " | ".join(share(card[rank]) if broken else "–" for rank in ranks)
    return f"| {name} | {found} | {fault} | {blame} | {card['brier']:.3f} |\n"


def plot(points: list, path: pathlib.Path, x_title: str, y_title: str, diagonal: bool) -> None:
    """points: (x, y, label); y from 0 to 1."""
    width, height, left, top = 320, 220, 46, 12
    xs = [x for x, _, _ in points]
    low, high = (0.0, 1.0) if diagonal else (min(xs), max(xs))
    def place(x, y):
        return (left + (width - left - 14) * (x - low) / ((high - low) or 1),
                top + (height - top - 40) * (1 - y))
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>']
    for y in (0, 0.25, 0.5, 0.75, 1):
        x0, py = place(low, y)
        x1, _ = place(high, y)
        svg.append(f'<line x1="{x0:.1f}" y1="{py:.1f}" x2="{x1:.1f}" y2="{py:.1f}" stroke="#e3e6e8"/>'
                   f'<text x="{x0 - 6:.1f}" y="{py + 4:.1f}" text-anchor="end">{y:g}</text>')
    if diagonal:
        (x0, y0), (x1, y1) = place(0, 0), place(1, 1)
        svg.append(f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="#98a2ab" '
                   'stroke-dasharray="4 3"/>')
    line = " ".join(f"{place(x, y)[0]:.1f},{place(x, y)[1]:.1f}" for x, y, _ in points)
    svg.append(f'<polyline points="{line}" fill="none" stroke="#2a6f97" stroke-width="2"/>')
    for x, y, label in points:
        px, py = place(x, y)
        svg.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="#2a6f97"/>'
                   f'<text x="{px:.1f}" y="{height - 24}" text-anchor="middle" '
                   f'font-size="9">{label}</text>')
    svg.append(f'<text x="{(left + width) / 2}" y="{height - 8}" text-anchor="middle">{x_title}</text>'
               f'<text x="12" y="{height / 2}" transform="rotate(-90 12 {height / 2})" '
               f'text-anchor="middle">{y_title}</text></svg>')
    path.write_text("\n".join(svg) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--seeds", type=int, default=5, help="simulated test seeds per fault kind")
    options = parser.parse_args()
    run = Runner(str(pathlib.Path(options.program).resolve()), options.seeds)
    pictures = ROOT / "docs" / "method"
    pictures.mkdir(exist_ok=True)

    whole = run.card(*run.simulated)
    text = (f"# Figures of the method `culprit`\n\nMade by `tools/method_figures.py` from test data "
            f"only: {whole['cases']} simulated incidents (seeds 1000 to {999 + options.seeds} of every "
            f"kind) and the recorded windows of [datasets/llm-testbed](../datasets/llm-testbed/README.md) "
            f"and [datasets/llm-testbed-sound](../datasets/llm-testbed-sound/README.md). "
            f"How the method was tuned, and on what: [method.md](method.md).\n\n")
    text += "## As it is\n\n" + HEAD + row("simulated, test seeds", whole)
    test = run.card(RECORDED, "--split", "test")
    text += row(f"recorded, test half ({test['cases']} windows)", test)
    text += row("recorded, development half", run.card(RECORDED, "--split", "dev"))
    for half, title in (("test", "test half"), ("dev", "development half")):
        sound = run.card(SOUND, "--split", half)
        text += row(f"recorded, nothing broken, {title} ({sound['cases']} windows)", sound)
    text += row("recorded test half, container metrics and logs alone",
                run.card(RECORDED, "--split", "test", "--no-engine", "--no-gpu", "--no-spans"))
    text += row("simulated, fault's family held out", run.card(*run.simulated, "--hold-out"))
    text += row("recorded test, fault's family held out",
                run.card(RECORDED, "--split", "test", "--hold-out"))
    text += (f"\n{whole['ms_per_case']:.0f} ms per simulated and {test['ms_per_case']:.0f} ms per "
             "recorded case.\n\nSimulated kinds with a mistake:\n\n"
             "| kind | cases | component AC@1 | fault kind |\n|---|---|---|---|\n")
    for kind in whole["kinds"]:
        if kind["ac1"] < 1 or kind["fault"] < 1:
            text += (f"| {kind['kind']} | {kind['cases']} | {share(kind['ac1'])} | "
                     f"{share(kind['fault'])} |\n")
    plot([(b["said"], b["right"], b["cases"]) for b in whole["reliability"]],
         pictures / "reliability.svg", "probability stated (below: cases)", "share right", True)
    text += "\n## Calibration\n\n![reliability](method/reliability.svg)\n\n## Worse data\n\n"
    curves = {}
    for title, (name, flags, values, now) in CURVES.items():
        cards = {v: run.card(*run.simulated, *flags, str(v)) for v in values}
        if now is not None:
            cards[now] = whole
        ordered = sorted(cards)
        picture = f"curve-{name}.svg"
        plot([(i, cards[v]["component_ac1"], f"{v:g}") for i, v in enumerate(ordered)],
             pictures / picture, title, "component AC@1", False)
        text += f"![{title}](method/{picture})\n"
        curves[title] = (ordered, cards)
    text += "\n" + HEAD
    for title, (ordered, cards) in curves.items():
        for value in ordered:
            text += row(f"{title}: {value:g}", cards[value])
    for name, flag in MISSING.items():
        text += row(f"without {name}", run.card(*run.simulated, flag))
    text += "\n## Without a part of the method\n\nSimulated test seeds, then all recorded windows.\n\n" + HEAD
    for name, option in PARTS.items():
        text += row(f"without {name}, simulated", run.card(*run.simulated, "--option", option))
        text += row(f"without {name}, recorded", run.card(RECORDED, "--option", option))
    if options.datasets:
        with tempfile.TemporaryDirectory() as folder:
            command = [run.program, "evaluate", *options.datasets, "--split", "test", "--methods",
                       "culprit,mean_shift,nsigma,baro", "--variant", "published", "--output", folder,
                       "--format", "json"]
            print("culprit", " ".join(command[1:]), flush=True)
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        text += ("\n## Any system: public sets, test half\n\nAC@1 / Avg@5 of the services.\n\n"
                 "| set | cases | culprit | mean_shift | nsigma | baro | chance |\n|---|---|---|---|---|---|---|\n")
        for group in json.loads(done.stdout)["groups"]:
            if group["dimension"] != "dataset":
                continue
            of = {r["method"]: r["service"] for r in group["rows"]}
            cells = " | ".join(f"{share(of[m]['ac'][0]['mean'])} / {share(of[m]['avg5']['mean'])}"
                               for m in ("culprit", "mean_shift", "nsigma", "baro", "chance"))
            text += f"| {group['value']} | {group['cases']} | {cells} |\n"
    (ROOT / "docs" / "method-figures.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
