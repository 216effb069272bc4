#!/usr/bin/env python3
"""Prints the leaderboard of README.md from evaluations, one Markdown table.

    culprit evaluate DATASET... --methods all --variant both --output RESULTS
    tools/leaderboard.py RESULTS [MORE...]

Reads results.jsonl of every folder; where two have the same method on the same case, the first counts.
So what takes long can be evaluated apart. A row is over all cases that its method was run on: fewer than
all are said behind the method's name. Sorted by Avg@5, `chance` last. The interval is a percentile
bootstrap over cases, seeded. `ms`: median processor time of the cases that were answered."""
import json
import pathlib
import random
import statistics
import sys

RESAMPLES = 1000


def cells_of(folders):
    """(method, variant) -> {(dataset, case): cell} of the cells that count."""
    rows = {}
    for folder in folders:
        for line in (pathlib.Path(folder) / "results.jsonl").open():
            cell = json.loads(line)
            if cell.get("service"):
                rows.setdefault((cell["method"], cell["variant"]), {}).setdefault(
                    (cell["dataset"], cell["case"]), cell)
    return rows


def interval(values):
    draw = random.Random(0)
    means = sorted(statistics.fmean(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[RESAMPLES // 40], means[-RESAMPLES // 40 - 1]


def row_text(key, cells, datasets, num_cases):
    method, variant = key
    hits = [[c["service"]["hit"][k] for c in cells.values()] for k in range(5)]
    low, high = interval(hits[0])
    failed = sum(c["status"] == "failed" for c in cells.values())
    degenerate = sum(c["status"] == "degenerate" for c in cells.values())
    seconds = [c["cpu_seconds"] for c in cells.values() if c["status"] != "failed"]

    def of_set(name):
        first = [c["service"]["hit"][0] for c in cells.values() if c["dataset"] == name]
        return f"{statistics.fmean(first):.2f}" if first else ""
    name = f"`{method}`" + (f" ({len(cells)} cases)" if len(cells) < num_cases else "")
    return (f"| {name} | {variant} | {statistics.fmean(hits[0]):.2f} [{low:.2f}, {high:.2f}] | "
            f"{statistics.fmean(hits[2]):.2f} | {statistics.fmean(map(statistics.fmean, hits)):.2f} | "
            + " | ".join(map(of_set, datasets)) + f" | {failed or '-'} | {degenerate or '-'} | "
            + (f"{1e3 * statistics.median(seconds):.1f}" if seconds else "-") + " |")


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    rows = cells_of(sys.argv[1:])
    cases = set().union(*rows.values())
    datasets = sorted({dataset for dataset, _ in cases})
    print("| method | variant | AC@1 [95 %] | AC@3 | Avg@5 | " + " | ".join(datasets)
          + " | failed | by rule | ms |")
    print("|---" * (8 + len(datasets)) + "|")

    def place(item):
        average = statistics.fmean(statistics.fmean(c["service"]["hit"]) for c in item[1].values())
        return (item[0][0] == "chance", -average, item[0])
    for key, cells in sorted(rows.items(), key=place):
        print(row_text(key, cells, datasets, len(cases)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
