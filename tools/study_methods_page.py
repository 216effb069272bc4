#!/usr/bin/env python3
"""Writes docs/study-methods.md: each divergence between a published method and the implementation the
study ran, with the accuracy of both.

    culprit evaluate DATASET... --methods all --variant both --output RESULTS
    tools/study_methods_page.py build/release/bin/culprit RESULTS > docs/study-methods.md

Figures come from RESULTS/summary.json, the list of divergences from `culprit methods --format json`."""
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


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    methods = json.loads(subprocess.run([sys.argv[1], "methods", "--format", "json"], check=True,
                                        capture_output=True, text=True).stdout)
    summary = json.loads((pathlib.Path(sys.argv[2]) / "summary.json").read_text())
    whole = next(g for g in summary["groups"] if g["dimension"] == "all")
    rows = {(r["method"], r["variant"]): r for r in whole["rows"]}
    datasets = [g["value"] for g in summary["groups"] if g["dimension"] == "dataset"]

    print("# What the study's methods really do\n")
    print("Most of the 24 methods of arXiv 2603.02057 exist twice in Culprit. `reference` does what the "
          "study's\nimplementation does, defects included, and is held to its recorded answers. `published` "
          "is the method\nas its paper defines it. This page lists each difference, with the accuracy of "
          "both.\n")
    print(f"Accuracy at service level over {whole['cases']} labelled cases of {', '.join(datasets)} "
          f"(AC@1 with its\n95 % bootstrap interval, AC@3, Avg@5, cases failed, answers by rule). A failed "
          f"case is a miss.\nThese are microservice sets: they show what a defect costs, not how a method "
          f"fares on LLM serving.\n")
    print("```sh")
    print("culprit evaluate DATASET... --methods all --variant both --output results")
    print("tools/study_methods_page.py build/release/bin/culprit results > docs/study-methods.md")
    print("```\n")
    print("Beside them: " + "; ".join(
        f"`{name}` {rows[name, variant]['service']['ac'][0]['mean']:.2f} / "
        f"{rows[name, variant]['service']['ac'][2]['mean']:.2f} / "
        f"{rows[name, variant]['service']['avg5']['mean']:.2f}"
        for name, variant in (("chance", "-"), ("mean_shift", "published"), ("culprit", "published"))
        if (name, variant) in rows) + " (AC@1 / AC@3 / Avg@5).\n")
    for method in methods:
        if not method["in_study"]:
            continue
        print(f"## {method['name']}\n")
        print(f"{method['summary']} Source: {method['citation']}.\n")
        print("| variant | AC@1 | AC@3 | Avg@5 | failed | degenerate |\n|---|---|---|---|---|---|")
        for variant in method["variants"]:
            if (method["name"], variant) in rows:
                print(f"| {variant} | {accuracy(rows[method['name'], variant])} |")
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
