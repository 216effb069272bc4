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


def write_exported_case(folder, pods=("llm-7f9c-x2kq", "llm-7f9c-bb41", "llm-7f9c-p0zd"), rows=90):
    """A made case as Prometheus exports it: engines by pod, GPUs by the host they are in, counters and histograms raw,
    times in milliseconds. The accelerator of the second pod is capped from two thirds on."""
    rng = random.Random(7)
    case = pathlib.Path(folder) / "exported" / "1"
    case.mkdir(parents=True)
    columns, alert = [], rows * 2 // 3
    for place, pod in enumerate(pods):
        host = f"gpu-node-{place}"
        slow = [1.9 if place == 1 and row >= alert else 1.0 for row in range(rows)]

        def level(mean, spread):
            return [mean * (1 + rng.gauss(0, spread)) / factor for factor in slow]

        def total(rates):
            return [sum(rates[:row + 1]) * 5 for row in range(rows)]

        tokens, clock, watts = level(900, 0.05), level(1980, 0.002), level(520, 0.02)
        itl = [18 / rate for rate in tokens]
        columns += [(f'kube_pod_info{{pod="{pod}",node="{host}"}}', [1] * rows),
                    (f'vllm:generation_tokens_total{{pod="{pod}"}}', [round(v) for v in total(tokens)]),
                    (f'vllm:inter_token_latency_seconds_sum{{pod="{pod}"}}', total([a * b for a, b in zip(itl, tokens)])),
                    (f'vllm:inter_token_latency_seconds_count{{pod="{pod}"}}', total(tokens)),
                    (f'DCGM_FI_DEV_SM_CLOCK{{Hostname="{host}",gpu="0"}}', clock),
                    (f'DCGM_FI_DEV_ENFORCED_POWER_LIMIT{{Hostname="{host}",gpu="0"}}',
                     [250 if factor > 1 else 700 for factor in slow]),
                    (f'DCGM_FI_DEV_POWER_USAGE{{Hostname="{host}",gpu="0"}}', watts)]
    quoted = ['"' + name.replace('"', '""') + '"' for name, _ in columns]
    lines = ["Timestamp," + ",".join(quoted)]
    begin = 1_700_000_000
    for row in range(rows):
        lines.append(f"{(begin + 5 * row) * 1000}," + ",".join(f"{values[row]:.6g}" if isinstance(values[row], float)
                                                              else str(values[row]) for _, values in columns))
    (case / "data.csv").write_text("\n".join(lines) + "\n")
    (case / "inject_time.txt").write_text(f"{begin + 5 * alert}\n")
    return case


def write_dataset(folder, num_cases, services=("proxy", "head", "replica-0", "replica-1")):
    for number in range(num_cases):
        write_case(folder, services, services[number % len(services)], ("cpu", "gpu")[number % 2], number)
    return folder
