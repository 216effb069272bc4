#include "culprit/readers/component_names.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace culprit {
namespace {

using Split = std::pair<std::string, std::string>;  // component, metric

Frame table_of(const std::vector<std::string>& names) {
    std::vector<Column> columns;
    for (const std::string& name : names) {
        const std::size_t at = name.find('_');
        columns.push_back({.name = name,
                           .service = name.substr(0, at),
                           .metric = at == std::string::npos ? "" : name.substr(at + 1)});
    }
    auto frame = Frame::make({time_from_ns(0), time_from_ns(1)}, std::move(columns),
                             Matrix(2, names.size(), 1.0));
    EXPECT_TRUE(frame.has_value());
    return *frame;
}

std::vector<Split> named(const std::vector<std::string>& names) {
    const auto frame = name_components(table_of(names));
    EXPECT_TRUE(frame.has_value());
    std::vector<Split> found;
    for (const Column& column : frame->columns()) found.emplace_back(column.service, column.metric);
    return found;
}

TEST(ComponentNames, TheFieldsConventionStands) {
    const std::vector<std::string> names = {
        "front-end_cpu",      "front-end_mem", "front-end_latency-90", "carts-db_cpu",
        "carts-db_mem",       "carts_cpu",     "carts_latency-90",     "carts_node-cpu",
        "front-end_node-cpu", "carts_mem"};
    for (const auto& [component, metric] : named(names)) {
        EXPECT_TRUE(component == "front-end" || component == "carts-db" || component == "carts")
            << component;
        EXPECT_EQ(metric.find('_'), std::string::npos) << metric;
    }
}

TEST(ComponentNames, ComponentsWithTheSeparatorInTheirNames) {
    const auto found = named({"tgi_0_tgi_queue_size", "tgi_0_tgi_batch_current_size",
                              "tgi_0_tgi_request_duration_sum", "tgi_1_tgi_queue_size",
                              "tgi_1_tgi_batch_current_size", "tgi_1_tgi_request_duration_sum",
                              "edge_proxy_traefik_entrypoint_requests_total"});
    EXPECT_EQ(found[0], Split("tgi_0", "tgi_queue_size"));
    EXPECT_EQ(found[5], Split("tgi_1", "tgi_request_duration_sum"));
    EXPECT_EQ(found[6], Split("edge_proxy", "traefik_entrypoint_requests_total"));
}

TEST(ComponentNames, ComponentsCalledLikeAMeasurement) {
    std::vector<std::string> names;
    for (const char* component : {"prefill-0", "prefill-1", "decode-0"})
        for (const char* metric :
             {"up", "vllm:num_requests_running", "vllm:e2e_request_latency_seconds_sum",
              "vllm:e2e_request_latency_seconds_count", "container_memory_rss",
              "container_cpu_usage_seconds_total", "container_network_transmit_bytes_total",
              "process_cpu_seconds_total", "DCGM_FI_DEV_SM_CLOCK"})
            names.push_back(std::string(component) + "_" + metric);
    names.emplace_back("prefill-0_container_network_transmit_packets_dropped_total");
    names.emplace_back("decode-0_vllm:nixl_xfer_time_seconds_sum");
    names.emplace_back("decode-0_vllm:nixl_xfer_time_seconds_count");
    for (const auto& [component, metric] : named(names))
        EXPECT_EQ(component.find('_'), std::string::npos) << component;
}

TEST(ComponentNames, OtherSeparators) {
    const auto dashes =
        named({"chat-llm-gpu_power", "chat-llm-gpu_util", "chat-llm-e2e_latency_p95",
               "code-llm-gpu_power", "code-llm-gpu_util", "code-llm-e2e_latency_p95",
               "api-gateway-latency_p95_ms", "api-gateway-error_rate"});
    EXPECT_EQ(dashes[0], Split("chat-llm", "gpu_power"));
    EXPECT_EQ(dashes[5], Split("code-llm", "e2e_latency_p95"));
    EXPECT_EQ(dashes[6], Split("api-gateway", "latency_p95_ms"));
    const auto dots = named({"engine-00.gpu.power_w", "engine-00.engine.queued",
                             "engine-01.gpu.power_w", "engine-01.engine.queued"});
    EXPECT_EQ(dots[0], Split("engine-00", "gpu.power_w"));
    EXPECT_EQ(dots[3], Split("engine-01", "engine.queued"));
}

TEST(ComponentNames, UnitsAreNoMetricsOfTheirOwn) {
    for (const char* separator : {" ", "_"}) {
        std::vector<std::string> names;
        for (const char* component : {"replica_a", "replica_b", "replica_c"})
            for (const char* metric : {"GPU power (W)", "GPU utilization (%)", "KV cache (%)",
                                       "CPU usage (%)", "latency p95 (ms)", "TTFT p95 (ms)",
                                       "requests per second", "errors per second", "up"})
                names.push_back(std::string(component) + separator + metric);
        names.push_back(std::string("gateway") + separator + "latency p95 (ms)");
        const auto found = named(names);
        for (std::size_t i = 0; i < found.size(); ++i) {
            EXPECT_EQ(found[i].first + separator + found[i].second, names[i]);
            const std::string expected =
                i == 27 ? "gateway" : std::string("replica_") + "abc"[i / 9];
            EXPECT_EQ(found[i].first, expected) << names[i];
        }
    }
}

TEST(ComponentNames, AMetricOfAnExporterIsKeptWhole) {
    const auto found =
        named({"haproxy/haproxy_backend_response_time_average_seconds",
               "haproxy/haproxy_backend_current_queue", "haproxy/haproxy_backend_current_sessions",
               "llama-1/haproxy_server_response_time_average_seconds",
               "llama-2/haproxy_server_response_time_average_seconds",
               "llama-1/llamacpp:requests_processing", "llama-2/llamacpp:requests_processing"});
    EXPECT_EQ(found[0], Split("haproxy", "haproxy_backend_response_time_average_seconds"));
    EXPECT_EQ(found[4], Split("llama-2", "haproxy_server_response_time_average_seconds"));
    EXPECT_EQ(found[6], Split("llama-2", "llamacpp:requests_processing"));
}

TEST(ComponentNames, LabelsNameThePod) {
    const auto frame = name_components(
        table_of({R"(vllm:num_requests_running{pod="llama-7f9c-x2kq",engine="0"})",
                  R"({__name__="DCGM_FI_DEV_SM_CLOCK",exported_pod="llama-7f9c-x2kq",gpu="3"})",
                  R"(gateway_errors{code="500"})"}));
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->column(0).service, "llama-7f9c-x2kq");
    EXPECT_EQ(frame->column(0).metric, "vllm:num_requests_running");
    EXPECT_EQ(frame->column(1).service, "llama-7f9c-x2kq");
    EXPECT_EQ(frame->column(1).metric, "DCGM_FI_DEV_SM_CLOCK");
    EXPECT_EQ(frame->column(1).labels.at("gpu_index"), "3");
    EXPECT_EQ(frame->column(2).service, "gateway");
    EXPECT_EQ(frame->column(2).labels.at("code"), "500");
}

TEST(ComponentNames, WhatAProxyMeasuresAtAServerIsTheServers) {
    const auto frame = name_components(table_of(
        {R"(haproxy_server_total_time_average_seconds{server="trt-a",instance="lb:8404"})",
         R"(haproxy_server_queue_time_average_seconds{proxy="llm",server="trt-b"})",
         R"(haproxy_backend_total_time_average_seconds{proxy="llm",instance="lb:8404"})",
         R"(envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="llm",instance="edge:9901"})"}));
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->column(0).service, "trt-a");
    EXPECT_EQ(frame->column(1).service, "trt-b");
    EXPECT_EQ(frame->column(2).service, "lb");
    EXPECT_EQ(frame->column(3).service, "edge");
}

TEST(ComponentNames, AddressesAndHostsAreJoinedToTheOnlyEngine) {
    const std::vector<std::string> names = {
        R"(kube_pod_info{pod="trt-a",node="n1",pod_ip="10.0.1.7"})",
        R"(kube_pod_info{pod="trt-b",node="n2",pod_ip="10.0.2.7"})",
        R"(nv_inference_request_success{instance="10.0.1.7:8002"})",
        R"(nv_inference_request_success{instance="10.0.2.7:8002"})",
        R"(nv_inference_queue_duration_us{instance="10.0.2.7:8002"})",
        R"(DCGM_FI_DEV_SM_CLOCK{Hostname="n2",gpu="0",instance="10.9.9.9:9400"})",
        R"(node_load1{node="n1",instance="10.0.0.1:9100"})",
        R"(node_load1{node="n3",instance="10.0.0.3:9100"})"};
    const auto frame = name_components(table_of(names));
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->column(2).service, "trt-a");
    EXPECT_EQ(frame->column(4).service, "trt-b");
    EXPECT_EQ(frame->column(5).service, "trt-b");
    EXPECT_EQ(frame->column(6).service, "trt-a");
    EXPECT_EQ(frame->column(7).service, "n3");
}

TEST(ComponentNames, EnginesBehindPortsOfOneAddress) {
    const auto frame =
        name_components(table_of({R"(vllm:num_requests_running{instance="gpu1:8000"})",
                                  R"(vllm:num_requests_running{instance="gpu1:8001"})",
                                  R"(vllm:num_requests_running{instance="gpu2:8000"})"}));
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->column(0).service, "gpu1:8000");
    EXPECT_EQ(frame->column(1).service, "gpu1:8001");
    EXPECT_EQ(frame->column(2).service, "gpu2");
}

TEST(ComponentNames, OddNamesStay) {
    const auto found = named({"a{", "}b{c", "{x=}", "_", "plain"});
    EXPECT_EQ(found.size(), 5U);
    EXPECT_EQ(found[4].first, "plain");
}

}  // namespace
}  // namespace culprit
