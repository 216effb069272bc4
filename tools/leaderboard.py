#!/usr/bin/env python3
"""Prints the leaderboard of README.md from evaluations, one Markdown table.

    culprit evaluate DATASET... --methods all --variant both --output RESULTS
    tools/leaderboard.py RESULTS [MORE...]

Rows come from summary.json of RESULTS over all its cases. Methods that only a later folder has (an
evaluation of fewer sets, for what takes long) follow in their own rows with the sets that they were run
on; their totals are over those sets."""
import json
import pathlib
import sys


def load(folder):
    summary = json.loads((pathlib.Path(folder) / "summary.json").read_text())
    whole = next(g for g in summary["groups"] if g["dimension"] == "all")
    sets = {g["value"]: {(r["method"], r["variant"]): r for r in g["rows"]}
            for g in summary["groups"] if g["dimension"] == "dataset"}
    return whole, sets


def row_text(row, sets, names):
    service = row["service"]
    first = service["ac"][0]
    key = (row["method"], row["variant"])

    def of_set(name):
        found = sets.get(name, {}).get(key)
        return f"{found['service']['ac'][0]['mean']:.2f}" if found and found["service"] else ""
    return (f"| `{row['method']}` | {row['variant']} | {first['mean']:.2f} [{first['low']:.2f}, "
            f"{first['high']:.2f}] | {service['ac'][2]['mean']:.2f} | {service['avg5']['mean']:.2f} | "
            + " | ".join(of_set(name) for name in names)
            + f" | {row['failed'] or '-'} | {row['degenerate'] or '-'} | "
            f"{1e3 * row['cpu_seconds_median']:.1f} |")


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    evaluations = [load(folder) for folder in sys.argv[1:]]
    names = list(evaluations[0][1])
    print("| method | variant | AC@1 [95 %] | AC@3 | Avg@5 | " + " | ".join(names)
          + " | failed | by rule | ms |")
    print("|---" * (8 + len(names)) + "|")
    seen = set()
    for whole, sets in evaluations:
        rows = [r for r in whole["rows"] if r["service"] and (r["method"], r["variant"]) not in seen]
        rows.sort(key=lambda r: (r["method"] == "chance", -r["service"]["avg5"]["mean"]))
        seen |= {(r["method"], r["variant"]) for r in rows}
        for row in rows:
            print(row_text(row, sets, names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
