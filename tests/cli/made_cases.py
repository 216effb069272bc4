"""Cases made from a seed, in the prepared layout, for tests that need many of them."""
import json
import pathlib
import random


def write_case(folder, services, root, fault, number, rows=120, metrics=("cpu", "mem", "latency-90"), size=6.0):
    """One case in which `root`'s first metric rises by `size` deviations half way."""
    rng = random.Random(f"{root} {fault} {number}")
    case = pathlib.Path(folder) / f"{root}_{fault}" / str(number)
    case.mkdir(parents=True)
    columns = [(service, metric) for service in services for metric in metrics]
    begin = 1_700_000_000
    lines = ["time," + ",".join(f"{service}_{metric}" for service, metric in columns)]
    for row in range(rows):
        values = [10 + rng.gauss(0, 1) for _ in columns]
        if row >= rows // 2:
            values[columns.index((root, metrics[0]))] += size
        lines.append(f"{begin + row}," + ",".join(f"{value:.6f}" for value in values))
    (case / "data.csv").write_text("\n".join(lines) + "\n")
    (case / "inject_time.txt").write_text(f"{begin + rows // 2}\n")
    (case / "case.json").write_text(json.dumps(
        {"root_cause_service": root, "root_cause_metric": f"{root}_{metrics[0]}", "fault": fault}))
    return case


def write_dataset(folder, num_cases, services=("proxy", "head", "replica-0", "replica-1")):
    for number in range(num_cases):
        write_case(folder, services, services[number % len(services)], ("cpu", "gpu")[number % 2], number)
    return folder
