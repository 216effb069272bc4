#!/usr/bin/env python3
"""Checks that every include follows the folder table of docs/ARCHITECTURE.md.

One include path makes illegal includes compile, so CMake alone cannot guard the direction.
Exit status 1 and one line per illegal include."""
import pathlib
import re
import sys

ALLOWED = {
    "base": set(),
    "catalogue": {"base"},
    "signatures": {"catalogue", "base"},
    "frame": {"base"},
    "stats": {"base"},
    "graph": {"base"},
    "causal": {"stats", "graph", "base"},
    "logs": {"frame", "base"},
    "rca": {"frame", "base"},
    "simulator": {"rca", "frame", "base"},
    "tailored": {"signatures", "rca", "stats", "graph", "logs", "frame", "catalogue", "base"},
    "scorecard": {"simulator", "tailored", "signatures", "readers", "rca", "frame", "base"},
    "methods": {"tailored", "rca", "causal", "stats", "graph", "logs", "frame", "catalogue", "base"},
    "explain": {"rca", "stats", "logs", "frame", "catalogue", "base"},
    "readers": {"rca", "logs", "frame", "catalogue", "base"},
    "faults": {"rca", "frame", "base"},
    "telemetry": {"signatures", "readers", "rca", "logs", "frame", "catalogue", "base"},
    "receiver": {"telemetry", "base"},
    "evaluation": {"methods", "rca", "readers", "stats", "frame", "base"},
    "testbed": {"faults", "readers", "rca", "frame", "base"},
    "report": {"evaluation", "explain", "rca", "stats", "frame", "base"},
}


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    bad = 0
    for path in sorted((root / "culprit").rglob("*")):
        if path.suffix not in {".h", ".cpp"}:
            continue
        folder = path.relative_to(root / "culprit").parts[0]
        if folder not in ALLOWED:
            print(f"{path.relative_to(root)}: folder {folder} is not in tools/check_layers.py")
            bad += 1
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = re.match(r'\s*#include "culprit/([a-z_]+)/', line)
            if found and found[1] != folder and found[1] not in ALLOWED[folder]:
                print(f"{path.relative_to(root)}:{number}: {folder} may not include {found[1]}; "
                      f"allowed: {', '.join(sorted(ALLOWED[folder])) or 'nothing'}")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
