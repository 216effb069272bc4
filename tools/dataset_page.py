#!/usr/bin/env python3
"""Writes the counted parts of datasets/llm-testbed/README.md from the windows that are there.

    tools/dataset_page.py [datasets/llm-testbed]
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

BEGIN, END = "<!-- counted: made by tools/dataset_page.py -->", "<!-- end of the counted part -->"


def text_of(path: pathlib.Path) -> str:
    return subprocess.run(["zstdcat", str(path)], capture_output=True, text=True, check=True).stdout


def kind_of(label: dict) -> str:
    kinds = [fault["kind"] for fault in label["faults"]]
    if len(kinds) > 1 and "decoy_reload" in kinds:
        kinds.remove("decoy_reload")
        return kinds[0] + " after a decoy"
    return " + ".join(kinds)


def change(impact: dict, key: str, factor: float) -> str:
    return f"{factor * impact[key]['before']:.0f} → {factor * impact[key]['during']:.0f}"


def counted(folder: pathlib.Path) -> str:
    cases = []
    loads = []
    for path in sorted(folder.glob("*/*/*/case.json")):
        case = path.parent
        cases.append((str(case.relative_to(folder)), json.loads(path.read_text(encoding="utf-8"))))
        note = json.loads(text_of(case / "manifest.json.zst"))["notes"].get("machine", "")
        loads += [float(found) for found in re.findall(r"load average ([0-9.]+)", note)]
    planned = json.loads((folder / "split.json").read_text())["cases"]
    broken = [label for _, label in cases if label["root_cause_service"]]
    kinds = {fault["kind"] for label in broken for fault in label["faults"] if fault["breaks_component"]}
    by_kind = collections.defaultdict(collections.Counter)
    for name, label in cases:
        by_kind[kind_of(label)][name.split("/")[0]] += 1
        by_kind[kind_of(label)]["felt"] += label["user_impact"]["measurable"]
    splits = collections.Counter(name.split("/")[0] for name, _ in cases)
    loads.sort()
    lines = [f"{len(cases)} of {len(planned)} planned windows: {len(broken)} with a broken component, "
             f"{len(cases) - len(broken)} without; {splits['dev']} dev, {splits['test']} test; {len(kinds)} kinds of "
             "broken component.", "",
             f"Load average of the machine (2 cores) when a window ended: {loads[0]:.0f} to {loads[-1]:.0f}, "
             f"median {loads[len(loads) // 2]:.0f}.", "",
             "| Fault | dev | test | felt by users |", "|---|---|---|---|"]
    for kind, count in sorted(by_kind.items()):
        lines.append(f"| {kind} | {count['dev']} | {count['test']} | {count['felt']} |")
    lines += ["", "| Window | Broken | TTFT p95, ms | Token gap p95, ms | Failed, % | Felt |", "|---|---|---|---|---|---|"]
    for name, label in cases:
        impact = label["user_impact"]
        lines.append(f"| {name} | {', '.join(label['root_cause_service']) or 'nothing'} | "
                     f"{change(impact, 'time_to_first_token_s_p95', 1e3)} | {change(impact, 'token_gap_s_p95', 1e3)} | "
                     f"{change(impact, 'failed_share', 100)} | {'yes' if impact['measurable'] else 'no'} |")
    return "\n".join(lines)


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "datasets/llm-testbed")
    page = folder / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(before + BEGIN + "\n" + counted(folder) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
