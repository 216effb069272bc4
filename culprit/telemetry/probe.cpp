#include "culprit/telemetry/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "culprit/telemetry/json_fields.h"

namespace culprit {
namespace {

struct Usual {
    const char* kind;
    int port;
    const char* prefix;  // of the address, for servers that put the API below a path
    const char* path;
    const char* expects;  // a word of the answer
};
constexpr std::array<Usual, 10> usual_places = {{
    {"clickhouse", 8123, "", "/ping", "Ok"},
    {"jaeger", 16686, "", "/api/services", "data"},
    {"kubernetes", 8001, "", "/version", "gitVersion"},  // kubectl proxy
    {"loki", 3100, "", "/loki/api/v1/labels", "success"},
    {"prometheus", 9090, "", "/api/v1/status/buildinfo", "success"},
    {"prometheus", 8428, "", "/api/v1/status/buildinfo", "success"},
    {"prometheus", 10902, "", "/api/v1/status/buildinfo", "success"},
    {"prometheus", 9009, "/prometheus", "/api/v1/status/buildinfo", "success"},
    {"receiver", 4318, "", "/healthz", "spans"},
    {"tempo", 3200, "", "/api/echo", "echo"},
}};

void ask(Probe& probe, const Usual& usual, HttpTransport& transport, const Stop& stop) {
    HttpEndpoint endpoint{.url = probe.url};
    endpoint.timeout_seconds = 2.0;
    endpoint.attempts_max = 1;
    const HttpClient client(transport, endpoint);
    const auto body = client.get(usual.path, {}, stop);
    if (!body) {
        // An answer that asks for credentials is an answer.
        const std::string& message = body.error().message;
        probe.answers = message.find("HTTP 401") != std::string::npos ||
                        message.find("HTTP 403") != std::string::npos;
        probe.detail = probe.answers ? "needs credentials" : message;
        return;
    }
    probe.answers = body->find(usual.expects) != std::string::npos;
    if (!probe.answers) {
        probe.detail = "answers, but not like this";
        return;
    }
    const auto parsed = nlohmann::json::parse(*body, nullptr, false);
    probe.detail = text_field(object_field(parsed, "data"), "version", "answers");
}

struct Example {
    const char* kind;
    const char* title;
    const char* first;    // the line that opens an entry
    const char* options;  // further lines, as comments
};
constexpr std::array<Example, 7> examples = {{
    {"prometheus", "Metrics: Prometheus, Thanos, Mimir, Cortex or VictoriaMetrics.",
     "http://localhost:9090",
     "    # bearer_token: ${PROMETHEUS_TOKEN}       # or bearer_token_file, or username and "
     "password\n"
     "    # headers: {X-Scope-OrgID: team-a}\n"
     "    # tls: {ca_file: /etc/ssl/private-ca.pem}\n"
     "    # selector: '{cluster=\"gpu-1\"}'           # put on everything that is asked for\n"
     "    # step: auto                              # the scrape interval; or 5s\n"
     "    # resolution: samples                     # or grid, for servers that downsample\n"},
    {"loki", "Logs: Loki.", "http://localhost:3100",
     "    # query: '{namespace=\"ray\"}'\n"
     "    # headers: {X-Scope-OrgID: team-a}\n"
     "    # source_label: pod                       # what names the source of a line\n"},
    {"tempo", "Traces: Tempo.", "http://localhost:3200",
     "    # query: '{ resource.service.namespace = \"ray\" }'\n"},
    {"jaeger", "Traces: Jaeger or VictoriaTraces.", "http://localhost:16686",
     "    # services: [nginx, ray-head, vllm]\n"},
    {"clickhouse", "Logs and traces: ClickHouse tables of the OpenTelemetry exporter.",
     "http://localhost:8123",
     "    # database: otel\n"
     "    # username: default\n"
     "    # password: ${CLICKHOUSE_PASSWORD}\n"},
    {"kubernetes",
     "Topology, events and rollouts: the Kubernetes API (in a pod with its service account; or "
     "kubectl proxy),\n# or a folder with the answers of\n"
     "# kubectl get pods|nodes|services|replicasets|deployments|controllerrevisions|events -A -o "
     "json.",
     "https://kubernetes.default.svc",
     "    # namespace: ray\n"
     "    # snapshot: ./kubernetes                   # instead of url\n"},
    {"receiver", "What exporters pushed to culprit receive.", "http://localhost:4318", ""},
}};

std::string commented(std::string_view lines) {
    std::string out;
    while (!lines.empty()) {
        const auto end = lines.find('\n');
        const std::string_view line = lines.substr(0, end);
        const bool is_comment = line.find_first_not_of(' ') != std::string_view::npos &&
                                line[line.find_first_not_of(' ')] == '#';
        out += is_comment ? std::string(line) + "\n" : "# " + std::string(line) + "\n";
        if (end == std::string_view::npos) break;
        lines.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace

std::vector<Probe> probe_hosts(const std::vector<std::string>& hosts, HttpTransport& transport,
                               const Stop& stop) {
    std::vector<Probe> probes;
    std::vector<const Usual*> places;
    for (const Usual& usual : usual_places)
        for (const std::string& host : hosts) {
            probes.push_back(
                {usual.kind, fmt::format("http://{}:{}{}", host, usual.port, usual.prefix)});
            places.push_back(&usual);
        }
    std::atomic<std::size_t> next{0};
    {
        constexpr std::size_t num_workers = 8;
        std::vector<std::jthread> workers;
        workers.reserve(num_workers);
        for (std::size_t i = 0; i < num_workers; ++i)
            workers.emplace_back([&] {
                for (std::size_t p = next++; p < probes.size(); p = next++)
                    ask(probes[p], *places[p], transport, stop);
            });
    }
    return probes;
}

std::string format_config(const std::vector<Probe>& probes) {
    std::string text =
        "# Where Culprit finds telemetry. Values may name environment variables: ${NAME} or\n"
        "# ${NAME:-otherwise}; keep secrets there. Written by culprit init from what answered.\n"
        "#   culprit diagnose --from THIS_FILE --at now      what is broken\n"
        "#   culprit assess   --from THIS_FILE               what telemetry is missing\n";
    for (const Example& example : examples) {
        text += fmt::format("\n# {}\n", example.title);
        std::string entries;
        for (const Probe& probe : probes)
            if (probe.answers && probe.kind == example.kind)
                entries +=
                    fmt::format("  - url: {}   # {}\n{}", probe.url, probe.detail, example.options);
        if (!entries.empty())
            text += fmt::format("{}:\n{}", example.kind, entries);
        else
            text += commented(
                fmt::format("{}:\n  - url: {}\n{}", example.kind, example.first, example.options));
    }
    text +=
        "\n# Files of the OpenTelemetry collector's file exporter.\n"
        "# otlp_files:\n"
        "#   - paths: [/var/lib/otelcol/traces.json]\n"
        "\nwindow: {baseline: 30m, suspect: 5m}\n"
        "limits: {time: 60s, series: 200000, parallel: 4, spool: /var/tmp}\n";
    return text;
}

}  // namespace culprit
