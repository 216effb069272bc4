"""Log lines as the gateway and vLLM write them."""
from .log_time import log_time

HANG_NOTICED_S = 61
REPORT_EVERY_S = 10
FATAL = (
    "ERROR [core.py:710] EngineCore encountered a fatal error.",
    "Traceback (most recent call last):",
    None,   # one of CAUSES
    "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. "
    "See stack trace (above) for the root cause.")
CAUSES = ("RuntimeError: CUDA error: an illegal memory access was encountered",
          "RuntimeError: Engine process failed")
NO_BLOCK = (
    "INFO {} [shm_broadcast.py:495] No available shared memory broadcast block found in 60 "
    "seconds. This typically happens when some processes are hanging or doing some time-consuming "
    "work (e.g. compilation, weight/kv cache quantization).")
LOADING = ("INFO [gpu_model_runner.py:1955] Starting to load model "
           "meta-llama/Llama-3.1-8B-Instruct...")
STARTED = "INFO:     Application startup complete."


def log_lines(stack, simulation, begin, epoch, rng):
    """(time, component, line) in order, from `begin` on; times in s from the window's beginning,
    which is `epoch` in Unix time. Of the gateway's access log every other line is kept."""
    lines = _access_log(stack, simulation, epoch, rng)
    for replica, component in enumerate(stack.replicas):
        lines += _engine_log(simulation, replica, component, epoch, rng)
    for time, replica, what in simulation.course.events:
        lines += _event_log(time, stack.replicas[replica], what, rng)
    return sorted(line for line in lines if begin <= line[0] < simulation.seconds)


def _access_log(stack, simulation, epoch, rng):
    lines = []
    for begin, replica, duration, status in simulation.gateway.attempts:
        if begin + duration < simulation.seconds and rng.random() < 0.5:
            num_bytes = rng.integers(400, 9000)
            lines.append((begin + duration, stack.gateway, (
                f'[{log_time(epoch + begin)[:19]}] "POST /v1/chat/completions HTTP/1.1" '
                f'{status} - 0 {num_bytes} {int(duration * 1000)} "-" "openai-python/1.51" '
                f'"{stack.replicas[replica]}:8000"')))
    return lines


def _engine_log(simulation, replica, component, epoch, rng):
    series = simulation.series
    onset = simulation.fault.onset
    hangs = simulation.replicas.hangs[replica]
    lines = []
    for time in range(int(rng.integers(0, 10)), simulation.seconds, REPORT_EVERY_S):
        if not series.is_up[time, replica]:
            continue
        if not (hangs and time > onset + 2):
            lines.append((time + 0.1, component, _report(series, time, replica, epoch)))
        port = rng.integers(30000, 60000)
        lines.append((time + 0.5, component,
                      f'INFO:     10.2.0.1:{port} - "GET /health HTTP/1.1" 200 OK'))
    if hangs and onset + HANG_NOTICED_S + 1 < simulation.seconds:
        time = float(onset + HANG_NOTICED_S)
        lines.append((time, component, NO_BLOCK.format(log_time(epoch + time)[5:19])))
    return lines


def _report(series, time, replica, epoch):
    """vLLM's line every ten seconds."""
    before = max(0, time - REPORT_EVERY_S)

    def tokens_per_s(total):
        return max(0, total[time, replica] - total[before, replica]) / REPORT_EVERY_S

    hit_percent = (100 * series.cache_hit_tokens[time, replica]
                   / max(1, series.cache_queried_tokens[time, replica]))
    return (f"INFO {log_time(epoch + time)[5:19]} [loggers.py:123] Engine 000: "
            f"Avg prompt throughput: {tokens_per_s(series.prompt_tokens):.1f} tokens/s, "
            f"Avg generation throughput: {tokens_per_s(series.generated_tokens):.1f} tokens/s, "
            f"Running: {int(series.running[time, replica])} reqs, "
            f"Waiting: {int(series.waiting[time, replica])} reqs, "
            f"GPU KV cache usage: {series.kv_share[time, replica] * 100:.1f}%, "
            f"Prefix cache hit rate: {hit_percent:.1f}%")


def _event_log(time, component, what, rng):
    if what in ("engine_dead", "crash_loop"):
        cause = CAUSES[0] if rng.random() < 0.5 else CAUSES[1]
        return [(time + 0.01, component, line or cause) for line in FATAL]
    if what == "restart":
        return [(time - 8 if time > 8 else time, component, LOADING),
                (time - 0.5, component, STARTED)]
    return []
