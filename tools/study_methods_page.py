#!/usr/bin/env python3
"""Writes docs/study-methods.md: each divergence between a published method and the implementation the
study ran, with the accuracy of both.

    culprit evaluate DATASET... --methods all --variant both --output RESULTS
    tools/study_methods_page.py build/release/bin/culprit RESULTS... > docs/study-methods.md

Figures come from summary.json of every RESULTS that has the method, the list of divergences from
`culprit methods --format json`."""
import json
import pathlib
import subprocess
import sys


def accuracy(row: dict) -> str:
    service = row["service"]
    first = service["ac"][0]
    return (f"{first['mean']:.2f} [{first['low']:.2f}, {first['high']:.2f}] | "
            f"{service['ac'][2]['mean']:.2f} | {service['avg5']['mean']:.2f} | "
            f"{row['failed'] or '-'} | {row['degenerate'] or '-'}")


class Results:
    """One evaluation: its rows over all cases, and what it was run on."""

    def __init__(self, folder: str):
        summary = json.loads((pathlib.Path(folder) / "summary.json").read_text())
        whole = next(g for g in summary["groups"] if g["dimension"] == "all")
        self.rows = {(r["method"], r["variant"]): r for r in whole["rows"]}
        self.datasets = [g["value"] for g in summary["groups"] if g["dimension"] == "dataset"]
        self.cases = whole["cases"]
        self.command = summary["command"]

    def baselines(self) -> str:
        return "; ".join(
            f"`{name}` {' / '.join(figures(self.rows[name, variant]))}"
            for name, variant in (("chance", "-"), ("mean_shift", "published"),
                                  ("culprit", "published")) if (name, variant) in self.rows)


def figures(row: dict) -> list:
    service = row["service"]
    return [f"{v:.2f}" for v in (service["ac"][0]["mean"], service["ac"][2]["mean"],
                                 service["avg5"]["mean"])]


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    methods = json.loads(subprocess.run([sys.argv[1], "methods", "--format", "json"], check=True,
                                        capture_output=True, text=True).stdout)
    evaluations = [Results(folder) for folder in sys.argv[2:]]
    print("# What the study's methods really do\n")
    print("Most of the 24 methods of arXiv 2603.02057 exist twice in Culprit. `reference` does what the "
          "study's\nimplementation does, defects included, and is held to its recorded answers. `published` "
          "is the method\nas its paper defines it. This page lists each difference, with the accuracy of "
          "both.\n")
    print("Accuracy at service level: AC@1 with its 95 % bootstrap interval, AC@3, Avg@5, cases failed, "
          "answers by\nrule. A failed case (deadline included) is a miss. The sets hold microservices: they "
          "show what a defect\ncosts, not how a method fares on LLM serving.\n")
    print("| evaluation | cases | sets | beside it (AC@1 / AC@3 / Avg@5) |\n|---|---|---|---|")
    for number, results in enumerate(evaluations, 1):
        print(f"| {number} | {results.cases} | {', '.join(results.datasets)} | {results.baselines()} |")
    print("\n```sh")
    for number, results in enumerate(evaluations, 1):
        print(f"{results.command} --output results-{number}")
    print("tools/study_methods_page.py build/release/bin/culprit results-* > docs/study-methods.md")
    print("```\n")
    for method in methods:
        if not method["in_study"]:
            continue
        print(f"## {method['name']}\n")
        print(f"{method['summary']} Source: {method['citation']}.\n")
        found = [(n, e) for n, e in enumerate(evaluations, 1)
                 if any((method["name"], v) in e.rows for v in method["variants"])]
        if not found:
            print("Not evaluated yet.\n")
        else:
            print("| evaluation | variant | AC@1 | AC@3 | Avg@5 | failed | degenerate |\n"
                  "|---|---|---|---|---|---|---|")
            for number, evaluation in found:
                for variant in method["variants"]:
                    print(f"| {number} | {variant} | "
                          f"{accuracy(evaluation.rows[method['name'], variant])} |")
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
