#include "culprit/tailored/front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culprit/signatures/fault_signature.h"
#include "culprit/tailored/exporters.h"

namespace culprit::tailored {
namespace {

using testing::HasSubstr;
using testing::Not;

/// One row; each column "component metric".
Incident with_columns(const std::vector<std::pair<std::string, std::string>>& names) {
    std::vector<Column> columns;
    for (const auto& [service, metric] : names)
        columns.push_back({.name = service + "_" + metric, .service = service, .metric = metric});
    Incident incident;
    incident.metrics =
        *Frame::make({time_from_ns(0)}, std::move(columns), Matrix(1, names.size(), 1.0));
    return incident;
}

std::string show_upstreams(const Incident& incident, const std::string& component) {
    return filled_in("FRONT_UPSTREAMS", component, Fronts(incident).of(component));
}

TEST(Fronts, AreKnownByNameMetricsAndCaller) {
    EXPECT_THAT(show_upstreams(with_columns({{"edge-haproxy-1", "up"}}), "edge-haproxy-1"),
                HasSubstr("kubectl exec edge-haproxy-1 -- sh -c 'echo \"show servers state\""));
    // What a proxy measures at a server is called after the server.
    const Incident servers = with_columns({{"lb", "haproxy_frontend_http_requests_total"},
                                           {"trt-a", "haproxy_server_current_sessions"}});
    EXPECT_EQ(Fronts(servers).of("trt-a").kind->name, "haproxy");
    Incident called = with_columns({{"caddy", "up"}, {"nginx", "up"}, {"llama", "up"}});
    EXPECT_EQ(Fronts(called).of("llama").kind, nullptr);
    called.topology =
        std::make_shared<const Topology>(Topology{.edges = {{.from = "caddy", .to = "llama"}}});
    EXPECT_EQ(Fronts(called).of("llama").component, "caddy");
    EXPECT_THAT(show_upstreams(called, "llama"), HasSubstr("localhost:2019/reverse_proxy"));
}

TEST(Fronts, StayUnknownWhereNothingSaysWhich) {
    const Incident incident = with_columns({{"gateway", "latency_ms"}, {"hongkong-llm", "up"}});
    EXPECT_EQ(Fronts(incident).of("gateway").kind, nullptr);
    EXPECT_EQ(Fronts(incident).of("hongkong-llm").kind, nullptr);
    for (const FaultSignature& fault : FaultLibrary::builtin().signatures())
        for (const Remedy& remedy : fault.remedies) {
            const std::string text = filled_in(remedy.command, "gateway", {});
            EXPECT_THAT(text, Not(HasSubstr("FRONT"))) << fault.id;
            EXPECT_THAT(text, Not(HasSubstr("nginx"))) << fault.id;
            const Fronts fronts(with_columns({{"traefik", "up"}}));
            EXPECT_THAT(filled_in(remedy.command, "traefik", fronts.of("traefik")),
                        Not(HasSubstr("FRONT")))
                << fault.id;
        }
}

TEST(IsReplica, AGatewayIsNone) {
    const Incident incident =
        with_columns({{"litellm", "litellm_llm_api_time_to_first_token_metric"},
                      {"vllm", "vllm:time_to_first_token_seconds_sum"},
                      {"door", "ttft"}});
    Observations seen;
    const auto add = [&](const char* service, const char* signal, std::vector<std::size_t> of) {
        seen.of[service].push_back({.feature = seen.features.size()});
        seen.features.push_back({.service = service, .signal = signal, .columns = std::move(of)});
    };
    add("litellm", "engine.ttft", {0});
    add("vllm", "engine.ttft", {1});
    add("door", "engine.ttft", {2});
    add("door", "proxy.requests", {});
    EXPECT_FALSE(is_replica("litellm", seen, incident.metrics));
    EXPECT_TRUE(is_replica("vllm", seen, incident.metrics));
    EXPECT_FALSE(is_replica("door", seen, incident.metrics));
    add("llm-gateway", "engine.itl", {});
    EXPECT_FALSE(is_replica("llm-gateway", seen, incident.metrics));
    EXPECT_FALSE(is_replica("nowhere", seen, incident.metrics));
}

TEST(Exporters, AreKnownWhateverACollectorMadeOfTheirMetrics) {
    EXPECT_EQ(exporter_of("vllm:e2e_request_latency_seconds:p95"), "vllm");
    EXPECT_EQ(exporter_of("container_cpu_usage_seconds_total:rate"), "cadvisor");
    EXPECT_EQ(exporter_of("KV cache (%)"), "");
}

}  // namespace
}  // namespace culprit::tailored
