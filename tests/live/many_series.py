#!/usr/bin/env python3
"""Memory of culprit collect against a made-up Prometheus with SERIES series of POINTS points (100,000
by 720 unless told). Prints time, series, samples and the collector's peak memory without the mapped
result; fails above MEMORY_MB. Built in with -DCULPRIT_LIVE_TESTS=ON; takes some minutes."""
import http.server
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

CULPRIT = os.environ["CULPRIT"]
SERIES = int(os.environ.get("SERIES", "100000"))
POINTS = int(os.environ.get("POINTS", "720"))
MEMORY_MB = int(os.environ.get("MEMORY_MB", "1024"))
METRICS = 100
PER_METRIC = SERIES // METRICS
STEP = 5
END = int(time.time()) // STEP * STEP
VALUES = ",".join(f'[{END - STEP * (POINTS - 1 - k)},"{k % 97}.{k % 10}"]'
                  for k in range(POINTS)).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.answer(urllib.parse.parse_qs(self.rfile.read(length).decode()))

    def do_GET(self):
        self.answer(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query))

    def answer(self, parameters):
        path = urllib.parse.urlsplit(self.path).path
        write = self.wfile.write
        self.send_response(200)
        self.end_headers()
        if path.endswith("/__name__/values"):
            names = [f"made_up_{m:03}" for m in range(METRICS)]
            write(json.dumps({"status": "success", "data": names}).encode())
        elif path.endswith("/series"):
            name = parameters["match[]"][0]
            labels = [{"__name__": name, "pod": f"pod-{i:06}"} for i in range(PER_METRIC)]
            write(json.dumps({"status": "success", "data": labels}).encode())
        elif path.endswith("/query"):
            self.matrix(parameters["query"][0], write)
        elif path.endswith("/targets"):
            target = {"labels": {}, "scrapeInterval": f"{STEP}s"}
            write(json.dumps({"status": "success", "data": {"activeTargets": [target]}}).encode())
        else:
            write(b'{"status":"success","data":{}}')

    @staticmethod
    def matrix(query, write):
        name = re.match(r"\w+", query)[0]
        pods = re.search(r'pod=~"([^"]*)"', query)
        wanted = pods[1].split("|") if pods else [f"pod-{i:06}" for i in range(PER_METRIC)]
        write(b'{"status":"success","data":{"resultType":"matrix","result":[')
        # Prepared values, sixty-four series to a write: the server must not be what is measured.
        for k in range(0, len(wanted), 64):
            write(b"," * (k > 0) + b",".join(
                f'{{"metric":{{"__name__":"{name}","pod":"{pod}"}},"values":['.encode() + VALUES + b"]}"
                for pod in wanted[k:k + 64]))
        write(b"]}}")


def peak_memory_mb(process):
    """The largest anonymous memory seen; mapped files are the result on disk."""
    peak = 0
    while process.poll() is None:
        try:
            text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, int(re.search(r"RssAnon:\s+(\d+)", text)[1]))
        except (OSError, TypeError):
            pass
        time.sleep(0.02)
    return peak / 1024


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="culprit_many_", dir="/var/tmp"))
    url = f"http://127.0.0.1:{server.server_address[1]}"
    (folder / "c.yaml").write_text(
        f"prometheus: {{url: '{url}'}}\n"
        f"window: {{baseline: {STEP * POINTS // 2}s, suspect: {STEP * POINTS // 2}s}}\n"
        "limits: {time: 30m, series: 1000000}\n")
    try:
        begin = time.time()
        at = END - STEP * POINTS // 2
        process = subprocess.Popen([CULPRIT, "collect", "--from", "c.yaml", "--at", str(at), "-o",
                                    "case"], cwd=folder, stdout=subprocess.PIPE, text=True)
        memory = peak_memory_mb(process)
        text = process.stdout.read()
        print(text)
        cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"{SERIES} series x {POINTS} points: {time.time() - begin:.1f} s, "
              f"{cpu.ru_utime + cpu.ru_stime:.1f} s of CPU, peak anonymous memory {memory:.0f} MB (dense values alone: "
              f"{SERIES * POINTS * 8 / 2**20:.0f} MB)")
        assert process.returncode == 0 and f"{SERIES} columns" in text
        assert memory < MEMORY_MB, memory
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
