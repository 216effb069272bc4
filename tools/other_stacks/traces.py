"""Spans of the applications that are traced: one request in four."""
import numpy as np

from .log_time import log_time

HEADER = ("time,traceID,spanID,parentSpanID,serviceName,operationName,methodName,startTimeMillis,"
          "startTime,duration,statusCode")
TRACED_SHARE = 0.25
OPERATIONS = {"embedder": "POST /embed", "vector-db": "Search", "reranker": "POST /rerank"}


class Spans:
    """Rows of traces.csv with their times; durations in µs, starts in ms and µs."""

    def __init__(self, epoch, rng):
        self.rows = []
        self._epoch = epoch
        self._rng = rng

    def identifier(self, num_digits):
        return f"{self._rng.integers(1, 2 ** 62):0{num_digits}x}"

    def add(self, trace, parent, service, operation, begin, duration, status):
        """begin and duration in s; returns the span's identifier."""
        span = self.identifier(16)
        unix_s = self._epoch + begin
        self.rows.append((begin, ",".join((
            log_time(unix_s), trace, span, parent, service, operation, operation,
            str(int(unix_s * 1000)), str(int(unix_s * 1e6)), str(max(1, int(duration * 1e6))),
            str(status)))))
        return span


def trace_rows(stack, simulation, begin, epoch, rng):
    """Lines of traces.csv in order of time, of requests from `begin` (s) on that were answered."""
    requests = simulation.requests
    spans = Spans(epoch, rng)
    for request in range(requests.count):
        if not requests.is_done[request] or requests.done[request] >= simulation.seconds:
            continue
        is_traced = requests.arrival[request] >= begin and rng.random() <= TRACED_SHARE
        if is_traced and requests.service_calls[request]:
            _add_trace(stack, requests, request, spans)
    return [row for _, row in sorted(spans.rows, key=lambda row: row[0])]


def _add_trace(stack, requests, request, spans):
    trace = spans.identifier(32)
    status = requests.status[request]
    arrival = requests.arrival[request]
    done = requests.done[request]
    front = requests.service_calls[request][0][0]
    root = spans.add(trace, "", front, "POST /ask", arrival, done - arrival, status)
    for name, begin, duration, is_ok in requests.service_calls[request]:
        if name != front:
            spans.add(trace, root, name, OPERATIONS[name], begin, duration, 200 if is_ok else 504)
    gateway_in = requests.gateway_in[request]
    if not np.isfinite(gateway_in):
        return
    parent = spans.add(trace, root, stack.gateway, "POST /v1/chat/completions", gateway_in,
                       done - gateway_in, status)
    if requests.replica[request] < 0:
        return
    forwarded = requests.forwarded[request]
    engine_done = requests.engine_done[request]
    end = engine_done if np.isfinite(engine_done) else done
    spans.add(trace, parent, stack.replicas[requests.replica[request]], "llm_request",
              forwarded + requests.network_s[request] / 2, max(0.001, end - forwarded), status)
