#!/usr/bin/env python3
"""Copies golden cases into tests/golden/data: inputs compressed with zstd, answers cut down to what
the comparison needs (ranks, scores, seeds).

    tools/golden/pack_cases.py GOLDENS small/ray-replicas-0_gpu/1 spiky/ray-head_cpu/1 ...

GOLDENS holds <family>/cases/<service>_<fault>/<n>/ and <family>/ranks/<service>_<fault>__<n>/, as
recorded from the study's Python implementation."""
import json
import pathlib
import subprocess
import sys

INPUTS = ["data.csv", "inject_time.txt", "latency_merged_90.csv", "logs.csv", "logts.csv", "mpg.csv",
          "traces.csv", "tracets_err.csv", "tracets_lat.csv"]
KEPT = ["method", "seed", "hashseed", "n_iter", "sli", "ranks", "scores"]


def pack(source: pathlib.Path, target: pathlib.Path, name: str) -> None:
    family, group, number = name.split("/")
    folder = target / family / "cases" / group / number
    folder.mkdir(parents=True, exist_ok=True)
    for file in INPUTS:
        origin = source / family / "cases" / group / number / file
        if file == "inject_time.txt":
            (folder / file).write_bytes(origin.read_bytes())
        else:
            subprocess.run(["zstd", "-q", "-f", "--ultra", "-22", origin, "-o", folder / f"{file}.zst"],
                           check=True)
    ranks = target / family / "ranks" / f"{group}__{number}"
    ranks.mkdir(parents=True, exist_ok=True)
    for origin in sorted((source / family / "ranks" / f"{group}__{number}").glob("*.json")):
        if ".seed" in origin.name and not origin.name.startswith("rcd."):
            continue
        if ".hash" in origin.name and not origin.name.startswith("microscope."):
            continue
        answer = json.loads(origin.read_text())
        kept = {key: answer[key] for key in KEPT if key in answer}
        (ranks / origin.name).write_text(json.dumps(kept, separators=(",", ":")) + "\n")


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    for name in sys.argv[2:]:
        pack(pathlib.Path(sys.argv[1]), root / "tests" / "golden" / "data", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
