#!/usr/bin/env python3
"""Culprit against a real Prometheus and node exporter (Debian: prometheus, prometheus-node-exporter)
on loopback. Built in with -DCULPRIT_LIVE_TESTS=ON; takes about a minute.

Checks that init finds the server, that collected values are the server's own, that a saved case reads
back, and that assess names what a node exporter alone cannot see."""
import csv
import json
import math
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

CULPRIT = os.environ["CULPRIT"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        try:
            return urllib.request.urlopen(url, timeout=2).read()
        except OSError:
            time.sleep(0.3)
    sys.exit(f"no answer from {url}")


def culprit(*arguments, cwd):
    done = subprocess.run([CULPRIT, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def query(url, expression, at):
    parameters = urllib.parse.urlencode({"query": expression, "time": at})
    answer = json.load(urllib.request.urlopen(f"{url}/api/v1/query?{parameters}", timeout=5))
    return [(float(t), float(v)) for t, v in answer["data"]["result"][0]["values"]]


def check_values(url, case):
    """A gauge of the case against the samples that Prometheus has."""
    rows = list(csv.DictReader(open(case / "data.csv")))
    names = json.load(open(case / "collected.json"))["columns"]
    column = next(c for c in names if c["metric"] == "node_load1")
    samples = query(url, f"node_load1[{5 * 60}s]", float(rows[-1]["time"]) + 2)
    compared = 0
    for row in rows:
        if not row[column["name"]]:
            continue
        nearest = min(samples, key=lambda s: abs(s[0] - float(row["time"])))
        assert math.isclose(float(row[column["name"]]), nearest[1], rel_tol=1e-9), (row["time"], nearest)
        compared += 1
    assert compared >= 5, compared


def main():
    for program in ("prometheus", "prometheus-node-exporter"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="culprit_live_"))
    server, exporter = free_port(), free_port()
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 2s}\n"
        "scrape_configs:\n"
        f"- {{job_name: node, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}\n")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{exporter}"],
                         **quiet),
        subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml",
                          f"--storage.tsdb.path={folder}/tsdb",
                          f"--web.listen-address=127.0.0.1:{server}"], **quiet)]
    try:
        url = f"http://127.0.0.1:{server}"
        wait_for(url + "/api/v1/status/buildinfo")
        time.sleep(25)
        (folder / "live.yaml").write_text(
            f"prometheus: {{url: '{url}'}}\nwindow: {{baseline: 14s, suspect: 8s}}\n")
        print(culprit("collect", "--from", "live.yaml", "--at", "now", "-o", "case", cwd=folder))
        check_values(url, folder / "case")
        live = json.loads(culprit("assess", "--from", "live.yaml", "--format", "json", cwd=folder))
        saved = json.loads(culprit("assess", "case", "--format", "json", cwd=folder))
        for found in (live, saved):
            assert "GPU power cap" in found["blind"], found["blind"]
            assert found["additions"], "a node exporter alone leaves something to add"
            assert 0 < found["score"] < 0.5, found["score"]
        # A dead server is an error with a reason, not an empty case.
        (folder / "dead.yaml").write_text(
            f"prometheus: {{url: 'http://127.0.0.1:{free_port()}', attempts: 1}}\n")
        dead = subprocess.run([CULPRIT, "collect", "--from", "dead.yaml", "-o", "none"], cwd=folder,
                              capture_output=True, text=True, timeout=60)
        assert dead.returncode == 1 and "no source gave anything" in dead.stderr, dead.stderr
    finally:
        for process in started:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
