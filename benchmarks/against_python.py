#!/usr/bin/env python3
"""Runs the Python reference (package RCAEval) beside Culprit on the same cases, compares the answers
and prints how many times faster Culprit is.

    benchmarks/against_python.py CASE... [--reference FOLDER] [--program FILE] [--repeat N]

CASE is a case folder (data.csv, inject_time.txt, and traces.csv for the trace methods). The reference
is imported from FOLDER, from $CULPRIT_PYTHON_REFERENCE, or from where `pip install RCAEval` put it.
Reading and preparing the data is left out on both sides; of N calls the shortest counts. A ratio is
printed only where both answers are the same."""
import argparse
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

METRIC_METHODS = ["nsigma", "baro"]
TRACE_METHODS = ["tracerca", "microrank"]


def load_reference(folder):
    """The reference's module, or None and why not."""
    if folder:
        sys.path.insert(0, folder)
    warnings.filterwarnings("ignore")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            import numpy  # noqa: F401
            import pandas  # noqa: F401
            from RCAEval import e2e
        return e2e, ""
    except ImportError as error:
        return None, str(error)


def prepare_metrics(folder):
    """The metric table as the study's harness hands it on: gaps filled, at most 1800 rows a side."""
    import numpy as np
    import pandas as pd
    data = pd.read_csv(folder / "data.csv")
    data = data.loc[:, ~data.columns.str.endswith("_latency-50")]
    data = data.replace([np.inf, -np.inf], np.nan).ffill().fillna(0)
    inject = int((folder / "inject_time.txt").read_text().split()[0])
    data = pd.concat([data[data["time"] < inject].tail(1800), data[data["time"] >= inject].head(1800)],
                     ignore_index=True)
    data = data.rename(columns={c: c.replace("_latency-90", "_latency") for c in data.columns})
    dropped = [c for c in data.columns if "_pod_" in c or "_node_" in c or "unknown" in c]
    return data.drop(columns=dropped), inject


def time_reference(method, folder, repeat):
    import pandas as pd
    if method.__name__ in METRIC_METHODS:
        data, inject = prepare_metrics(folder)
    else:
        data = pd.read_csv(folder / "traces.csv")
        inject = int((folder / "inject_time.txt").read_text().split()[0]) * 1_000_000
    shortest = float("inf")
    for _ in range(repeat):
        copy = data.copy()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            begin = time.perf_counter()
            answer = method(copy, inject_time=inject, dataset="re1-ob", dk_select_useful=False)
            shortest = min(shortest, time.perf_counter() - begin)
    return shortest, list(answer["ranks"])


def difference(ours, theirs):
    if ours == theirs:
        return ""
    place = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b),
                 min(len(ours), len(theirs)))
    return f"answers differ from place {place + 1} on ({len(theirs)} names, Culprit {len(ours)})"


def compare(reference, program, folder, repeat):
    has_traces = (folder / "traces.csv").exists()
    names = METRIC_METHODS + (TRACE_METHODS if has_traces else [])
    # Culprit is quick: more calls, for a steadier minimum.
    output = subprocess.run([program, folder, str(20 * repeat), *names], check=True,
                            capture_output=True, text=True).stdout
    for line in map(json.loads, output.splitlines()):
        method = getattr(reference, line["method"], None)
        title = f"{folder.parent.name}/{folder.name:<4} {line['method']:<10}"
        if method is None:
            print(f"{title} the reference has no such method")
            continue
        if "error" in line:
            print(f"{title} Culprit: {line['error']}")
            continue
        try:
            seconds, ranks = time_reference(method, folder, repeat)
        except Exception as error:  # the reference ends on many inputs; its words are the result
            print(f"{title} reference: {type(error).__name__}: {error}")
            continue
        text = (f"{title} Python {1e3 * seconds:9.2f} ms   Culprit {1e3 * line['seconds']:8.3f} ms   ")
        differs = difference(line["names"], ranks)
        print(text + (differs or f"{seconds / line['seconds']:7.0f} times"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=pathlib.Path, metavar="CASE")
    parser.add_argument("--reference", default=os.environ.get("CULPRIT_PYTHON_REFERENCE"))
    parser.add_argument("--program", default="build/release/benchmarks/rank_case_benchmark")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if not os.access(options.program, os.X_OK):
        print(f"against_python: no program {options.program}; build it first (make bench)",
              file=sys.stderr)
        return 2
    reference, why = load_reference(options.reference)
    if reference is None:
        print(f"against_python: skipped, the Python reference is not installed ({why}). In a virtual "
              "environment: pip install numpy pandas scikit-learn && pip install --no-deps RCAEval")
        return 0
    for folder in options.cases:
        compare(reference, options.program, folder.resolve(), options.repeat)
    load = os.getloadavg()[0]
    print(f"load while measuring: {load:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
