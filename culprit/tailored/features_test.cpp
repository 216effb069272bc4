#include "culprit/tailored/features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace culprit::tailored {
namespace {

struct Series {
    std::string metric;
    std::map<std::string, std::string> labels;
    std::vector<double> values;
};

/// One component "a", a row per second.
std::vector<Feature> features_of_series(const std::vector<Series>& all) {
    std::vector<TimePoint> times;
    for (std::size_t r = 0; r < all.front().values.size(); ++r)
        times.push_back(time_from_ns(static_cast<std::int64_t>(r) * 1'000'000'000));
    Matrix values(times.size(), all.size());
    std::vector<Column> columns;
    for (std::size_t c = 0; c < all.size(); ++c) {
        columns.push_back({.name = "a_" + std::to_string(c),
                           .service = "a",
                           .metric = all[c].metric,
                           .labels = all[c].labels});
        for (std::size_t r = 0; r < times.size(); ++r) values(r, c) = all[c].values[r];
    }
    Incident incident;
    auto frame = Frame::make(std::move(times), std::move(columns), std::move(values));
    EXPECT_TRUE(frame.has_value());
    incident.metrics = *frame;
    auto features = features_of(incident, Catalogue::builtin(), {}, 1);
    EXPECT_TRUE(features.has_value());
    return *features;
}

const Feature* find(const std::vector<Feature>& features, std::string_view signal) {
    for (const Feature& f : features)
        if (f.signal == signal) return &f;
    return nullptr;
}

TEST(Features, OfQuantilesTheLowestUnlessThereIsAMean) {
    const auto quantiles =
        features_of_series({{"vllm:time_to_first_token_seconds_p99", {}, {9, 9}},
                            {"vllm:time_to_first_token_seconds_p50", {}, {1, 2}}});
    ASSERT_NE(find(quantiles, "engine.ttft"), nullptr);
    EXPECT_EQ(find(quantiles, "engine.ttft")->values[1], 2.0);
    EXPECT_EQ(find(quantiles, "engine.ttft")->kind, FeatureKind::average);
    const auto mean =
        features_of_series({{"ttft_p95_ms", {}, {9, 9}}, {"ttft_avg_ms", {}, {3, 4}}});
    EXPECT_EQ(find(mean, "engine.ttft")->values[0], 3.0);
    EXPECT_EQ(find(mean, "engine.ttft")->unit, "ms");
}

TEST(Features, OneOfEightGpusIsHeldBack) {
    std::vector<Series> gpus;
    for (int g = 0; g < 8; ++g)
        gpus.push_back({"DCGM_FI_DEV_SM_CLOCK",
                        {{"gpu_index", std::to_string(g)}},
                        {1980, 1980, 1980, 1980, g == 3 ? 990.0 : 1980.0}});
    gpus.push_back({"DCGM_FI_DEV_SM_CLOCK", {{"gpu_index", "8"}}, {345, 345, 345, 345, 345}});
    const auto features = features_of_series(gpus);
    const Feature* clock = find(features, "gpu.sm_clock");
    ASSERT_NE(clock, nullptr);
    EXPECT_NEAR(clock->values[4] / clock->values[0], 0.5, 1e-9);
}

TEST(Features, BucketsAloneGiveAMean) {
    const std::string name = "tgi_request_queue_duration_bucket";
    const auto features = features_of_series({{name, {{"le", "1"}}, {0, 10, 10}},
                                              {name, {{"le", "3"}}, {0, 10, 20}},
                                              {name, {{"le", "+Inf"}}, {0, 10, 20}}});
    const Feature* queue = find(features, "engine.queue_time");
    ASSERT_NE(queue, nullptr);
    EXPECT_EQ(queue->values[1], 0.5);
    EXPECT_EQ(queue->values[2], 2.0);
}

TEST(Features, WhatHistogramsCountBeside) {
    const auto features = features_of_series({{"tgi_request_generated_tokens_sum", {}, {0, 200}},
                                              {"tgi_request_generated_tokens_count", {}, {0, 2}},
                                              {"tgi_request_duration_sum", {}, {0, 6}},
                                              {"tgi_request_duration_count", {}, {0, 2}}});
    ASSERT_NE(find(features, "engine.generation_tokens"), nullptr);
    EXPECT_EQ(find(features, "engine.generation_tokens")->values[1], 200.0);
    EXPECT_EQ(find(features, "engine.completed")->values[1], 2.0);
    EXPECT_EQ(find(features, "engine.e2e")->values[1], 3.0);
}

TEST(Features, TimesInCountersOfTheirOwn) {
    const auto features =
        features_of_series({{"llamacpp:tokens_predicted_total", {}, {0, 100}},
                            {"llamacpp:tokens_predicted_seconds_total", {}, {0, 2}}});
    ASSERT_NE(find(features, "engine.itl"), nullptr);
    EXPECT_NEAR(find(features, "engine.itl")->values[1], 0.02, 1e-12);
}

TEST(Features, LabelsSayWhatASeriesMeans) {
    const std::string name = "nv_trt_llm_request_metrics";
    const auto features = features_of_series({{name, {{"request_type", "waiting"}}, {1, 7}},
                                              {name, {{"request_type", "scheduled"}}, {3, 4}},
                                              {name, {{"request_type", "max"}}, {64, 64}}});
    EXPECT_EQ(find(features, "engine.waiting")->values[1], 7.0);
    EXPECT_EQ(find(features, "engine.running")->values[1], 4.0);
}

TEST(Features, AnyExportersRequestTimesAreRead) {
    const std::string signal = "istio_request_duration_milliseconds";
    const auto sums = features_of_series({{"kong_request_latency_ms_sum", {}, {0, 40, 100}},
                                          {"kong_request_latency_ms_count", {}, {0, 2, 5}}});
    ASSERT_NE(find(sums, signal), nullptr);
    EXPECT_EQ(find(sums, signal)->unit, "ms");
    EXPECT_NEAR(find(sums, signal)->values[2], 20.0, 1e-12);
    const auto made = features_of_series({{"my_router_request_duration_seconds:p95", {}, {1, 2}},
                                          {"my_router_request_duration_seconds:rate", {}, {7, 7}}});
    ASSERT_NE(find(made, signal), nullptr);
    EXPECT_EQ(find(made, signal)->values[1], 2.0);
    const auto proxy =
        features_of_series({{"haproxy_backend_total_time_average_seconds", {}, {1, 2}}});
    EXPECT_NE(find(proxy, signal), nullptr);
    const auto client =
        features_of_series({{"rest_client_request_duration_seconds_sum", {}, {1, 2}}});
    EXPECT_EQ(find(client, signal), nullptr);
}

TEST(Features, ErrorsPerSecondAreEvents) {
    const auto features = features_of_series({{"errors_per_second", {}, {0, 0.1, 0}}});
    ASSERT_NE(find(features, "ray_serve_deployment_error_counter_total"), nullptr);
    EXPECT_TRUE(find(features, "ray_serve_deployment_error_counter_total")->counts_events);
}

TEST(Features, AnExportersUnknownMetricIsNotReadByItsWords) {
    const auto features = features_of_series({{"node_memory_SwapFree_bytes", {}, {1, 2}},
                                              {"go_memstats_heap_inuse_bytes", {}, {1, 2}},
                                              {"gpu_power_watts", {}, {300, 310}}});
    EXPECT_EQ(find(features, "node_memory_MemAvailable_bytes"), nullptr);
    EXPECT_EQ(find(features, "container_memory_working_set_bytes"), nullptr);
    ASSERT_NE(find(features, "gpu.power"), nullptr);
    EXPECT_EQ(find(features, "gpu.power")->unit, "W");
}

TEST(Features, TheCacheInUsePerRequestGrowsWhereTheCacheShrank) {
    const auto features = features_of_series({{"vllm:kv_cache_usage_perc", {}, {0.2, 0.4, 0.9}},
                                              {"vllm:num_requests_running", {}, {2, 4, 0}}});
    const Feature* share = find(features, "engine.kv_per_request");
    ASSERT_NE(share, nullptr);
    EXPECT_NEAR(share->values[0], 0.1, 1e-12);
    EXPECT_NEAR(share->values[1], 0.1, 1e-12);
    EXPECT_NEAR(share->values[2], 0.9, 1e-12) << "nobody in the batch counts as one";
}

TEST(Features, AnEngineThatMakesNoTokenOfItsRequestsIsStalled) {
    const auto features =
        features_of_series({{"vllm:generation_tokens_total", {}, {0, 50, 50, 50, 50}},
                            {"vllm:num_requests_running", {}, {1, 1, 1, 0, 0}},
                            {"vllm:num_requests_waiting", {}, {0, 0, 0, 0, 3}}});
    const Feature* stalled = find(features, "engine.stalled");
    ASSERT_NE(stalled, nullptr);
    EXPECT_EQ(stalled->values[1], 0.0);
    EXPECT_EQ(stalled->values[2], 1.0);
    EXPECT_EQ(stalled->values[3], 0.0) << "nobody asks for any";
    EXPECT_EQ(stalled->values[4], 1.0);
}

TEST(Features, TheSecondStartIsARepetition) {
    const auto features = features_of_series(
        {{"kube_pod_container_status_restarts_total", {}, {3, 3, 4, 4, 4, 5, 5}}});
    const Feature* repeated = find(features, "replica.repeated_starts");
    ASSERT_NE(repeated, nullptr);
    EXPECT_EQ(repeated->values[4], 0.0);
    EXPECT_EQ(repeated->values[6], 1.0);
}

TEST(Features, FrontsAreKnownByWordsOfTheirNames) {
    for (const char* front : {"llm-gateway", "litellm-7f9c-x2", "haproxy", "Envoy_1", "edge.lb:80"})
        EXPECT_TRUE(is_named_front(front)) << front;
    for (const char* other : {"vllm-0", "gatewayless", "album", "embedder", "ray-head"})
        EXPECT_FALSE(is_named_front(other)) << other;
}

}  // namespace
}  // namespace culprit::tailored
