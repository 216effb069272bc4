#include "culprit/telemetry/derived_signals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "culprit/catalogue/catalogue.h"

namespace culprit {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t num_points = 4;

class DerivedSignalsTest : public testing::Test {
protected:
    DerivedSignalsTest()
        : builder_(*FrameBuilder::open(
              {.first_ms = 1'000'000, .step_ms = 2000, .num_points = num_points}, "/tmp")) {}

    // The same value at every point but the last, where nothing was measured.
    void give(const std::string& service, const std::string& metric, double value,
              Labels labels = {}) {
        give(service, metric, std::vector<double>{value, value, value, nan_value},
             std::move(labels));
    }
    void give(const std::string& service, const std::string& metric,
              const std::vector<double>& values, Labels labels = {}) {
        labels.try_emplace("entity", service);
        ASSERT_TRUE(builder_->add(
            {.service = service, .metric = metric, .unit = "", .labels = std::move(labels)},
            values));
    }
    void derive() {
        ASSERT_TRUE(add_derived_signals(*builder_));
        auto frame = builder_->build();
        ASSERT_TRUE(frame.has_value());
        frame_ = std::make_unique<Frame>(std::move(*frame));
    }
    // NaN where there is no such column.
    double at(const std::string& service, const std::string& signal, std::size_t point = 1) const {
        for (std::size_t c = 0; c < frame_->num_columns(); ++c)
            if (frame_->column(c).service == service &&
                frame_->column(c).metric == "derived:" + signal)
                return frame_->values(c)[point];
        return nan_value;
    }
    std::size_t num_columns(const std::string& signal) const {
        std::size_t count = 0;
        for (std::size_t c = 0; c < frame_->num_columns(); ++c)
            count += frame_->column(c).metric == "derived:" + signal ? 1 : 0;
        return count;
    }

    std::unique_ptr<FrameBuilder> builder_;
    std::unique_ptr<Frame> frame_;
};

TEST_F(DerivedSignalsTest, ResidualsAndSharesOfAnEngine) {
    give("engine", "vllm:time_to_first_token_seconds:mean", 0.9);
    give("engine", "vllm:request_queue_time_seconds:mean", 0.5);
    give("engine", "vllm:request_prefill_time_seconds:mean", 0.3);
    give("engine", "vllm:e2e_request_latency_seconds:mean", 2.0);
    give("engine", "ray_serve_http_request_latency_ms:mean", 2250.0);
    give("engine", "vllm:kv_cache_usage_perc", 0.93);
    give("engine", "vllm:num_requests_running", 3.0);
    give("engine", "vllm:num_requests_waiting", 0.0);
    give("engine", "vllm:generation_tokens_total", 0.0);
    give("engine", "kube_pod_container_status_restarts_total", 0.1);
    give("engine", "vllm:prefix_cache_hits_total", 30.0);
    give("engine", "vllm:prefix_cache_queries_total", 120.0);
    give("engine", "vllm:request_prefill_kv_computed_tokens:mean", 50.0);
    give("engine", "vllm:request_prefill_kv_computed_tokens:rate", 4.0);
    give("engine", "vllm:prompt_tokens_total", 400.0);
    give("client", "gen_ai.client.operation.time_to_first_chunk:mean", 1.25);
    give("host", "node_netstat_Tcp_RetransSegs", 3.0);
    give("host", "node_network_transmit_packets_total", 60.0);
    derive();
    EXPECT_NEAR(at("engine", "frontend_residual_seconds"), 0.1, 1e-12);
    EXPECT_NEAR(at("engine", "path_residual_seconds"), 0.25, 1e-12);
    EXPECT_NEAR(at("engine", "queue_share"), 0.25, 1e-12);
    EXPECT_EQ(at("engine", "kv_full"), 1.0);
    EXPECT_NEAR(at("engine", "kv_per_request"), 0.31, 1e-12);
    EXPECT_EQ(at("engine", "stalled"), 1.0);
    EXPECT_EQ(at("engine", "repeated_starts"), 0.0) << "one start that lasts several points";
    EXPECT_NEAR(at("engine", "prefix_hit_ratio"), 0.25, 1e-12);
    EXPECT_NEAR(at("engine", "prefill_miss_share"), 0.5, 1e-12);
    EXPECT_NEAR(at("host", "retransmit_share"), 0.05, 1e-12);
    EXPECT_NEAR(at("client", "client_residual_seconds"), 0.35, 1e-12);
    EXPECT_TRUE(std::isnan(at("engine", "queue_share", 3))) << "nothing is made up in a gap";
}

TEST_F(DerivedSignalsTest, AMissingInputMeansNoSignal) {
    give("engine", "vllm:time_to_first_token_seconds:mean", 0.9);
    give("engine", "vllm:request_queue_time_seconds:mean", 0.5);
    give("engine", "vllm:num_requests_running", 3.0);
    derive();
    EXPECT_EQ(frame_->num_columns(), 3U);
}

TEST_F(DerivedSignalsTest, WorkOfTheGpusOfAnEngine) {
    give("engine", "vllm:generation_tokens_total", 600.0);
    give("engine", "DCGM_FI_PROF_DRAM_ACTIVE", 0.2, {{"entity", "gpu-0"}});
    give("engine", "DCGM_FI_PROF_DRAM_ACTIVE", 0.4, {{"entity", "gpu-1"}});
    give("engine", "DCGM_FI_DEV_POWER_USAGE", 300.0, {{"entity", "gpu-0"}});
    give("engine", "DCGM_FI_DEV_ENFORCED_POWER_LIMIT", 350.0, {{"entity", "gpu-0"}});
    give("engine", "DCGM_FI_DEV_GPU_TEMP", 81.0, {{"entity", "gpu-0"}});
    give("engine", "DCGM_FI_DEV_SLOWDOWN_TEMP", 87.0, {{"entity", "gpu-0"}});
    derive();
    EXPECT_NEAR(at("engine", "tokens_per_dram_active"), 1000.0, 1e-9);
    EXPECT_NEAR(at("engine", "tokens_per_joule"), 2.0, 1e-12);
    EXPECT_EQ(at("engine", "power_headroom_watts"), 50.0);
    EXPECT_EQ(at("engine", "thermal_headroom_celsius"), 6.0);
    EXPECT_EQ(num_columns("power_headroom_watts"), 1U) << "gpu-1 has no limit";
}

TEST_F(DerivedSignalsTest, SpinAndStarvationAreOppositeKindsOfNoProgress) {
    give("spinning", "DCGM_FI_DEV_GPU_UTIL", 100.0);
    give("spinning", "DCGM_FI_PROF_DRAM_ACTIVE", 0.01);
    give("spinning", "vllm:generation_tokens_total", {50, 0, 0, nan_value});
    give("spinning", "vllm:num_requests_running", 4.0);
    give("starved", "DCGM_FI_DEV_GPU_UTIL", {60, 3, 3, nan_value});
    give("starved", "vllm:num_requests_running", 4.0);
    derive();
    EXPECT_EQ(at("spinning", "spin", 0), 0.0);
    EXPECT_EQ(at("spinning", "spin", 1), 1.0);
    EXPECT_EQ(at("spinning", "starvation"), 0.0);
    EXPECT_EQ(at("starved", "starvation", 0), 0.0);
    EXPECT_EQ(at("starved", "starvation", 1), 1.0);
    EXPECT_TRUE(std::isnan(at("starved", "starvation", 3)));
}

TEST_F(DerivedSignalsTest, RequestsThatNeitherFinishNorWaitAreLost) {
    give("engine", "http_requests_total", 10.0, {{"route", "/v1/completions"}});
    give("engine", "http_requests_total", 90.0, {{"route", "/metrics"}});
    give("engine", "vllm:request_success_total", 6.0);
    give("engine", "vllm:num_requests_running", {2, 4, 4, 4});
    give("engine", "vllm:num_requests_waiting", {0, 2, 8, 8});
    derive();
    // In the step to point 1 four more stay inside within two seconds: 10 - 6 - 2.
    EXPECT_NEAR(at("engine", "lost_requests_per_second", 1), 2.0, 1e-12);
    EXPECT_NEAR(at("engine", "lost_requests_per_second", 2), 1.0, 1e-12);
}

TEST_F(DerivedSignalsTest, ReplicasAndGpusAreComparedWithTheirSiblings) {
    for (const auto& [replica, latency] :
         {std::pair{"replica-0", 0.02}, std::pair{"replica-1", 0.02}, std::pair{"replica-2", 0.05}})
        give(replica, "vllm:inter_token_latency_seconds:mean", latency, {{"model", "llama"}});
    give("other", "vllm:inter_token_latency_seconds:mean", 0.5, {{"model", "lonely"}});
    give("replica-0", "DCGM_FI_DEV_SM_CLOCK", 1980.0, {{"host", "node"}, {"entity", "gpu-0"}});
    give("replica-1", "DCGM_FI_DEV_SM_CLOCK", 1410.0, {{"host", "node"}, {"entity", "gpu-1"}});
    derive();
    EXPECT_NEAR(at("replica-2", "replica_skew"), 2.5, 1e-12);
    EXPECT_NEAR(at("replica-0", "replica_skew"), 1.0, 1e-12);
    EXPECT_TRUE(std::isnan(at("other", "replica_skew"))) << "a model of one replica has no sibling";
    EXPECT_EQ(at("node", "clock_spread_mhz"), 570.0);
}

// Latency grows with the batch: only what the batch does not explain is a slowdown.
TEST(DerivedSignals, StepSlowdownIsWhatTheBatchDoesNotExplain) {
    constexpr std::size_t points = 40;
    auto builder =
        *FrameBuilder::open({.first_ms = 1'000'000, .step_ms = 1000, .num_points = points}, "/tmp");
    std::vector<double> batch(points);
    std::vector<double> latency(points);
    for (std::size_t i = 0; i < points; ++i) {
        batch[i] = 10.0 + static_cast<double>(i % 7) + (i >= 20 ? 30.0 : 0.0);
        latency[i] = (0.01 + 0.001 * batch[i]) * (i >= 30 ? 2.0 : 1.0);
    }
    ASSERT_TRUE(builder->add({"engine", "vllm:iteration_tokens_total:mean", ""}, batch));
    ASSERT_TRUE(builder->add({"engine", "vllm:inter_token_latency_seconds:mean", ""}, latency));
    ASSERT_TRUE(add_derived_signals(*builder));
    const auto frame = builder->build();
    ASSERT_TRUE(frame.has_value());
    ASSERT_EQ(frame->column(0).metric, "derived:step_slowdown");
    EXPECT_NEAR(frame->values(0)[25], 1.0, 1e-9) << "more work is no slower GPU";
    EXPECT_NEAR(frame->values(0)[35], 2.0, 1e-9);
}

TEST(DerivedSignals, ConfigurationChangesAreMarkedOnTheGrid) {
    auto builder =
        *FrameBuilder::open({.first_ms = 1'000'000, .step_ms = 2000, .num_points = 4}, "/tmp");
    ChangeEvent change;
    change.time = time_from_ns(1'004'500'000'000);
    change.kind = "configuration";
    change.entity = "engine";
    ChangeEvent restart = change;
    restart.kind = "restart";
    restart.entity = "other";
    ASSERT_TRUE(add_change_columns({change, restart}, *builder));
    const auto frame = builder->build();
    ASSERT_TRUE(frame.has_value());
    ASSERT_EQ(frame->num_columns(), 1U);
    EXPECT_EQ(frame->column(0).service, "engine");
    EXPECT_EQ(frame->values(0)[1], 0.0);
    EXPECT_EQ(frame->values(0)[2], 1.0);
}

// Every derived signal that the catalogue promises is made by the tests above.
TEST(DerivedSignals, TheCatalogueListsWhatIsTested) {
    const std::set<std::string> tested = {"client_residual_seconds",
                                          "clock_spread_mhz",
                                          "configuration_change",
                                          "frontend_residual_seconds",
                                          "kv_full",
                                          "kv_per_request",
                                          "lost_requests_per_second",
                                          "path_residual_seconds",
                                          "power_headroom_watts",
                                          "prefill_miss_share",
                                          "prefix_hit_ratio",
                                          "queue_share",
                                          "repeated_starts",
                                          "replica_skew",
                                          "retransmit_share",
                                          "spin",
                                          "stalled",
                                          "starvation",
                                          "step_slowdown",
                                          "thermal_headroom_celsius",
                                          "tokens_per_dram_active",
                                          "tokens_per_joule"};
    std::set<std::string> promised;
    for (const Signal& signal : Catalogue::builtin().signals())
        if (signal.name.starts_with("derived:")) promised.insert(signal.name.substr(8));
    EXPECT_EQ(promised, tested);
}

}  // namespace
}  // namespace culprit
