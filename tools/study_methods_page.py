#!/usr/bin/env python3
"""Writes docs/study-methods.md: each divergence between a published method and the implementation the
study ran, with the accuracy of both.

    culprit evaluate DATASET... --methods all --variant both --output RESULTS
    tools/study_methods_page.py build/release/bin/culprit RESULTS... > docs/study-methods.md

Figures come from results.jsonl of all RESULTS as for tools/leaderboard.py, the list of divergences from
`culprit methods --format json`."""
import collections
import json
import statistics
import subprocess
import sys

from leaderboard import cells_of, interval


def figures(cells) -> list:
    hits = [[c["service"]["hit"][k] for c in cells.values()] for k in range(5)]
    return [statistics.fmean(hits[0]), statistics.fmean(hits[2]),
            statistics.fmean(map(statistics.fmean, hits))]


def row_text(variant, cells) -> str:
    first, third, average = figures(cells)
    low, high = interval([c["service"]["hit"][0] for c in cells.values()])
    counts = collections.Counter(c["status"] for c in cells.values())
    return (f"| {variant} | {len(cells)} | {first:.2f} [{low:.2f}, {high:.2f}] | {third:.2f} | "
            f"{average:.2f} | {counts['failed'] or '-'} | {counts['degenerate'] or '-'} |")


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    methods = json.loads(subprocess.run([sys.argv[1], "methods", "--format", "json"], check=True,
                                        capture_output=True, text=True).stdout)
    rows = cells_of(sys.argv[2:])
    print("# What the study's methods really do\n")
    print("Most of the 24 methods of arXiv 2603.02057 exist twice in Culprit. `reference` does what the "
          "study's\nimplementation does, defects included, and is held to its recorded answers. `published` "
          "is the method\nas its paper defines it. This page lists each difference, with the accuracy of "
          "both.\n")
    print("Accuracy at service level: AC@1 with its 95 % bootstrap interval, AC@3, Avg@5, cases failed, "
          "answers by\nrule. A failed case (deadline included) is a miss. The sets hold microservices: they "
          "show what a defect\ncosts, not how a method fares on LLM serving.\n")
    sets = collections.Counter(dataset for dataset, _ in set().union(*rows.values()))
    print("Sets: " + ", ".join(f"{name} ({count} cases)" for name, count in sorted(sets.items()))
          + ".\nBeside them (AC@1 / AC@3 / Avg@5): " + "; ".join(
              f"`{key[0]}` " + " / ".join(f"{v:.2f}" for v in figures(rows[key]))
              for key in (("chance", "-"), ("mean_shift", "published"), ("culprit", "published"))
              if key in rows) + ".\n")
    print(f"```sh\nculprit evaluate {' '.join(sorted(sets))} --methods all --variant both --timeout 10 "
          "--output results\ntools/study_methods_page.py build/release/bin/culprit results "
          "> docs/study-methods.md\n```\n")
    for method in methods:
        if not method["in_study"]:
            continue
        print(f"## {method['name']}\n")
        print(f"{method['summary']} Source: {method['citation']}.\n")
        found = [v for v in method["variants"] if (method["name"], v) in rows]
        if not found:
            print("Not evaluated yet.\n")
        else:
            print("| variant | cases | AC@1 | AC@3 | Avg@5 | failed | degenerate |\n"
                  "|---|---|---|---|---|---|---|")
            for variant in found:
                print(row_text(variant, rows[method["name"], variant]))
            print()
        if not method["divergences"]:
            print("No difference found.\n")
            continue
        print("| the study's implementation | as published |\n|---|---|")
        for entry in method["divergences"]:
            print(f"| {entry['reference'].replace('|', chr(92) + '|')} | "
                  f"{entry['published'].replace('|', chr(92) + '|')} |")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
