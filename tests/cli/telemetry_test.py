#!/usr/bin/env python3
"""culprit collect against servers made here: TLS with a private authority, bearer token and basic auth,
samples and `resolution: grid` giving the same columns, and backends that are slow, broken or absent."""
import base64
import csv
import http.server
import json
import math
import os
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

CULPRIT = os.environ["CULPRIT"]
END = int(time.time()) // 10 * 10
SAMPLES = [(END - 600 + 5 * k, k) for k in range(121)]
SERIES = {
    'temperature{pod="a"}': lambda t, k: 20 + math.sin(k),
    'temperature{pod="b"}': lambda t, k: None if 40 <= k < 60 else 30.0,
    'requests_total{pod="a"}': lambda t, k: float(7 * (k % 80)),
}
TYPES = {"temperature": [{"type": "gauge", "help": "", "unit": ""}],
         "requests_total": [{"type": "counter", "help": "", "unit": ""}]}


def labels_of(key):
    name, pod = re.match(r'(\w+)\{pod="(\w+)"\}', key).groups()
    return {"__name__": name, "pod": pod}


class FakePrometheus(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    expected = None  # the Authorization header
    slow = ()        # metrics whose samples never come
    broken = ()      # metrics that answer 500
    range_queries = 0

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.handle_query(urllib.parse.parse_qs(body))

    def do_GET(self):
        self.handle_query(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query))

    def handle_query(self, parameters):
        if self.expected and self.headers.get("Authorization") != self.expected:
            return self.answer(401, {"status": "error", "errorType": "auth", "error": "who are you?"})
        path = urllib.parse.urlsplit(self.path).path
        query = parameters.get("query", parameters.get("match[]", [""]))[0]
        if path.endswith("/query") or path.endswith("/query_range"):
            if any(name in query for name in self.slow):
                time.sleep(20)
            if any(name in query for name in self.broken):
                return self.answer(500, {"status": "error", "errorType": "internal", "error": "disk"})
        chosen = [key for key in SERIES if key.split("{")[0] in query]
        if path.endswith("/__name__/values"):
            data = sorted({key.split("{")[0] for key in SERIES})
        elif path.endswith("/series"):
            data = [labels_of(key) for key in chosen]
        elif path.endswith("/metadata"):
            data = TYPES
        elif path.endswith("/targets"):
            data = {"activeTargets": [{"labels": {}, "scrapeInterval": "5s"}]}
        elif path.endswith("/query"):
            at = self.seconds(parameters["time"][0])
            window = int(re.search(r"\[(\d+)ms\]", query)[1]) / 1000
            data = self.matrix(chosen, lambda key: [
                (t, v) for t, v in self.points(key) if at - window < t <= at])
        elif path.endswith("/query_range"):
            type(self).range_queries += 1
            begin, end, step = (self.seconds(parameters[k][0]) for k in ("start", "end", "step"))
            back = int(re.search(r"last_over_time\(.*\[(\d+)ms\]\)", query)[1]) / 1000
            data = self.matrix(chosen, lambda key: self.on_grid(key, begin, end, step, back))
        else:
            data = {}
        self.answer(200, {"status": "success", "data": data})

    @staticmethod
    def seconds(text):
        if "T" not in text:
            return float(text)
        whole, _, fraction = text.rstrip("Z").partition(".")
        parsed = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
        import calendar
        return calendar.timegm(parsed) + float("0." + (fraction or "0"))

    @staticmethod
    def points(key):
        return [(t, v) for t, k in SAMPLES if (v := SERIES[key](t, k)) is not None]

    def on_grid(self, key, begin, end, step, back):
        points, out = self.points(key), []
        for i in range(int((end - begin) / step + 1e-9) + 1):
            at = begin + i * step
            inside = [v for t, v in points if at - back < t <= at]
            if inside:
                out.append((at, inside[-1]))
        return out

    @staticmethod
    def matrix(keys, values_of):
        return {"resultType": "matrix", "result": [
            {"metric": labels_of(key), "values": [[t, repr(v)] for t, v in values_of(key)]}
            for key in keys if values_of(key)]}

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass


class Server:
    def __init__(self, certificate=None, **settings):
        self.handler = type("Handler", (FakePrometheus,), settings)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.server.daemon_threads = True
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class TelemetryTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="culprit_telemetry_")
        self.folder = pathlib.Path(self.temporary.name)
        self.addCleanup(self.temporary.cleanup)

    def collect(self, source, out="case", limits="{time: 20s}", environment=None):
        (self.folder / f"{out}.yaml").write_text(
            f"prometheus: {source}\nwindow: {{baseline: 300s, suspect: 200s}}\nlimits: {limits}\n")
        begin = time.time()
        done = subprocess.run(
            [CULPRIT, "collect", "--from", f"{out}.yaml", "--at", str(END - 250), "-o", out],
            cwd=self.folder, capture_output=True, text=True, timeout=60,
            env=dict(os.environ, **(environment or {})))
        done.seconds = time.time() - begin
        return done

    def columns(self, out="case"):
        rows = list(csv.DictReader(open(self.folder / out / "data.csv")))
        return {name: [row[name] for row in rows] for name in rows[0]}

    def authority(self, name):
        """A private authority and a certificate of it for localhost."""
        run = lambda *words: subprocess.run(["openssl", *words], cwd=self.folder, check=True,
                                            capture_output=True)
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.pem")
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-keyout", f"{name}-server.key", "-out", f"{name}-server.csr")
        (self.folder / "san").write_text("subjectAltName=DNS:localhost\n")
        run("x509", "-req", "-in", f"{name}-server.csr", "-CA", f"{name}.pem", "-CAkey", f"{name}.key",
            "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", f"{name}-server.pem")
        return self.folder / f"{name}-server.pem", self.folder / f"{name}-server.key"

    def test_a_private_authority_is_trusted_only_when_named(self):
        certificate = self.authority("ours")
        self.authority("theirs")
        with Server(certificate=certificate) as server:
            found = self.collect(f"{{url: '{server.url}', tls: {{ca_file: ours.pem}}}}", "trusted")
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertIn("3 columns", found.stdout)
            for out, tls in (("unnamed", ""), ("wrong", ", tls: {ca_file: theirs.pem}")):
                found = self.collect(f"{{url: '{server.url}', attempts: 1{tls}}}", out)
                self.assertEqual(found.returncode, 1)
                self.assertIn("certificate", found.stderr)
            found = self.collect(f"{{url: '{server.url}', tls: {{skip_verify: true}}}}", "careless")
            self.assertEqual(found.returncode, 0, found.stderr)

    def test_credentials(self):
        with Server(expected="Bearer s3cret") as server:
            url = server.url
            (self.folder / "token").write_text("s3cret\n")
            for out, source in (("direct", f"{{url: '{url}', bearer_token: '${{TOKEN}}'}}"),
                                ("file", f"{{url: '{url}', bearer_token_file: token}}")):
                found = self.collect(source, out, environment={"TOKEN": "s3cret"})
                self.assertEqual(found.returncode, 0, found.stderr)
            found = self.collect(f"{{url: '{url}', bearer_token: wrong}}", "wrong")
            self.assertEqual(found.returncode, 1)
            self.assertIn("401", found.stderr)
            self.assertNotIn("s3cret", found.stderr + found.stdout)
        basic = base64.b64encode(b"sre:pa:ss").decode()
        with Server(expected=f"Basic {basic}") as server:
            found = self.collect(f"{{url: '{server.url}', username: sre, password: 'pa:ss'}}", "basic")
            self.assertEqual(found.returncode, 0, found.stderr)

    def test_the_servers_grid_gives_what_the_samples_give(self):
        with Server() as server:
            self.assertEqual(self.collect(f"{{url: '{server.url}'}}", "raw").returncode, 0)
            self.assertEqual(server.handler.range_queries, 0)
            found = self.collect(f"{{url: '{server.url}', resolution: grid}}", "grid")
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertGreater(server.handler.range_queries, 0)
        raw, grid = self.columns("raw"), self.columns("grid")
        self.assertEqual(raw.keys(), grid.keys())
        self.assertEqual(len(raw), 4)
        gaps = 0
        for name in raw:
            self.assertEqual(len(raw[name]), len(grid[name]))
            # The server looks back from a grid point, the samples' cells are centred on it: rates and
            # the borders of a gap may differ by one point.
            same = sum(a == b for a, b in zip(raw[name], grid[name]))
            self.assertGreaterEqual(same, len(raw[name]) - (3 if "requests" in name else 2), name)
            gaps += sum(value == "" for value in grid[name])
        self.assertGreaterEqual(gaps, 18)

    def test_a_slow_or_broken_backend_costs_only_what_it_had(self):
        with Server(slow=("requests_total",)) as server:
            found = self.collect(f"{{url: '{server.url}', timeout: 2s, attempts: 1}}", "slow",
                                 "{time: 6s}")
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertIn("2 columns", found.stdout)
            self.assertIn("requests_total", found.stdout)
            self.assertLess(found.seconds, 12)
        with Server(broken=("temperature",)) as server:
            found = self.collect(f"{{url: '{server.url}', attempts: 2}}", "broken")
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertIn("1 columns", found.stdout)
            self.assertIn("temperature", found.stdout)
        with Server() as server:
            down = server.url
        found = self.collect(f"{{url: '{down}', attempts: 1}}", "down")
        self.assertEqual(found.returncode, 1)
        self.assertIn("no source gave anything", found.stderr)


if __name__ == "__main__":
    unittest.main()
