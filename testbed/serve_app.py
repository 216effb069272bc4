"""The model service: Ray Serve in front, one vLLM engine per replica, streamed answers.

`python serve_app.py SETTINGS.json` deploys it on the Ray cluster of the testbed and returns when
every replica is ready."""
import asyncio
import json
import logging
import os
import pathlib
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ray
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from ray import serve

app = FastAPI()
logger = logging.getLogger("testbed.replica")


class RequestTrace:
    """What one request went through, turned into spans when it ends."""

    def __init__(self, traceparent: str):
        parts = traceparent.split("-")
        known = len(parts) == 4
        self.trace_id = parts[1] if known else secrets.token_hex(16)
        self.parent_id = parts[2] if known else ""
        self.begin_ns = time.time_ns()
        self.stats = None

    def send(self, sender, status: int, tokens: int, offset_ns: int) -> None:
        end_ns = time.time_ns()
        server = sender.add(
            self.trace_id, self.parent_id, "POST /v1/completions", self.begin_ns, end_ns,
            {"http.request.method": "POST", "http.route": "/v1/completions",
             "http.response.status_code": status, "gen_ai.usage.output_tokens": tokens},
            kind=2, failed=status >= 500)
        stats = self.stats
        if stats is None or not stats.queued_ts:
            return

        def wall(engine_seconds: float) -> int:
            return int(engine_seconds * 1e9) + offset_ns

        def phase(name: str, begin: float, finish: float, events=()):
            if begin and finish:
                sender.add(self.trace_id, server, name, wall(begin), wall(finish),
                           {"http.response.status_code": status}, events=events)

        sender.add(self.trace_id, server, "tokenize", self.begin_ns,
                   max(self.begin_ns, wall(stats.queued_ts)), {"http.response.status_code": status})
        phase("engine.queue", stats.queued_ts, stats.scheduled_ts)
        phase("engine.prefill", stats.scheduled_ts, stats.first_token_ts,
              [("first_token", wall(stats.first_token_ts))])
        phase("engine.decode", stats.first_token_ts, stats.last_token_ts)


def serve_metrics(port: int) -> None:
    """The engine's metrics in the plain text format. prometheus_client's own server offers OpenMetrics
    too, where it escapes the colons of vLLM's names, so that Prometheus would not see them as they are."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = generate_latest(REGISTRY)
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


@serve.deployment
@serve.ingress(app)
class Engine:
    def __init__(self, settings: dict):
        sys.path.insert(0, settings["code"])
        os.environ["PYTHONPATH"] = settings["code"]
        import device
        import otlp_spans
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM
        self.component = os.environ["CULPRIT_COMPONENT"]
        self.device = device
        self.accelerator = device.shared_file()
        self.sender = otlp_spans.SpanSender(settings["otlp"], self.component)
        # The engine stamps with the monotonic clock; this turns its seconds into wall time.
        self.offset_ns = time.time_ns() - time.monotonic_ns()
        self.engine = AsyncLLM.from_engine_args(AsyncEngineArgs(
            model=settings["model"], served_model_name=settings["model_name"],
            load_format="dummy", enforce_eager=True, dtype="float32",
            max_model_len=settings["max_model_len"], max_num_seqs=settings["max_num_seqs"],
            max_num_batched_tokens=settings["max_num_batched_tokens"],
            num_gpu_blocks_override=settings["num_kv_blocks"], block_size=settings["block_size"],
            distributed_executor_backend="uni", worker_cls="device.EmulatedWorker",
            scheduler_cls="device.ControlledScheduler", disable_log_stats=False))
        serve_metrics(settings["engine_metrics_port"])
        where = pathlib.Path(settings["run"]) / "replicas" / f"{self.component}.json"
        where.write_text(json.dumps({"pid": os.getpid(), "replica": str(
            serve.get_replica_context().replica_id)}), encoding="utf-8")
        threading.Thread(target=self.flood_log, daemon=True).start()
        logger.warning("replica %s is ready", self.component)

    def flood_log(self):
        """Writes to the process's own standard output: Ray Serve turns `print` into log records of its own
        and drops them."""
        line = b"WARNING retrying metadata lookup for block table, attempt %d of unbounded\n"
        while True:
            rate = self.accelerator.integer(self.device.LOG_LINES_PER_S)
            if rate <= 0:
                time.sleep(0.2)
                continue
            os.write(1, b"".join(line % attempt for attempt in range(max(1, rate // 10))))
            time.sleep(0.1)

    def check_health(self):
        if self.engine.errored:
            raise RuntimeError("the engine is dead")

    @app.get("/health")
    async def health(self):
        return PlainTextResponse("ok")

    @app.post("/v1/completions")
    async def completions(self, request: Request):
        trace = RequestTrace(request.headers.get("traceparent", ""))
        body = await request.json()
        delay_us = self.accelerator.integer(self.device.TOKENIZER_DELAY_US)
        if delay_us > 0:  # a tokenizer that takes this much CPU per 1000 characters, on the loop
            until = time.thread_time() + delay_us * 1e-6 * len(body["prompt"]) / 1000
            while time.thread_time() < until:
                pass
        from vllm import SamplingParams
        parameters = SamplingParams(
            max_tokens=int(body.get("max_tokens", 16)), ignore_eos=True, temperature=1.0)
        request_id = secrets.token_hex(8)
        outputs = self.engine.generate(body["prompt"], parameters, request_id=request_id)
        try:
            first = await outputs.__anext__()
        except ValueError as refused:
            trace.send(self.sender, 400, 0, self.offset_ns)
            return JSONResponse({"error": {"message": str(refused)}}, status_code=400)
        except Exception as failure:  # the engine died; the span must say so
            trace.send(self.sender, 500, 0, self.offset_ns)
            logger.error("request %s failed: %r", request_id, failure)
            return JSONResponse({"error": {"message": repr(failure)}}, status_code=500)
        return StreamingResponse(self.stream(first, outputs, trace, request_id),
                                 media_type="text/event-stream")

    async def stream(self, first, outputs, trace, request_id):
        tokens, sent, status = 0, 0, 200
        try:
            output = first
            while True:
                tokens = len(output.outputs[0].token_ids)
                trace.stats = output.metrics
                chunk = {"id": request_id, "object": "text_completion", "choices": [
                    {"index": 0, "text": output.outputs[0].text[sent:],
                     "finish_reason": output.outputs[0].finish_reason}]}
                sent = len(output.outputs[0].text)
                yield f"data: {json.dumps(chunk)}\n\n"
                if output.finished:
                    break
                output = await outputs.__anext__()
            yield "data: [DONE]\n\n"
        except asyncio.CancelledError:
            status = 499
            raise
        except Exception as failure:
            status = 500
            logger.error("request %s failed: %r", request_id, failure)
            raise
        finally:
            trace.send(self.sender, status, tokens, self.offset_ns)


def main() -> None:
    settings = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    ray.init(address=settings["ray_address"], logging_level="WARNING")
    serve.start(proxy_location="EveryNode",
                http_options={"host": "0.0.0.0", "port": settings["serve_port"]})
    deployment = Engine.options(
        name="Engine", num_replicas=settings["replicas"],
        max_ongoing_requests=settings["max_ongoing_requests"],
        health_check_period_s=5, health_check_timeout_s=10,
        ray_actor_options={"num_cpus": 1, "resources": {"engine": 1}})
    serve.run(deployment.bind(settings), name="llm", route_prefix="/", blocking=False)
    print("every replica is ready", flush=True)


if __name__ == "__main__":
    main()
