"""Writes a window as a case folder that culprit reads."""
import json

import numpy as np

from .faults import is_sound, name_in_case
from .log_time import log_time
from .logs import log_lines
from .traces import HEADER, trace_rows


def write_case(folder, stack, simulation, scraper, label, epoch, rng):
    """data.csv, inject_time.txt and case.json, and where the stack has them mpg.csv (calls),
    logs.csv and traces.csv. label: Label; epoch: Unix time of the window's beginning, s."""
    folder.mkdir(parents=True)
    _write(folder / "data.csv", _data_rows(scraper, epoch))
    _write(folder / "inject_time.txt", [str(epoch + label.alert)])
    if stack.has_call_graph:
        _write(folder / "mpg.csv", ["source,destination",
                                    *(",".join(call) for call in _calls(stack))])
    begin = scraper.times[0]
    if stack.has_logs:
        _write(folder / "logs.csv", _log_rows(stack, simulation, begin, epoch, rng))
    if stack.has_traces:
        rows = trace_rows(stack, simulation, begin, epoch, rng)
        _write(folder / "traces.csv", [HEADER, *rows])
    text = json.dumps(_label(simulation.fault, label, epoch), indent=1, default=float)
    (folder / "case.json").write_text(text, encoding="utf-8")


def _write(path, lines):
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(line + "\n" for line in lines)


def _data_rows(scraper, epoch):
    yield "time," + ",".join(_quoted(name) for name in scraper.columns)
    values = np.column_stack(list(scraper.columns.values()))
    for time, row in zip((scraper.times + epoch).astype(int), values):
        yield f"{time}," + ",".join("" if np.isnan(value) else f"{value:.10g}" for value in row)


def _log_rows(stack, simulation, begin, epoch, rng):
    yield "time,container_name,message,timestamp"
    for time, component, line in log_lines(stack, simulation, begin, epoch, rng):
        unix_ns = int((epoch + time) * 1e9)
        yield f"{log_time(epoch + time)},{component},{_quoted(line)},{unix_ns}"


def _calls(stack):
    """(caller, callee)."""
    roles = stack.deployment.roles
    yield from stack.calls
    if not roles:
        yield from ((stack.gateway, replica) for replica in stack.replicas)
        return
    prefill = [name for name, role in zip(stack.replicas, roles) if role == "prefill"]
    decode = [name for name, role in zip(stack.replicas, roles) if role == "decode"]
    yield from ((stack.gateway, name) for name in prefill)
    yield from ((source, target) for source in prefill for target in decode)


def _label(fault, label, epoch):
    """The truth: what culprit reads, then how the window was made and what users felt of it."""
    sound = is_sound(fault.kind)
    kind = name_in_case(fault.kind)
    return {
        "dataset": "other-stacks",
        "root_cause_service": [] if sound else [label.culprit],
        "root_cause_metric": None,
        "fault": kind,
        "inject_time": float(epoch + label.alert),
        "faults": [{"kind": kind, "layer": "load" if sound else "simulated", "catalogue": "",
                    "target": label.culprit or "", "breaks_component": not sound}],
        "made": {"onset": float(epoch + fault.onset), "alert_delay": int(label.alert - fault.onset),
                 "severity": float(fault.severity), "note": label.note},
        "user_impact": _without_nan(label.user_impact),
    }


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(own) for key, own in value.items()}
    if isinstance(value, list):
        return [_without_nan(own) for own in value]
    return None if np.isnan(value) else float(value)


def _quoted(text):
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n') else text
