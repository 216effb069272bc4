#include "culprit/tailored/front.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>

#include "culprit/tailored/exporters.h"

namespace culprit::tailored {
namespace {

constexpr std::array kinds = {
    FrontKind{.name = "haproxy",
              .metrics = "haproxy_",
              .upstreams = "kubectl exec FRONT -- sh -c 'echo \"show servers state\" | socat stdio "
                           "/var/run/haproxy/admin.sock'",
              .reload = "kubectl exec FRONT -- kill -USR2 1",
              .balance = "haproxy.cfg: balance leastconn",
              .connections = "haproxy.cfg: maxconn 8192 in global, maxconn N at each server",
              .idle = "haproxy.cfg: timeout http-keep-alive 5s",
              .rate = "haproxy.cfg: http-request deny deny_status 429 if { sc_http_req_rate(0) gt "
                      "N }",
              .address = "haproxy.cfg: server NAME ADDRESS:PORT",
              .drain = "kubectl exec FRONT -- sh -c 'echo \"set server BACKEND/POD state drain\" | "
                       "socat stdio /var/run/haproxy/admin.sock'"},
    FrontKind{.name = "traefik",
              .metrics = "traefik_",
              .upstreams = "kubectl exec FRONT -- wget -qO- localhost:8080/api/http/services",
              .reload = "kubectl rollout restart deployment/FRONT",
              .balance = "traefik: loadBalancer.strategy p2c, no sticky cookie",
              .connections = "traefik: forwardingTimeouts and maxIdleConnsPerHost of the "
                             "serversTransport; LimitNOFILE=8192",
              .idle = "traefik: entryPoints.NAME.transport.respondingTimeouts.idleTimeout 5s",
              .rate = "traefik: middleware rateLimit, average N",
              .address = "traefik: loadBalancer.servers url http://ADDRESS:PORT",
              .drain = "traefik: take POD out of loadBalancer.servers"},
    FrontKind{.name = "envoy",
              .metrics = "envoy_",
              .upstreams = "kubectl exec FRONT -- curl -s localhost:9901/clusters",
              .reload = "kubectl rollout restart deployment/FRONT",
              .balance = "envoy: lb_policy LEAST_REQUEST",
              .connections = "envoy: circuit_breakers.thresholds max_connections, max_requests and "
                             "max_pending_requests N",
              .idle = "envoy: common_http_protocol_options.idle_timeout 5s",
              .rate = "envoy: filter envoy.filters.http.local_ratelimit, N tokens a second",
              .address = "envoy: lb_endpoints socket_address ADDRESS port_value PORT",
              .drain = "envoy: health_status DRAINING at the endpoint POD"},
    FrontKind{.name = "istio",
              .metrics = "istio_",
              .upstreams = "istioctl proxy-config endpoints FRONT",
              .reload = "kubectl rollout restart deployment/FRONT",
              .balance = "DestinationRule: trafficPolicy.loadBalancer.simple LEAST_REQUEST",
              .connections = "DestinationRule: trafficPolicy.connectionPool tcp.maxConnections, "
                             "http.http1MaxPendingRequests N",
              .idle = "DestinationRule: trafficPolicy.connectionPool.http.idleTimeout 5s",
              .rate = "EnvoyFilter: envoy.filters.http.local_ratelimit, N tokens a second",
              .address = "ServiceEntry: endpoints address ADDRESS",
              .drain = ""},
    FrontKind{.name = "caddy",
              .metrics = "caddy_",
              .upstreams = "kubectl exec FRONT -- wget -qO- localhost:2019/reverse_proxy/upstreams",
              .reload = "kubectl exec FRONT -- caddy reload --config /etc/caddy/Caddyfile",
              .balance = "Caddyfile: lb_policy least_conn in reverse_proxy",
              .connections = "Caddyfile: transport http { max_conns_per_host N }; LimitNOFILE=8192",
              .idle = "Caddyfile: servers { timeouts { idle 5s } }",
              .rate = "Caddyfile: rate_limit (module caddy-ratelimit), events N",
              .address = "Caddyfile: reverse_proxy ADDRESS:PORT",
              .drain = "Caddyfile: take POD out of reverse_proxy; then caddy reload"},
    FrontKind{.name = "litellm",
              .metrics = "litellm_",
              .upstreams = "curl -s -H \"Authorization: Bearer KEY\" http://FRONT:4000/health",
              .reload = "kubectl rollout restart deployment/FRONT",
              .balance = "config.yaml: router_settings.routing_strategy least-busy",
              .connections = "litellm --num_workers N; config.yaml: "
                             "general_settings.global_max_parallel_requests N",
              .idle = "config.yaml: litellm_settings.request_timeout N",
              .rate = "rpm_limit and tpm_limit of the tenant's key",
              .address = "config.yaml: api_base http://ADDRESS:PORT in model_list",
              .drain = "config.yaml: take the entry with api_base POD out of model_list"},
    FrontKind{.name = "kong",
              .metrics = "kong_",
              .upstreams = "kubectl exec FRONT -- curl -s localhost:8001/upstreams/NAME/health",
              .reload = "kubectl exec FRONT -- kong reload",
              .balance = "kong: algorithm least-connections of the upstream",
              .connections = "KONG_NGINX_EVENTS_WORKER_CONNECTIONS=4096; "
                             "KONG_NGINX_MAIN_WORKER_RLIMIT_NOFILE=8192",
              .idle = "KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT=5s",
              .rate = "kong: plugin rate-limiting, second N",
              .address = "kong: target ADDRESS:PORT of the upstream",
              .drain = "kubectl exec FRONT -- curl -s -X PATCH "
                       "localhost:8001/upstreams/NAME/targets/POD:PORT -d weight=0"},
    FrontKind{.name = "nginx",
              .metrics = "nginx_",
              .upstreams = "kubectl exec FRONT -- nginx -T | grep -A9 upstream",
              .reload = "kubectl exec FRONT -- nginx -s reload",
              .balance = "nginx.conf: least_conn",
              .connections = "nginx.conf: worker_connections 4096; worker_rlimit_nofile 8192; then "
                             "nginx -s reload",
              .idle = "nginx.conf: keepalive_timeout 5s; limit_conn PER_CLIENT N",
              .rate = "nginx.conf: limit_req zone=TENANT rate=Nr/s",
              .address = "nginx.conf: server ADDRESS:PORT",
              .drain = "in FRONT: \"server POD:PORT down;\" in the upstream block, then nginx -s "
                       "reload"},
    FrontKind{.name = "",
              .metrics = "ray_serve_",
              .upstreams = "serve status",
              .reload = "serve deploy CONFIG",
              .balance = "Ray Serve: the default power-of-two-choices router",
              .connections = "Ray Serve: max_ongoing_requests and max_queued_requests N",
              .idle = "Ray Serve: http_options.keep_alive_timeout_s 5",
              .rate = "Ray Serve: max_queued_requests N",
              .address = "",
              .drain = ""},
};

/// Where nobody knows which proxy it is.
constexpr FrontKind any_kind = {
    .upstreams = "the list of upstreams in the proxy's configuration",
    .reload = "the proxy's own command to reload",
    .balance = "the proxy's policy of least connections",
    .connections = "the proxy's limits on connections and open files",
    .idle = "the proxy: a shorter keep-alive, fewer connections per client",
    .rate = "the proxy: a limit on requests per tenant",
    .address = "the proxy's list of upstreams: ADDRESS:PORT"};

struct Word {
    std::string_view word;
    std::string_view FrontKind::*command;
};
constexpr std::array words = {Word{"FRONT_UPSTREAMS", &FrontKind::upstreams},
                              Word{"FRONT_RELOAD", &FrontKind::reload},
                              Word{"FRONT_BALANCE", &FrontKind::balance},
                              Word{"FRONT_CONNECTIONS", &FrontKind::connections},
                              Word{"FRONT_IDLE", &FrontKind::idle},
                              Word{"FRONT_RATE", &FrontKind::rate},
                              Word{"FRONT_ADDRESS", &FrontKind::address}};

void replace_all(std::string& text, std::string_view word, std::string_view by) {
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + by.size()))
        text.replace(at, word.size(), by);
}

const FrontKind* kind_by_name(std::string_view component) {
    std::string lower(component);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const FrontKind& kind : kinds) {
        if (kind.name.empty()) continue;
        const std::size_t at = lower.find(kind.name);
        if (at == std::string::npos) continue;
        const bool starts_word =
            at == 0 || std::isalpha(static_cast<unsigned char>(lower[at - 1])) == 0;
        if (starts_word) return &kind;
    }
    return nullptr;
}

const FrontKind* kind_by_metric(std::string_view metric) {
    for (const FrontKind& kind : kinds)
        if (metric.starts_with(kind.metrics)) return &kind;
    return nullptr;
}

const FrontKind* found_in(const std::map<std::string, const FrontKind*>& known,
                          const std::string& component) {
    const auto found = known.find(component);
    return found == known.end() ? nullptr : found->second;
}

}  // namespace

Fronts::Fronts(const Incident& incident) : incident_(incident) {
    for (const Column& column : incident.metrics.columns()) {
        if (column.service.empty()) continue;
        if (const auto [at, fresh] = named_.try_emplace(column.service, nullptr); fresh)
            at->second = kind_by_name(column.service);
        if (const FrontKind* kind = kind_by_metric(column.metric))
            measured_.try_emplace(column.service, kind);
    }
    std::erase_if(named_, [](const auto& entry) { return entry.second == nullptr; });
}

Front Fronts::front(const std::string& component, const FrontKind* kind) const {
    if (!component.empty()) return {kind, component};
    std::vector<std::string> those;
    for (const auto& [name, its] : named_)
        if (its == kind) those.push_back(name);
    if (those.empty())
        for (const auto& [name, its] : measured_)
            if (its == kind) those.push_back(name);
    return {kind, those.size() == 1 ? those.front() : std::string()};
}

Front Fronts::of(const std::string& component) const {
    if (const FrontKind* kind = found_in(named_, component)) return front(component, kind);
    if (incident_.topology)
        for (const TopologyEdge& edge : incident_.topology->edges) {
            if (edge.kind != EdgeKind::calls || edge.to != component) continue;
            const FrontKind* kind = found_in(named_, edge.from);
            if (kind == nullptr) kind = found_in(measured_, edge.from);
            if (kind != nullptr) return front(edge.from, kind);
        }
    if (const FrontKind* kind = found_in(measured_, component)) return front({}, kind);
    std::set<const FrontKind*> all;
    for (const auto* known : {&named_, &measured_})
        for (const auto& [name, kind] : *known) all.insert(kind);
    return all.size() == 1 ? front({}, *all.begin()) : Front{};
}

std::string filled_in(std::string command, const std::string& component, const Front& front) {
    const FrontKind& kind = front.kind == nullptr ? any_kind : *front.kind;
    for (const Word& word : words) {
        const std::string_view typed =
            (kind.*word.command).empty() ? any_kind.*word.command : kind.*word.command;
        replace_all(command, word.word, typed);
    }
    replace_all(command, "FRONT", front.component.empty() ? "PROXY" : front.component);
    if (!component.empty()) replace_all(command, "POD", component);
    return command;
}

bool makes_tokens(const std::string& signal) {
    return signal == "engine.generation_tokens" || signal == "engine.running" ||
           signal == "engine.ttft" || signal == "engine.itl" || signal == "engine.decode_time" ||
           signal == "engine.kv_usage";
}

bool is_replica(const std::string& component, const Observations& seen, const Frame& metrics) {
    const auto found = seen.of.find(component);
    if (found == seen.of.end() || is_named_front(component)) return false;
    bool serves = false;
    for (const Observation& o : found->second) {
        const Feature& f = seen.features[o.feature];
        if (f.signal == "proxy.requests") return false;
        if (serves || !makes_tokens(f.signal)) continue;
        serves = f.columns.empty() || std::ranges::any_of(f.columns, [&](std::size_t c) {
                     return !is_gateway(exporter_of(metrics.column(c).metric));
                 });
    }
    return serves;
}

}  // namespace culprit::tailored
