#!/usr/bin/env python3
"""Contracts with real servers: what is written into them comes back through Culprit's readers, whole.

    Prometheus -> VictoriaMetrics and culprit receive (remote write): three ways to the same columns
    nginx, its exporter, Alertmanager: real exporters; an alert's time is what --at takes
    OpenTelemetry collector -> culprit receive (gRPC and HTTP, gzip), Jaeger, files (protobuf)
    Jaeger, Loki: more than one page, bursts at one time, nothing lost at a border
    Loki: streams without a label in common, tenants; TLS with a private authority, a password
    ClickHouse's engine: every row of the exporter's tables

From Debian: prometheus, prometheus-alertmanager, prometheus-nginx-exporter, nginx, victoria-metrics; from
tests/live/servers/build, in SERVERS: collector, jaeger, loki; from PyPI: chdb. What is not there is
skipped and said so.
"""
import csv
import http.server
import json
import math
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

CULPRIT = os.environ["CULPRIT"]
SERVERS = pathlib.Path(os.environ.get("SERVERS", "build/servers"))


GIVEN = set()


def free_port():
    """Never the same twice: the servers that get them start later."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def get(url, **parameters):
    if parameters:
        url += "?" + urllib.parse.urlencode(parameters)
    return urllib.request.urlopen(url, timeout=10).read()


def post(url, value, headers=()):
    request = urllib.request.Request(url, json.dumps(value).encode(),
                                     {"Content-Type": "application/json", **dict(headers)})
    return urllib.request.urlopen(request, timeout=30).read()


def wait_until(what, seconds, check):
    end = time.time() + seconds
    while time.time() < end:
        try:
            found = check()
            if found:
                return found
        except (OSError, ValueError, KeyError, IndexError):
            pass
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds} s")


def program(name):
    found = shutil.which(name) or (str(SERVERS / name) if (SERVERS / name).exists() else None)
    if not found:
        raise unittest.SkipTest(f"{name} is not there")
    return found


class ServersTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="culprit_servers_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, *command):
        log = open(self.folder / f"{pathlib.Path(command[0]).name}.log", "ab")
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, cwd=self.folder)
        log.close()

        def stop():
            if process.poll() is not None:
                text = (self.folder / f"{pathlib.Path(command[0]).name}.log").read_text(errors="replace")
                print(f"{command[0]} ended by itself, code {process.returncode}:\n{text[-2000:]}")
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.addCleanup(stop)
        return process

    def receiver(self, *options):
        http, grpc = free_port(), free_port()
        self.start(CULPRIT, "receive", "--http-port", http, "--grpc-port", grpc, *options)
        wait_until("culprit receive", 30, lambda: get(f"http://127.0.0.1:{http}/healthz"))
        return http, grpc

    def culprit(self, *arguments, fails=False):
        done = subprocess.run([CULPRIT, *map(str, arguments)], cwd=self.folder, capture_output=True,
                              text=True, timeout=300)
        self.assertEqual(done.returncode != 0, fails, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def collect(self, name, source, at, window="{baseline: 20s, suspect: 20s}"):
        (self.folder / f"{name}.yaml").write_text(f"{source}\nwindow: {window}\n")
        text = self.culprit("collect", "--from", f"{name}.yaml", "--at", at, "-o", f"{name}.case")
        self.assertNotIn("not collected", text)
        return self.folder / f"{name}.case"

    @staticmethod
    def columns(case):
        with open(case / "data.csv") as file:
            rows = list(csv.DictReader(file))
        return {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}

    def test_three_ways_to_the_same_samples(self):
        program("prometheus"), program("victoria-metrics"), program("prometheus-alertmanager")
        program("prometheus-nginx-exporter"), program("nginx")
        server, storage, alerts, status, exporter = (free_port() for _ in range(5))
        cluster = free_port()
        http, _ = self.receiver()
        self.start(program("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{storage}",
                   f"-storageDataPath={self.folder}/vm", "-retentionPeriod=1d")
        (self.folder / "am.yml").write_text(
            "route: {receiver: none, group_wait: 0s}\nreceivers: [{name: none}]\n")
        self.start(program("prometheus-alertmanager"), f"--config.file={self.folder}/am.yml",
                   f"--storage.path={self.folder}/am", f"--web.listen-address=127.0.0.1:{alerts}",
                   f"--cluster.listen-address=127.0.0.1:{cluster}")
        (self.folder / "nginx.conf").write_text(
            f"daemon off; pid {self.folder}/nginx.pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {self.folder}; proxy_temp_path {self.folder};"
            f" fastcgi_temp_path {self.folder}; uwsgi_temp_path {self.folder};"
            f" scgi_temp_path {self.folder};"
            f" server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }} }}\n")
        self.start(program("nginx"), "-c", self.folder / "nginx.conf")
        wait_until("nginx", 60, lambda: get(f"http://127.0.0.1:{status}/"))
        self.start(program("prometheus-nginx-exporter"),
                   f"-nginx.scrape-uri=http://127.0.0.1:{status}/",
                   f"-web.listen-address=127.0.0.1:{exporter}")
        (self.folder / "rules.yml").write_text(
            "groups: [{name: g, interval: 1s, rules: [{alert: Busy, expr: 'nginx_connections_active >= 0',"
            " labels: {severity: page}}]}]\n")
        (self.folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: 1s}}\nrule_files: [{self.folder}/rules.yml]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alerts}']}}]}}]}}\n"
            "remote_write:\n"
            f"- {{url: 'http://127.0.0.1:{storage}/api/v1/write'}}\n"
            f"- {{url: 'http://127.0.0.1:{http}/api/v1/write'}}\n"
            "scrape_configs:\n"
            f"- {{job_name: nginx, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}\n"
            f"- {{job_name: alertmanager, static_configs: [{{targets: ['127.0.0.1:{alerts}']}}]}}\n")
        self.start(program("prometheus"), f"--config.file={self.folder}/prometheus.yml",
                   f"--storage.tsdb.path={self.folder}/tsdb",
                   f"--web.listen-address=127.0.0.1:{server}")
        alert = wait_until("the alert", 180, lambda: json.loads(
            get(f"http://127.0.0.1:{alerts}/api/v2/alerts"))[0])
        time.sleep(26)
        # An alert's own time, as Alertmanager writes it, is what --at takes.
        self.assertIn("T", alert["startsAt"])
        at = alert["startsAt"]
        cases = {
            "prometheus": self.collect("prometheus", f"prometheus: {{url: 'http://127.0.0.1:{server}'}}",
                                       at, "{baseline: 5s, suspect: 20s}"),
            "victoria": self.collect("victoria", f"prometheus: {{url: 'http://127.0.0.1:{storage}', "
                                     "step: 1s}", at, "{baseline: 5s, suspect: 20s}"),
        }
        columns = {name: self.columns(case) for name, case in cases.items()}
        self.assertGreater(len(columns["prometheus"]), 100)
        self.assertIn("nginx", json.dumps(list(columns["prometheus"])))
        described = json.loads((cases["prometheus"] / "collected.json").read_text())
        signals = {c["labels"].get("quantity") for c in described["columns"]}
        self.assertTrue({q for q in signals if q and q.startswith("proxy")}, "nginx is in the catalogue")
        self.same_columns(columns["prometheus"], columns["victoria"])
        # Through remote write the samples are those of the API.
        counts = json.loads(get(f"http://127.0.0.1:{http}/healthz"))
        self.assertGreater(counts["points"], 5_000)
        self.assertEqual(counts["malformed"], 0)
        pushed = self.columns(self.collect(
            "pushed", f"receiver: {{url: 'http://127.0.0.1:{http}'}}", at, "{baseline: 5s, suspect: 20s}"))
        gauge = next(c for c in columns["prometheus"] if "nginx_connections_active" in c)
        other = next(c for c in pushed if "nginx_connections_active" in c)
        values = [v for v in columns["prometheus"][gauge] if v]
        self.assertEqual([float(v) for v in values[-10:]],
                         [float(v) for v in [v for v in pushed[other] if v][-10:]])

    def same_columns(self, one, two):
        """VictoriaMetrics has what Prometheus sent, a moment later: all but the newest points."""
        shared = set(one) & set(two) - {"time"}
        self.assertGreater(len(shared), 0.9 * len(one), sorted(set(one) ^ set(two))[:20])
        times = {t: i for i, t in enumerate(two["time"])}
        compared = different = 0
        for name in shared:
            for i, t in enumerate(one["time"][:-4]):
                a, b = one[name][i], two[name][times[t]] if t in times else ""
                if a and b:
                    compared += 1
                    different += not math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)
        print(f"VictoriaMetrics: {len(shared)} columns, {compared} values compared, {different} differ")
        self.assertGreater(compared, 1000)
        self.assertLess(different, 0.001 * compared)

    @staticmethod
    def spans_message(count, begin_ns, service="engine", spread_ns=1_000_000):
        spans = [{"traceId": f"{i + 1:032x}", "spanId": f"{i + 1:016x}", "name": "step", "kind": 2,
                  "startTimeUnixNano": str(begin_ns + i * spread_ns),
                  "endTimeUnixNano": str(begin_ns + i * spread_ns + 5_000_000),
                  "attributes": [{"key": "http.response.status_code", "value": {"intValue": "200"}}],
                  "status": {}} for i in range(count)]
        return {"resourceSpans": [{"resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": spans}]}]}

    def test_the_collector_hands_on_everything(self):
        http, grpc = self.receiver()
        entry = free_port()
        (self.folder / "collector.yaml").write_text(
            f"receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{entry}'}}}}}}}}\n"
            "exporters:\n"
            f"  otlp_grpc: {{endpoint: '127.0.0.1:{grpc}', tls: {{insecure: true}}}}\n"
            f"  otlp_http: {{endpoint: 'http://127.0.0.1:{http}'}}\n"
            f"  file: {{path: '{self.folder}/spans.binpb', format: proto}}\n"
            "service:\n  telemetry: {metrics: {level: none}}\n"
            "  pipelines: {traces: {receivers: [otlp], exporters: [otlp_grpc, otlp_http, file]}}\n")
        self.start(program("collector"), "--config", self.folder / "collector.yaml")
        url = f"http://127.0.0.1:{entry}/v1/traces"
        now = time.time_ns()
        wait_until("the collector", 60, lambda: post(url, self.spans_message(1, now)))
        for k in range(20):
            post(url, self.spans_message(500, now - 5_000_000_000 + k * 100_000_000, spread_ns=100_000))
        total = 2 * (1 + 20 * 500)
        wait_until("all spans", 60, lambda: json.loads(
            get(f"http://127.0.0.1:{http}/healthz"))["spans"] == total)
        counts = json.loads(get(f"http://127.0.0.1:{http}/healthz"))
        self.assertEqual((counts["refused"], counts["malformed"]), (0, 0))
        time.sleep(2)
        case = self.collect("files", f"otlp_files: {{paths: ['{self.folder}/spans.binpb']}}",
                            now / 1e9 - 1)
        self.assertEqual(self.num_rows(case / "traces.csv"), total // 2)
        print(f"collector: {total} spans through gRPC and HTTP, {total // 2} out of its protobuf file")

    @staticmethod
    def num_rows(path):
        with open(path) as file:
            return sum(1 for _ in csv.DictReader(file))

    def test_jaeger_gives_back_every_trace(self):
        ui, entry = free_port(), free_port()
        ports = [f"--{name}=127.0.0.1:{free_port()}" for name in (
            "collector.http-server.host-port", "collector.grpc-server.host-port", "query.grpc-server.host-port",
            "admin.http.host-port", "http-server.host-port", "processor.jaeger-binary.server-host-port",
            "processor.jaeger-compact.server-host-port", "processor.zipkin-compact.server-host-port",
            "collector.otlp.grpc.host-port")]
        self.start(program("jaeger"), *ports, f"--query.http-server.host-port=127.0.0.1:{ui}",
                   f"--collector.otlp.http.host-port=127.0.0.1:{entry}", "--log-level=error",
                   "--collector.queue-size=100000")  # its default of 2000 drops spans of such bursts
        now = time.time_ns()
        begin = now - 8_000_000_000
        url = f"http://127.0.0.1:{entry}/v1/traces"
        # 3,000 traces within three seconds, of which 700 in one millisecond; pages hold 500.
        wait_until("jaeger", 60, lambda: post(url, self.spans_message(2300, begin)))
        burst = self.spans_message(700, begin + 3_500_000_000, spread_ns=1000)
        for span in burst["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            span["traceId"] = "f" + span["traceId"][1:]
        post(url, burst)
        api = f"http://127.0.0.1:{ui}/api/traces"
        wait_until("jaeger's index", 60, lambda: len(json.loads(get(
            api, service="engine", limit=5000, start=begin // 1000 - 1, end=now // 1000))["data"]) == 3000)
        case = self.collect("jaeger", f"jaeger: {{url: 'http://127.0.0.1:{ui}'}}", now / 1e9 - 5)
        self.assertEqual(self.num_rows(case / "traces.csv"), 3000)
        with open(case / "traces.csv") as file:
            self.assertEqual(len({row["traceID"] for row in csv.DictReader(file)}), 3000)
        print("jaeger: 3000 of 3000 traces")

    def test_loki_gives_back_every_line(self):
        port, grpc = free_port(), free_port()
        (self.folder / "loki.yaml").write_text(
            f"auth_enabled: true\nserver: {{http_listen_port: {port}, grpc_listen_port: {grpc}, "
            "http_listen_address: 127.0.0.1, grpc_listen_address: 127.0.0.1, log_level: error}\n"
            f"common: {{path_prefix: {self.folder}/loki, replication_factor: 1, instance_addr: 127.0.0.1,\n"
            "  ring: {kvstore: {store: inmemory}, instance_addr: 127.0.0.1},\n"
            f"  storage: {{filesystem: {{chunks_directory: {self.folder}/chunks,\n"
            f"    rules_directory: {self.folder}/rules}}}}}}\n"
            "schema_config: {configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, "
            "schema: v13, index: {prefix: index_, period: 24h}}]}\n"
            "limits_config: {discover_service_name: []}\n"
            "analytics: {reporting_enabled: false}\n")
        self.start(program("loki"), f"-config.file={self.folder}/loki.yaml", "-target=all")
        url = f"http://127.0.0.1:{port}"
        wait_until("loki", 180, lambda: b"ready" in get(url + "/ready"))
        now = time.time_ns()
        begin = now - 8_000_000_000

        def push(tenant, labels, lines):
            for k in range(0, len(lines), 1000):
                post(url + "/loki/api/v1/push", {"streams": [{"stream": labels, "values": [
                    [str(t), text] for t, text in lines[k:k + 1000]]}]}, {"X-Scope-OrgID": tenant})

        # Streams that have no label in common; 3,000 lines within one nanosecond, where pages hold
        # 1,000; the same text twice at one time in different streams; another tenant's lines.
        steady = [(begin + k * 500_000, f"line {k}") for k in range(5100)]
        burst = [(begin + 3_000_000_000, f"burst {k}") for k in range(3000)]
        streams = {"pod-0": ({"job": "test", "pod": "pod-0"}, steady),
                   "pod-1": ({"app": "engine", "pod": "pod-1"}, sorted(steady[::2] + burst)),
                   "sshd": ({"unit": "sshd"}, [(begin, "hello \u2028 \"quoted\" \\ \x01")])}
        for labels, lines in streams.values():
            push("red", labels, lines)
        push("blue", {"job": "test", "pod": "pod-0"}, [(begin, "not for red")])

        source = f"url: '{url}', headers: {{X-Scope-OrgID: red}}"
        case = self.collect("loki", f"loki: {{{source}, source_label: pod}}", now / 1e9 - 5)
        found = self.lines_of(case)
        expected = sorted(text for _, lines in streams.values() for _, text in lines)
        self.assertEqual(sorted(text for _, text in found), expected)
        for pod, (_, lines) in streams.items():
            if pod != "sshd":
                self.assertEqual(sum(source == pod for source, _ in found), len(lines))
        # With a query and a filter the server's answer is taken as it is; without a tenant there is none.
        case = self.collect("filtered", f"loki: {{{source}, query: '{{pod=\"pod-1\"}} |= \"burst\"'}}",
                            now / 1e9 - 5)
        self.assertEqual(len(self.lines_of(case)), 3000)
        (self.folder / "refused.yaml").write_text(f"loki: {{url: '{url}'}}\n")
        refused = self.culprit("collect", "--from", "refused.yaml", "--at", now / 1e9 - 5, "-o", "none",
                               fails=True)
        self.assertIn("HTTP 401", refused)
        print(f"loki: {len(found)} of {len(expected)} lines of {len(streams)} streams")
        self.behind_a_private_authority(port)

    def behind_a_private_authority(self, port):
        """The same Loki behind nginx with TLS and a password."""
        door = free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                        "-out", "ca.pem", "-subj", "/CN=culprit test", "-addext",
                        "subjectAltName=IP:127.0.0.1"], cwd=self.folder, check=True, capture_output=True)
        (self.folder / "passwords").write_text("sre:{PLAIN}s3cret\n")
        (self.folder / "door.conf").write_text(
            f"daemon off; pid {self.folder}/door.pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {self.folder}; proxy_temp_path {self.folder};"
            f" fastcgi_temp_path {self.folder}; uwsgi_temp_path {self.folder};"
            f" scgi_temp_path {self.folder};\n"
            f" server {{ listen 127.0.0.1:{door} ssl; ssl_certificate {self.folder}/ca.pem;"
            f" ssl_certificate_key {self.folder}/key.pem; auth_basic loki;"
            f" auth_basic_user_file {self.folder}/passwords;"
            f" location / {{ proxy_pass http://127.0.0.1:{port}; }} }} }}\n")
        self.start(program("nginx"), "-c", self.folder / "door.conf")
        wait_until("nginx", 60, lambda: socket.create_connection(("127.0.0.1", door)).close() is None)
        source = (f"url: 'https://127.0.0.1:{door}', headers: {{X-Scope-OrgID: red}}, username: sre, "
                  "attempts: 1")
        case = self.collect("tls", f"loki: {{{source}, password: '${{LOKI_PASSWORD:-s3cret}}', "
                            f"tls: {{ca_file: {self.folder}/ca.pem}}}}", time.time() - 5,
                            "{baseline: 300s, suspect: 5s}")
        self.assertEqual(len(self.lines_of(case)), 5100 + 2550 + 3000 + 1)
        for name, rest, why in (("stranger", "password: s3cret", "certificate"),
                                ("guess", f"password: no, tls: {{ca_file: {self.folder}/ca.pem}}", "HTTP 401")):
            (self.folder / f"{name}.yaml").write_text(f"loki: {{{source}, {rest}}}\n")
            self.assertIn(why, self.culprit("collect", "--from", f"{name}.yaml", "-o", "none", fails=True))
        print("loki: the same through TLS with a private authority and a password")

    @staticmethod
    def lines_of(case):
        with open(case / "logs.csv", newline="") as file:
            return [(row["container_name"], row["message"]) for row in csv.DictReader(file)]

    # The tables as the OpenTelemetry collector's exporter makes them.
    CLICKHOUSE_TABLES = (
        "CREATE TABLE otel.otel_logs (Timestamp DateTime64(9), TimestampTime DateTime DEFAULT "
        "toDateTime(Timestamp), TraceId String, SpanId String, TraceFlags UInt8, SeverityText "
        "LowCardinality(String), SeverityNumber UInt8, ServiceName LowCardinality(String), Body String, "
        "ResourceAttributes Map(LowCardinality(String), String), LogAttributes Map(LowCardinality(String), "
        "String)) ENGINE = MergeTree PARTITION BY toDate(TimestampTime) ORDER BY (ServiceName, Timestamp)",
        "CREATE TABLE otel.otel_traces (Timestamp DateTime64(9), TraceId String, SpanId String, ParentSpanId "
        "String, TraceState String, SpanName LowCardinality(String), SpanKind LowCardinality(String), "
        "ServiceName LowCardinality(String), ResourceAttributes Map(LowCardinality(String), String), "
        "SpanAttributes Map(LowCardinality(String), String), Duration UInt64, StatusCode "
        "LowCardinality(String), StatusMessage String) ENGINE = MergeTree PARTITION BY toDate(Timestamp) "
        "ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))")

    def clickhouse(self):
        """ClickHouse's engine from the package chdb behind a door like the server's HTTP interface."""
        try:
            from chdb import session
        except ImportError:
            raise unittest.SkipTest("the package chdb is not there")
        engine = session.Session()
        lock = threading.Lock()

        class Door(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                address = urllib.parse.urlsplit(self.path)
                query = urllib.parse.parse_qs(address.query).get("query", [""])[0]
                try:
                    with lock:
                        status, body = 200, engine.query(query, "CSV").bytes() if query else b"Ok.\n"
                except RuntimeError as problem:
                    status, body = 404, str(problem).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return engine, f"http://127.0.0.1:{server.server_port}"

    def test_clickhouse_gives_back_every_row(self):
        engine, url = self.clickhouse()
        engine.query("CREATE DATABASE otel")
        for table in self.CLICKHOUSE_TABLES:
            engine.query(table)
        now = time.time_ns()
        begin = now - 8_000_000_000
        engine.query(
            "INSERT INTO otel.otel_logs (Timestamp, ServiceName, Body, ResourceAttributes) SELECT "
            f"fromUnixTimestamp64Nano({begin} + 500000 * number), 'engine', concat('line \"', "
            "toString(number), '\" \\\\ \\n ü'), map('k8s.pod.name', concat('pod-', toString(number % 3))) "
            "FROM numbers(5000)")
        engine.query(
            "INSERT INTO otel.otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, "
            f"SpanAttributes, Duration, StatusCode) SELECT fromUnixTimestamp64Nano({begin} + 1000000 * "
            "number), lower(hex(MD5(toString(intDiv(number, 2))))), lower(hex(toUInt64(number + 1))), "
            "if(number % 2, lower(hex(toUInt64(number))), ''), 'step', if(number % 2, 'engine', 'proxy'), "
            "map('http.response.status_code', if(number % 10, '200', '503'), 'http.route', '/v1/chat'), "
            "5000000, if(number % 10, 'Unset', 'Error') FROM numbers(4000)")
        case = self.collect("clickhouse", f"clickhouse: {{url: '{url}'}}", now / 1e9 - 5)
        found = self.lines_of(case)
        self.assertEqual(sorted(text for _, text in found),
                         sorted(f'line "{k}" \\ \n ü' for k in range(5000)))
        self.assertEqual({source for source, _ in found}, {"pod-0", "pod-1", "pod-2"})
        with open(case / "traces.csv") as file:
            spans = list(csv.DictReader(file))
        self.assertEqual(len(spans), 4000)
        self.assertEqual(sum(row["statusCode"] == "503" for row in spans), 400)
        self.assertEqual(sum(row["parentSpanID"] not in ("", "0") for row in spans), 2000)
        self.assertEqual({row["duration"] for row in spans}, {"5000"})
        # Half of the tables: half of the answer, and it says so.
        engine.query("DROP TABLE otel.otel_traces SYNC")
        (self.folder / "half.yaml").write_text(f"clickhouse: {{url: '{url}'}}\n")
        self.assertIn("not collected: traces", self.culprit(
            "collect", "--from", "half.yaml", "--at", now / 1e9 - 5, "-o", "half"))
        print(f"clickhouse: {len(found)} of 5000 lines, {len(spans)} of 4000 spans")


if __name__ == "__main__":
    unittest.main(verbosity=2)
