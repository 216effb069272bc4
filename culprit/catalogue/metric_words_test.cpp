#include "culprit/catalogue/metric_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culprit/catalogue/narrowed.h"

namespace culprit {
namespace {

using testing::ElementsAre;

TEST(MetricWords, WordsOfNames) {
    EXPECT_THAT(words_of("gpuPowerWatts"), ElementsAre("gpu", "power", "watts"));
    EXPECT_THAT(words_of("KV cache (%)"), ElementsAre("kv", "cache"));
    EXPECT_THAT(words_of("ttft_p95-ms"), ElementsAre("ttft", "p95", "ms"));
    EXPECT_TRUE(words_of("--").empty());
}

TEST(MetricWords, WhatPeopleCallSignals) {
    const std::pair<const char*, const char*> names[] = {
        {"gpu_power_watts", "gpu.power"},
        {"gpu_power_limit_w", "gpu.power_limit"},
        {"gpu_clock_mhz", "gpu.sm_clock"},
        {"gpu_temperature_celsius", "gpu.temperature"},
        {"gpu_mem_used_gb", "gpu.memory_used"},
        {"gpuUtilization", "gpu.utilization"},
        {"ttft_p99_ms", "engine.ttft"},
        {"time_to_first_token", "engine.ttft"},
        {"inter_token_latency_ms", "engine.itl"},
        {"output_tokens_per_sec", "engine.generation_tokens"},
        {"prompt_tokens_per_s", "engine.prompt_tokens"},
        {"kv_cache_pct", "engine.kv_usage"},
        {"queue_depth", "engine.waiting"},
        {"queue_wait_ms", "engine.queue_time"},
        {"running_requests", "engine.running"},
        {"prefix_cache_hit_rate", "engine.prefix_hit_ratio"},
        {"cpu_percent", "container_cpu_usage_seconds_total"},
        {"mem_used_gb", "container_memory_working_set_bytes"},
        {"tcp_retransmits_per_s", "node_netstat_Tcp_RetransSegs"},
        {"disk_write_mb_s", "container_fs_writes_bytes_total"},
        {"net_tx_mbps", "container_network_transmit_bytes_total"},
        {"p95_latency_ms", "istio_request_duration_milliseconds"},
        {"rps", "istio_requests_total"},
        {"restart_count", "kube_pod_container_status_restarts_total"}};
    for (const auto& [name, signal] : names)
        EXPECT_EQ(read_metric_words(name).signal, signal) << name;
    EXPECT_EQ(read_metric_words("shopping_carts").signal, "");
    EXPECT_EQ(read_metric_words("").signal, "");
}

TEST(MetricWords, UnitsAndStatistics) {
    const NamedByHand latency = read_metric_words("request_latency_p99_ms");
    EXPECT_EQ(latency.unit, "ms");
    EXPECT_EQ(latency.statistic, Statistic::p99);
    EXPECT_EQ(read_metric_words("ttft_ms").statistic, Statistic::mean);
    EXPECT_TRUE(read_metric_words("output_tokens_per_sec").is_rate);
    EXPECT_EQ(read_metric_words("kv_cache_pct").unit, "%");
    EXPECT_EQ(read_metric_words("KV cache (%)").unit, "%");
    EXPECT_EQ(read_metric_words("errors per second").unit, "");
    EXPECT_EQ(read_metric_words("tokens_s").unit, "");
    EXPECT_EQ(read_metric_words("queue_wait_s").unit, "s");
    EXPECT_EQ(read_metric_words("network out (MB/s)").unit, "MBy");
    std::string_view name = "vllm:e2e_request_latency_seconds_p95";
    EXPECT_EQ(strip_statistic(name), Statistic::p95);
    EXPECT_EQ(name, "vllm:e2e_request_latency_seconds");
    name = "latency-90";
    EXPECT_EQ(strip_statistic(name), Statistic::p90);
    name = "cpu_usage";
    EXPECT_EQ(strip_statistic(name), Statistic::none);
    EXPECT_EQ(name, "cpu_usage");
}

TEST(MetricWords, WordsForMeasurementsNameNoComponent) {
    EXPECT_TRUE(is_all_metric_words("e2e_latency_p95"));
    EXPECT_TRUE(is_all_metric_words("disk_io_mb_s"));
    EXPECT_FALSE(is_all_metric_words("gateway_latency"));
    EXPECT_TRUE(is_all_metric_words("KV cache (%)"));
    EXPECT_FALSE(is_all_metric_words("cache_usage"));
    EXPECT_FALSE(is_all_metric_words("proxy_latency_ms"));
    EXPECT_TRUE(is_readable_metric("proxy_latency_ms"));
    EXPECT_FALSE(is_readable_metric("proxy"));
    EXPECT_FALSE(is_all_metric_words("0_queue_size"));
    EXPECT_FALSE(is_all_metric_words(""));
}

TEST(MetricWords, AUnitAloneMeasuresNothing) {
    for (const char* name : {"(%)", "p95 (ms)", "per second", "(MB/s)", "", "99"})
        EXPECT_TRUE(says_only_how(name)) << name;
    for (const char* name : {"KV cache (%)", "requests per second", "up", "power_w"})
        EXPECT_FALSE(says_only_how(name)) << name;
}

TEST(Narrowed, LabelsSayWhichSignal) {
    const Labels waiting = {{"request_type", "waiting"}};
    const SeriesMatch match = match_with_labels("nv_trt_llm_request_metrics", waiting);
    ASSERT_NE(match.signal, nullptr);
    EXPECT_EQ(match.signal->quantity, "engine.waiting");
    EXPECT_EQ(
        match_with_labels("nv_trt_llm_request_metrics", {{"request_type", "max"}}).signal->quantity,
        "");
    EXPECT_EQ(match_with_labels("haproxy_backend_http_responses_total", {{"code", "5xx"}})
                  .signal->quantity,
              "ray_serve_num_http_error_requests_total");
    // No entry without a condition: a direction that nobody listed means nothing.
    EXPECT_EQ(match_with_labels("k8s.pod.network.io", {{"direction", "sideways"}}).signal, nullptr);
    EXPECT_TRUE(is_narrowed(Catalogue::builtin().match("k8s.pod.network.io")));
    EXPECT_FALSE(is_narrowed(Catalogue::builtin().match("node_load1")));
}

TEST(Narrowed, OpenTelemetryNamesAsPrometheusHasThem) {
    const Catalogue& catalogue = Catalogue::builtin();
    EXPECT_EQ(catalogue.match("gen_ai_server_time_to_first_token_seconds_sum").signal->quantity,
              "engine.ttft");
    EXPECT_EQ(catalogue.match("k8s_pod_memory_working_set_bytes").signal->quantity,
              "container_memory_working_set_bytes");
}

}  // namespace
}  // namespace culprit
