#!/usr/bin/env python3
"""Writes recorded cases as the study's Python reference reads them, and checks its loaders' rules.

    tools/study_export.py datasets/llm-testbed/dev OUT

OUT gets <service>_<fault>/<n>/ with plain files. To data.csv come the two columns that the testbed leaves out
under the study's names: <container>_ctn_memory (working set, kB) and <container>_ctn_network (thousand packets
sent per second), plain values where the study has a counter rate of a gauge and a square. Two rules of the
reference that a recorded case may break are reported, for they abort single methods: operations that occur only
after the injection (microrank, tracerca, pdiagnose), and no rows before it.
"""
import csv
import io
import math
import pathlib
import subprocess
import sys

FILES = ("data.csv", "inject_time.txt", "logs.csv", "logts.csv", "traces.csv", "tracets_lat.csv",
         "tracets_err.csv", "mpg.csv", "latency_merged_90.csv")
TRACE_COLUMNS = {"time", "traceID", "spanID", "parentSpanID", "serviceName", "operationName", "methodName",
                 "startTimeMillis", "startTime", "duration", "statusCode"}
ADDED = {"ctn_memory": "container_memory_working_set_bytes", "ctn_network": "container_network_transmit_packets_total:rate"}


def text_of(path: pathlib.Path) -> str:
    packed = path.with_name(path.name + ".zst")
    if packed.exists():
        return subprocess.run(["zstdcat", str(packed)], capture_output=True, text=True, check=True).stdout
    return path.read_text(encoding="utf-8")


def rows_of(text: str) -> list:
    return list(csv.reader(io.StringIO(text)))


def with_study_columns(text: str) -> str:
    rows = rows_of(text)
    places = []
    for name in list(rows[0]):
        for study, ours in ADDED.items():
            if name.endswith("_" + ours) and name[: -len(ours)] + study not in rows[0]:
                places.append((rows[0].index(name), name[: -len(ours)] + study))
    lines = [",".join([*rows[0], *(name for _, name in places)])]
    for row in rows[1:]:
        lines.append(",".join([*row, *(f"{float(row[i]) / 1000:.6g}" if row[i] else "" for i, _ in places)]))
    return "\n".join(lines) + "\n"


def broken_rules(texts: dict) -> list:
    """Rules of the reference's loaders that these files break."""
    found = []
    rows = rows_of(texts["data.csv"])
    names, t0 = rows[0], int(texts["inject_time.txt"].split("\n")[0])
    times = [int(row[0]) for row in rows[1:]]
    if names[0] != "time" or times != sorted(set(times)):
        found.append("data.csv: time is not first, or not ascending")
    if not any(time < t0 for time in times) or not any(time >= t0 for time in times):
        found.append("data.csv: no rows on one side of the injection")
    services = {name.split("_")[0] for name in names[1:]}
    for row in rows[1:]:
        if any(cell and not math.isfinite(float(cell)) for cell in row):
            found.append("data.csv: a value is not finite")
            break
    for service in {name.split("_")[0] for name in names if "_vllm:" in name}:
        found += [f"data.csv: no {service}_{metric}" for metric in
                  ("ctn_cpu", "ctn_gpu", "ctn_memory", "ctn_network", "node_cpu", "node_network", "node_memory",
                   "latency-90") if f"{service}_{metric}" not in names]
    if rows_of(texts["logs.csv"])[0] != ["time", "container_name", "message", "timestamp"]:
        found.append("logs.csv: other columns")
    traces = rows_of(texts["traces.csv"])
    if set(traces[0]) != TRACE_COLUMNS:
        found.append("traces.csv: other columns")
    at = {name: index for index, name in enumerate(traces[0])}
    strangers = {row[at["serviceName"]] for row in traces[1:]} - services
    if strangers:
        found.append(f"traces.csv: services without metrics {sorted(strangers)}")
    for name in ("logts.csv", "tracets_lat.csv", "tracets_err.csv"):
        bins = [int(row[0]) for row in rows_of(texts[name])[1:]]
        if bins != sorted(set(bins)) or any(b % 5 for b in bins):
            found.append(f"{name}: times are no ascending multiples of 5 s")
    edges = rows_of(texts["mpg.csv"])
    if edges[0] != ["source", "destination"] or ["nginx-proxy"] not in [row[:1] for row in edges[1:]]:
        found.append("mpg.csv: other columns, or no edge from nginx-proxy")
    known = {row[0] for row in edges[1:]} | {row[1] for row in edges[1:]}
    for name in rows_of(texts["latency_merged_90.csv"])[0][1:]:
        if not set(name.split("_")) <= known:
            found.append(f"latency_merged_90.csv: {name} is no edge of mpg.csv")
    operations = {True: set(), False: set()}
    for row in traces[1:]:
        operation = row[at["serviceName"]] + "_" + row[at["methodName"]]
        operations[int(row[at["startTime"]]) >= t0 * 1_000_000].add(operation)
    late = sorted(operations[True] - operations[False])
    if late:
        found.append(f"note: operations only after the injection {late}")
    return found


def main() -> None:
    source, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    broken = 0
    for label in sorted(source.glob("*/*/case.json")):
        case = label.parent
        texts = {name: text_of(case / name) for name in FILES}
        texts["data.csv"] = with_study_columns(texts["data.csv"])
        folder = target / case.parent.name / case.name
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        problems = broken_rules(texts)
        broken += any(not problem.startswith("note") for problem in problems)
        print(f"{case.parent.name}/{case.name}: {'; '.join(problems) or 'all rules kept'}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
