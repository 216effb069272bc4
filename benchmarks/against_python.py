#!/usr/bin/env python3
"""Runs the Python reference (package RCAEval) beside Culprit on the same cases, compares the answers
and prints how many times faster Culprit is.

    benchmarks/against_python.py CASE... [--methods A,B] [--limit SECONDS] [--repeat N]
                                 [--reference FOLDER] [--program FILE]

CASE is a case folder (data.csv, inject_time.txt, and traces.csv for the trace methods). The reference
is imported from FOLDER, from $CULPRIT_PYTHON_REFERENCE, or from where tools/python_reference installed
it (`make against-python` does both); study_references.py beside this file says what stands in for what
the package lacks. Reading and preparing the data is left out on both sides; of N calls the one with the
least processor time counts, on both sides, which run on one thread. A ratio is printed where both
answers are the same, and, marked "random", for the methods whose answer depends on a generator that the
reference does not seed. A reference that takes more than SECONDS of processor time gives a lower bound."""
import argparse
import contextlib
import io
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time
import warnings

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before numpy is imported

METRIC_METHODS = ["nsigma", "baro", "pc_pagerank", "pc_randomwalk", "fci_pagerank", "fci_randomwalk",
                  "granger_pagerank", "granger_randomwalk", "lingam_pagerank", "lingam_randomwalk",
                  "causalrca", "causalai", "microcause", "rcd", "circa"]
TRACE_METHODS = ["tracerca", "microrank"]
# Their generators are not seeded: no two runs of the reference need agree.
RANDOM_METHODS = {"lingam_pagerank", "causalrca", "microcause", "rcd"}
# They answer with a set, in the order of string hashes.
SET_METHODS = {"causalai"}


def load_reference(folder):
    """The reference's module, or None and why not."""
    if folder:
        sys.path.insert(0, folder)
    warnings.filterwarnings("ignore")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            import numpy  # noqa: F401
            import pandas  # noqa: F401
            from RCAEval import utility
            utility.is_py312 = lambda: True  # it imports its methods on two Python versions only
            from RCAEval import e2e
            from sknetwork.ranking import PageRank
            if not hasattr(PageRank, "fit_transform"):
                PageRank.fit_transform = PageRank.fit_predict  # its name in later versions
            import study_references
            return e2e, study_references.complete(e2e)
    except ImportError as error:
        return None, str(error)


def prepare_metrics(folder):
    """The metric table as the study's harness hands it on (gaps filled, at most 1800 rows a side), the
    time of the injection, and the number of columns before the harness drops some."""
    import numpy as np
    import pandas as pd
    data = pd.read_csv(folder / "data.csv")
    data = data.loc[:, ~data.columns.str.endswith("_latency-50")]
    data = data.replace([np.inf, -np.inf], np.nan).ffill().fillna(0)
    inject = int((folder / "inject_time.txt").read_text().split()[0])
    data = pd.concat([data[data["time"] < inject].tail(1800), data[data["time"] >= inject].head(1800)],
                     ignore_index=True)
    data = data.rename(columns={c: c.replace("_latency-90", "_latency") for c in data.columns})
    num_node = len(data.columns) - 1
    dropped = [c for c in data.columns if "_pod_" in c or "_node_" in c or "unknown" in c]
    return data.drop(columns=dropped), inject, num_node


def unwrapped(method):
    """Without the decorator that answers with the columns' order whatever goes wrong."""
    cells = getattr(method, "__closure__", None) or ()
    inner = [c.cell_contents for c in cells if callable(c.cell_contents)]
    return inner[0] if method.__name__ == "wrapper" and inner else method


class TooLong(Exception):
    pass


@contextlib.contextmanager
def limited(seconds):
    def stop(*_):
        raise TooLong
    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # counts processor time
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def time_reference(method, name, folder, options):
    import pandas as pd
    num_node = 0
    if name in METRIC_METHODS:
        data, inject, num_node = prepare_metrics(folder)
    else:
        data = pd.read_csv(folder / "traces.csv")
        inject = int((folder / "inject_time.txt").read_text().split()[0]) * 1_000_000
    # The harness's settings: its symptom is the first latency where the case names none.
    latencies = [c for c in data.columns if c.endswith("_latency")]
    settings = {"dataset": "re1-ob", "dk_select_useful": False, "sli": (latencies or [None])[0],
                "n_iter": num_node, "num_loop": num_node, "anomalies": None}
    shortest = float("inf")
    spent = time.process_time()
    for _ in range(options.repeat):
        copy = data.copy()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), \
                limited(options.limit):
            begin = time.process_time()
            answer = unwrapped(method)(copy, inject_time=inject, **settings)
            shortest = min(shortest, time.process_time() - begin)
        if time.process_time() - spent > options.limit / 2:
            break
    return shortest, list(answer["ranks"])


def difference(ours, theirs):
    if ours == theirs:
        return ""
    place = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b),
                 min(len(ours), len(theirs)))
    return f"answers differ from place {place + 1} on ({len(theirs)} names, Culprit {len(ours)})"


def compare(reference, missing, folder, options, ratios):
    names = [n for n in options.methods or METRIC_METHODS + TRACE_METHODS
             if n in METRIC_METHODS or (folder / "traces.csv").exists()]
    # Culprit is quick: more calls, for a steadier minimum.
    output = subprocess.run([options.program, folder, str(5 * options.repeat), *names], check=True,
                            capture_output=True, text=True).stdout
    for line in map(json.loads, output.splitlines()):
        name = line["method"]
        method = getattr(reference, name, None)
        title = f"{folder.parent.name}/{folder.name:<3} {name:<18}"
        if method is None or name in missing:
            print(f"{title} not compared: {missing.get(name, 'the reference has no such method')}")
            continue
        if "error" in line:
            print(f"{title} Culprit: {line['error']}")
            continue
        try:
            seconds, ranks = time_reference(method, name, folder, options)
        except TooLong:
            print(f"{title} Python > {1e3 * options.limit:9.2f} ms   Culprit {1e3 * line['seconds']:8.3f} "
                  f"ms   > {options.limit / line['seconds']:7.0f} times")
            continue
        except Exception as error:  # the reference ends on many inputs; its words are the result
            print(f"{title} reference: {type(error).__name__}: {error}")
            continue
        text = f"{title} Python {1e3 * seconds:11.2f} ms   Culprit {1e3 * line['seconds']:8.3f} ms   "
        if name in SET_METHODS:
            line["names"], ranks = sorted(line["names"]), sorted(ranks)
        differs = "" if name in RANDOM_METHODS else difference(line["names"], ranks)
        if not differs:
            ratios.setdefault(name, []).append(seconds / line["seconds"])
        print(text + (differs or f"{seconds / line['seconds']:9.0f} times"
                      + (" (random)" if name in RANDOM_METHODS else "")), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=pathlib.Path, metavar="CASE")
    parser.add_argument("--reference", default=os.environ.get("CULPRIT_PYTHON_REFERENCE"))
    parser.add_argument("--program", default="build/release/benchmarks/rank_case_benchmark")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one call of the reference")
    parser.add_argument("--methods", type=lambda text: text.split(","), default=None)
    options = parser.parse_args()
    if not os.access(options.program, os.X_OK):
        print(f"against_python: no program {options.program}; build it first (make bench)",
              file=sys.stderr)
        return 2
    reference, missing = load_reference(options.reference)
    if reference is None:
        print(f"against_python: skipped, the Python reference is not installed ({missing}). "
              "tools/python_reference FOLDER installs it from PyPI; then run this with FOLDER/bin/python")
        return 0
    ratios = {}
    for folder in options.cases:
        compare(reference, missing, folder.resolve(), options, ratios)
    for name, values in ratios.items():
        print(f"{name:<18} {len(values)} cases: at least {min(values):.0f}, median "
              f"{statistics.median(values):.0f} times")
    load = os.getloadavg()[0]
    print(f"load while measuring: {load:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
