#!/usr/bin/env python3
"""Finds faults while they happen: watches a running testbed, and each time something is injected asks
`culprit diagnose --from CONFIG --at now` a random moment later, from Prometheus, logs and spans alone.

Nothing of the testbed is touched. What is true is read from the injector's journal (what it will undo)
at the time of asking; the diagnosis never sees it. Every answer is kept (answers.jsonl) and diagnosed
again offline from its saved case, which must give the same bytes. Prints the share of faults whose
component came first, among the first three, and whose kind was named.

    CULPRIT=build/release/bin/culprit tests/live/testbed_live.py --minutes 60 --out /tmp/live-trials
"""
import argparse
import calendar
import gzip
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request

CULPRIT = os.environ.get("CULPRIT", "culprit")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


class Tail:
    """Whole lines that were appended to a file since the last look; a file that was replaced is read
    from its beginning."""

    def __init__(self, path):
        self.path, self.file, self.rest = path, None, b""

    def lines(self):
        try:
            if self.file is None or os.stat(self.path).st_ino != os.fstat(self.file.fileno()).st_ino:
                self.file, self.rest = open(self.path, "rb"), b""
        except OSError:
            return []
        *whole, self.rest = (self.rest + self.file.read()).split(b"\n")
        return whole


class Shipper(threading.Thread):
    """What an OpenTelemetry collector does on a node: follows the logs, takes the spans, and sends both
    over OTLP/HTTP to culprit receive, once a second."""

    def __init__(self, run, url):
        super().__init__(daemon=True)
        self.url = url
        self.logs = Tail(run / "telemetry/logs.jsonl")
        self.spans = Tail(run / "telemetry/traces.jsonl")
        self.access = Tail(run / "logs/nginx-proxy.access.log")
        self.sent = {"logs": 0, "spans": 0}
        self.failures = 0

    def run(self):
        while True:
            try:
                self.ship()
            except OSError as problem:
                self.failures += 1
                print("shipper:", problem, file=sys.stderr)
            time.sleep(1)

    def post(self, path, body):
        request = urllib.request.Request(
            self.url + path, gzip.compress(json.dumps(body).encode(), 1),
            {"Content-Type": "application/json", "Content-Encoding": "gzip"})
        urllib.request.urlopen(request, timeout=10).read()

    def ship(self):
        oldest = (time.time() - 600) * 1e9
        by_container = {}
        for line in self.logs.lines():
            entry = json.loads(line)
            if entry["container"] != "testbed" and entry["time_ns"] > oldest:
                by_container.setdefault(entry["container"], []).append(
                    {"timeUnixNano": str(entry["time_ns"]), "body": {"stringValue": entry["message"]}})
        if by_container:
            self.post("/v1/logs", {"resourceLogs": [
                {"resource": {"attributes": [attribute("k8s.pod.name", name)]},
                 "scopeLogs": [{"logRecords": records}]} for name, records in by_container.items()]})
            self.sent["logs"] += sum(map(len, by_container.values()))
        batches = [batch for line in self.spans.lines() for batch in json.loads(line)["resourceSpans"]]
        proxy = [self.proxy_span(json.loads(line)) for line in self.access.lines()]
        if proxy:
            batches.append({"resource": {"attributes": [attribute("service.name", "nginx-proxy")]},
                            "scopeSpans": [{"spans": proxy}]})
        if batches:
            self.post("/v1/traces", {"resourceSpans": batches})
            self.sent["spans"] += sum(len(s["spans"]) for b in batches for s in b["scopeSpans"])

    @staticmethod
    def proxy_span(record):
        end = int(float(record["time"]) * 1000) * 1_000_000
        return {"traceId": record["trace"], "spanId": record["span"], "kind": 2,
                "name": f"{record['method']} {record['uri']}",
                "startTimeUnixNano": str(end - int(record["seconds"] * 1e9)),
                "endTimeUnixNano": str(end),
                "attributes": [attribute("http.route", record["uri"]),
                               attribute("http.response.status_code", str(record["status"]))],
                "status": {"code": 2 if record["status"] >= 500 else 1}}


def active_faults(run):
    """What injectors have broken just now and when: their undo journals, minus empty ones."""
    found = {}
    for path in run.glob("undo-*.json"):
        try:
            text = path.read_text()
            if text.strip() not in ("", "[]", "{}", "null"):
                found[path.name] = (path.stat().st_mtime, text)
        except OSError:
            pass
    return found


def injected_plans():
    """The plans of injectors that run just now, for trials outside an experiment."""
    plans = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
            if "inject" in words[1:2]:
                plans[words[2]] = pathlib.Path(words[2]).read_text()
        except OSError:
            pass
    return plans


def ask(config, out, notes):
    folder = out / f"{time.time():.0f}"
    folder.mkdir()
    asked = time.time()
    answer = {"asked": asked} | diagnose(config, folder, 12) | notes
    with open(out / "answers.jsonl", "a") as file:
        file.write(json.dumps(answer) + "\n")
    print(time.strftime("%T", time.gmtime(asked)), answer.get("ranking", [])[:3],
          answer.get("error", ""), "same offline:", answer.get("same_offline"), flush=True)


def score(out, datasets):
    """Joins the answers with what experiments recorded: an answer counts when it was asked for while a
    fault was active. Prints each and the shares."""
    truths = []
    for dataset in datasets:
        for path in pathlib.Path(dataset).rglob("case.json"):
            case = json.loads(path.read_text())
            for fault in case["faults"]:
                truths.append((parse_rfc3339(fault["applied"]), parse_rfc3339(fault["removed"]), fault,
                               case, str(path.parent)))
    catalogue = {p.stem: json.loads(p.read_text())["catalogue"]
                 for p in (pathlib.Path(__file__).parents[2] / "data/faults").glob("*.json")}
    with open(out / "answers.jsonl") as file:
        answers = [json.loads(line) for line in file]
    broken, loads, quiet = [], [], 0
    for answer in answers:
        during = [t for t in truths if t[0] + 8 < answer["asked"] <= t[1] and t[2]["kind"] != "none"]
        quiet += not during
        if not during or "ranking" not in answer:
            continue
        targets = {t[2]["target"] for t in during if t[2]["breaks_component"]}
        rank = next((i + 1 for i, s in enumerate(answer["ranking"]) if s in targets), None)
        named = (answer["findings"] or [{}])[0].get("fault", "")
        is_named = catalogue.get(named) in {t[2]["catalogue"] for t in during} - {""}
        during.sort(key=lambda t: not t[2]["breaks_component"])
        (broken if targets else loads).append((rank, is_named))
        print(f"{answer['asked'] - during[0][0]:4.0f} s after  {during[0][2]['kind']:<20} "
              f"{','.join(sorted(targets)) or 'the load':<16} rank {rank}  {named:<20} "
              f"{'named' if is_named else '     '}  users noticed "
              f"{during[0][3]['user_impact']['measurable']}")
    print(f"broken component first: {sum(r == 1 for r, _ in broken)} of {len(broken)}, among the first "
          f"three: {sum(r is not None and r <= 3 for r, _ in broken)}, kind named: "
          f"{sum(k for _, k in broken)}")
    print(f"change of the load named: {sum(k for _, k in loads)} of {len(loads)}")
    print("same answer offline:", sum(bool(a.get("same_offline")) for a in answers), "of",
          sum("ranking" in a for a in answers), " asked while nothing was injected, or nothing is "
          "recorded yet:", quiet)


def parse_rfc3339(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def diagnose(config, folder, top):
    begin = time.time()
    done = subprocess.run(
        [CULPRIT, "diagnose", "--from", config, "--at", "now", "--format", "json", "--save", "case"],
        cwd=folder, capture_output=True, text=True, timeout=120)
    seconds = time.time() - begin
    (folder / "sources.txt").write_text(done.stderr)
    if done.returncode != 0:
        return {"error": done.stderr[-400:], "seconds": seconds}
    again = subprocess.run([CULPRIT, "diagnose", "case", "--format", "json"], cwd=folder,
                           capture_output=True, text=True, timeout=120)
    answer = json.loads(done.stdout)
    (folder / "answer.json").write_text(done.stdout)
    return {"seconds": round(seconds, 2), "same_offline": again.stdout == done.stdout,
            "ranking": [s["service"] for s in answer["ranking"][:top]],
            "findings": answer.get("findings", [])[:2], "case_bytes": sum(
                f.stat().st_size for f in (folder / "case").rglob("*") if f.is_file())}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="default")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--baseline", default="36s", help="normal operation before the fault")
    parser.add_argument("--suspect", default="20s", help="how long ago it is assumed to have begun")
    parser.add_argument("--delay", type=float, nargs=2, default=[14, 24],
                        help="ask this many seconds after the injection (drawn at random)")
    parser.add_argument("--every", type=float, default=90,
                        help="and about so often whatever happens")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    parser.add_argument("--score", nargs="*", metavar="DATASET",
                        help="only compare the answers in --out with recorded cases")
    options = parser.parse_args()
    if options.score:
        return score(pathlib.Path(options.out), options.score)
    run = pathlib.Path(f"/tmp/culprit-{options.name}")
    settings = json.loads((run / "settings.json").read_text())
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    port, grpc_port = free_port(), free_port()
    receiver = subprocess.Popen([CULPRIT, "receive", "--http-port", str(port), "--grpc-port",
                                 str(grpc_port), "--window", "900", "--journal", str(out / "journal")],
                                stdout=open(out / "receive.log", "w"), stderr=subprocess.STDOUT)
    time.sleep(1)
    shipper = Shipper(run, f"http://127.0.0.1:{port}")
    shipper.start()
    config = out / "culprit.yaml"
    config.write_text(
        f"prometheus: {{url: 'http://127.0.0.1:{settings['prometheus_port'] + settings['index']}'}}\n"
        f"receiver: {{url: 'http://127.0.0.1:{port}'}}\n"
        f"window: {{baseline: {options.baseline}, suspect: {options.suspect}}}\n")
    draw = random.Random(options.seed)
    seen = set(active_faults(run).items())
    next_ask = time.time() + 60
    end = time.time() + 60 * options.minutes
    try:
        while time.time() < end:
            time.sleep(0.5)
            now = active_faults(run)
            fresh = [(name, value) for name, value in now.items() if (name, value) not in seen]
            seen = set(now.items())
            if fresh:
                next_ask = min(value[0] for _, value in fresh) + draw.uniform(*options.delay)
                plans = injected_plans()
            if time.time() < next_ask:
                continue
            next_ask = time.time() + draw.uniform(0.5, 1.5) * options.every
            ask(config, out, {"journal": {k: v[1] for k, v in active_faults(run).items()},
                              "plans": plans if now else {}, "shipped": dict(shipper.sent)})
    finally:
        receiver.terminate()
        receiver.wait()


if __name__ == "__main__":
    main()
