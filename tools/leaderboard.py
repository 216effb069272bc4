#!/usr/bin/env python3
"""Prints the leaderboard of docs/leaderboard.md from evaluations, one Markdown table.

    culprit evaluate DATASET... --methods all --variant both --output RESULTS
    tools/leaderboard.py RESULTS [MORE...]
    tools/leaderboard.py --short docs/leaderboard.md    the table of README.md: one row per method

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


def short_table(page: str) -> str:
    """Of the full table in `page`, one row per method: its better variant, the other one beside it."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines
                   if not line.startswith("|---")]
    at = {name: head.index(name) for name in head}
    best, other = {}, {}
    for row in rows:  # sorted by Avg@5: the better variant of a method comes first
        (other if row[0] in best else best).setdefault(row[0], row)
    out = ["| method | variant | AC@1 [95 %] | AC@3 | Avg@5 | other variant: AC@1, Avg@5 | failed | ms |",
           "|---|---|---|---|---|---|---|---|"]
    for method, row in best.items():
        beside = other.get(method)
        text = f"{beside[at['AC@1 [95 %]']].split()[0]}, {beside[at['Avg@5']]}" if beside else ""
        cells = [method, row[at["variant"]], row[at["AC@1 [95 %]"]], row[at["AC@3"]], row[at["Avg@5"]], text,
                 row[at["failed"]], row[at["ms"]]]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def main() -> int:
    if len(sys.argv) == 3 and sys.argv[1] == "--short":
        print(short_table(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8")))
        return 0
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
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
