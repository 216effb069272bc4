#!/usr/bin/env python3
"""OTLP spans per second and core: culprit receive against the OpenTelemetry collector (its OTLP
receiver and its exporter that does nothing), on this machine, in one run, in turns.

The measure is the server's own CPU time per accepted span, so that other work on the machine and the
sender's cost do not count; the best of ROUNDS is shown, and all of them. Then a small window is sent
more than it holds: what was accepted must be there, the rest must have been refused with 429 or
RESOURCE_EXHAUSTED, and memory must stay bounded.

Needs the collector of tests/live/servers/build (COLLECTOR) and otlp_load (OTLP_LOAD)."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

CULPRIT = os.environ["CULPRIT"]
COLLECTOR = os.environ.get("COLLECTOR", "")
LOAD = os.environ["OTLP_LOAD"]
SECONDS = float(os.environ.get("SECONDS_EACH", "5"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CONNECTIONS = os.environ.get("CONNECTIONS", "4")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, kind, folder, options=()):
        self.http, self.grpc, self.kind = free_port(), free_port(), kind
        if kind == "culprit":
            command = [CULPRIT, "receive", "--http-port", str(self.http), "--grpc-port", str(self.grpc),
                       *(options or ["--records-max", "40000000"])]
        else:
            config = folder / "collector.yaml"
            config.write_text(
                "receivers: {otlp: {protocols: {"
                f"http: {{endpoint: '127.0.0.1:{self.http}'}}, grpc: {{endpoint: '127.0.0.1:{self.grpc}'"
                "}}}}\nexporters: {nop: {}}\nservice:\n  telemetry: {metrics: {level: none}}\n"
                "  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}\n")
            command = [COLLECTOR, "--config", str(config)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for port in (self.http, self.grpc):
            for _ in range(1200):
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            else:
                sys.exit(f"{kind} does not listen")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, field):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", text)[1]) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def load(server, protocol, seconds=SECONDS, connections=CONNECTIONS):
    port = server.grpc if protocol == "grpc" else server.http
    done = subprocess.run([LOAD, protocol, "127.0.0.1", str(port), str(seconds), str(connections)],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def healthz(server):
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{server.http}/healthz", timeout=30))


def measure(kind, protocol, folder):
    server = Server(kind, folder)
    try:
        load(server, protocol, 0.5)
        before = healthz(server)["spans"] if kind == "culprit" else 0
        cpu = server.cpu_seconds()
        sent = load(server, protocol)
        cpu = server.cpu_seconds() - cpu
        assert sent["failed"] == 0 and sent["refused"] == 0, sent
        if kind == "culprit":
            assert healthz(server)["spans"] - before == sent["spans"], "every accepted span is there"
        return sent["spans"] / cpu, sent["spans"] / sent["seconds"], server.memory_mb("VmHWM")
    finally:
        server.stop()


def back_pressure(protocol, folder):
    """A window of 50,000 spans: full after 97 requests, refusing from then on."""
    server = Server("culprit", folder, ["--records-max", "50000", "--window", "3600"])
    try:
        empty = server.memory_mb("VmRSS")
        sent = load(server, protocol, 5)
        counts = healthz(server)
        assert counts["spans"] == sent["spans"] <= 50_000, (counts, sent)
        assert sent["refused"] > 0 and sent["failed"] == 0, sent
        assert counts["refused"] == sent["refused"], (counts, sent)
        grown = server.memory_mb("VmHWM") - empty
        assert grown < 200, grown
        print(f"back-pressure over {protocol}: {sent['spans']} spans taken and kept, {sent['refused']} "
              f"requests refused, {grown:.0f} MB more at the peak")
    finally:
        server.stop()


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="culprit_rate_"))
    try:
        for protocol in ("http", "grpc"):
            kinds = ["culprit"] + (["collector"] if COLLECTOR else [])
            results = {kind: [] for kind in kinds}
            for _ in range(ROUNDS):
                for kind in kinds:
                    results[kind].append(measure(kind, protocol, folder))
            for kind, rows in results.items():
                print(f"{protocol} {kind:<10} {max(r[0] for r in rows):10,.0f} spans per CPU second  (all: "
                      + ", ".join(f"{r[0]:,.0f}" for r in rows)
                      + f")  {max(r[1] for r in rows):10,.0f} spans/s by the clock, peak "
                      f"{max(r[2] for r in rows):.0f} MB")
            if COLLECTOR:
                ratio = (max(r[0] for r in results["culprit"]) /
                         max(r[0] for r in results["collector"]))
                print(f"{protocol} ratio {ratio:.2f}")
                assert ratio > 1, "slower than the collector"
            back_pressure(protocol, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
