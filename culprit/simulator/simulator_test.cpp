#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "culprit/simulator/calibration.h"
#include "culprit/simulator/replica.h"
#include "culprit/simulator/stack_simulator.h"

namespace culprit::simulator {
namespace {

TEST(Replica, AStepFollowsTheRoofline) {
    EngineModel model;
    model.cpu_overhead_seconds = 0.0;
    Replica replica(model, 1);
    replica.enqueue({.prompt_tokens = 1000, .output_tokens = 3});
    const double prefill = replica.step(0.0);  // bound by arithmetic
    const double compute = 1000 * model.flops_per_token / model.peak_flops_per_second;
    EXPECT_NEAR(prefill, compute, 0.03 * compute);
    const double decode = replica.step(prefill);  // bound by memory
    const double memory =
        (model.weight_bytes + 1001 * model.kv_bytes_per_token) / model.bandwidth_bytes_per_second;
    EXPECT_NEAR(decode, memory, 0.03 * memory);
    replica.step(1.0);
    EXPECT_EQ(replica.completed, 1.0);
    EXPECT_EQ(replica.generation_tokens, 3.0);
    EXPECT_EQ(replica.step(2.0), 0.0);
}

TEST(Replica, PreemptsWhenBlocksRunOutAndLosesNoToken) {
    EngineModel model;
    model.kv_tokens = 2048;
    Replica replica(model, 1);
    for (int i = 0; i < 6; ++i) replica.enqueue({.prompt_tokens = 256, .output_tokens = 200});
    double now = 0.0;
    for (int steps = 0; steps < 5000 && replica.load() > 0; ++steps) {
        now += replica.step(now);
        EXPECT_LE(replica.kv_usage(), 1.0);
    }
    EXPECT_EQ(replica.completed, 6.0);
    EXPECT_GT(replica.preemptions, 0.0);
    EXPECT_EQ(replica.generation_tokens, 1200.0);
}

TEST(Simulate, SameSeedSameNumbersAndLittlesLaw) {
    StackConfig config;
    config.load.requests_per_second = 40.0;
    config.fault.kind = "none";
    const auto a = simulate(config);
    const auto b = simulate(config);
    ASSERT_TRUE(a && b);
    const Frame& frame = a->incident.metrics;
    for (std::size_t c = 0; c < frame.num_columns(); ++c)
        for (std::size_t r = 0; r < frame.num_rows(); ++r) {
            const double x = frame.values(c)[r];
            const double y = b->incident.metrics.values(c)[r];
            ASSERT_TRUE(x == y || (std::isnan(x) && std::isnan(y))) << frame.column(c).name;
        }
    // L = lambda W over all replicas, engine queue and batch together.
    double in_system = 0.0;
    double seconds = 0.0;
    double finished = 0.0;
    const auto last = [&](const std::string& name) {
        const auto v = frame.values(*frame.find(name));
        return v.back() - v.front();
    };
    for (int i = 0; i < 4; ++i) {
        const std::string pod = "ray-replicas-" + std::to_string(i) + "_";
        for (const char* gauge : {"vllm:num_requests_running", "vllm:num_requests_waiting"}) {
            const auto v = frame.values(*frame.find(pod + gauge));
            in_system += std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
        }
        seconds += last(pod + "vllm:e2e_request_latency_seconds_sum");
        finished += last(pod + "vllm:e2e_request_latency_seconds_count");
    }
    const double span = to_seconds(frame.times().back() - frame.times().front());
    EXPECT_NEAR(in_system, finished / span * (seconds / finished), 0.1 * in_system);
}

TEST(Simulate, AFaultMovesItsTargetAndNothingElseMovesLikeIt) {
    StackConfig config;
    config.load.requests_per_second = 40.0;
    config.fault = {.kind = "gpu_power_cap", .target = 2, .intensity = 0.9};
    const auto made = simulate(config);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->truth->services, std::vector<std::string>{"ray-replicas-2"});
    const Frame& frame = made->incident.metrics;
    const auto clock = [&](int replica) {
        const auto v = frame.values(
            *frame.find("ray-replicas-" + std::to_string(replica) + "_DCGM_FI_DEV_SM_CLOCK"));
        return v[frame.first_row_at(made->incident.alert) + 8] / v[20];
    };
    EXPECT_LT(clock(2), 0.85);
    EXPECT_GT(clock(1), 0.95);
}

TEST(Simulate, EveryKindRunsAndBadConfigurationsAreRefused) {
    for (const std::string& kind : fault_kinds()) {
        StackConfig config = random_config(kind, 3);
        config.baseline_seconds = 60.0;
        config.warm_up_seconds = 20.0;
        const auto made = simulate(config);
        ASSERT_TRUE(made) << kind;
        EXPECT_EQ(made->truth->fault, kind);
    }
    StackConfig config;
    config.fault.kind = "gremlins";
    EXPECT_FALSE(simulate(config));
    config.fault.kind = "none";
    config.fault.target = 9;
    EXPECT_FALSE(simulate(config));
}

// One sequence at a time: 12 ms + 0.15 ms for its token + 1.5 ms for the sequence + 2.6 ms between
// steps; the context of about 200 tokens adds 0.2 ms.
TEST(Calibration, TheTestbedsEngineDecodesAtItsKnownPace) {
    OperatingPoint load{.requests_per_second = 0.3, .prompt_tokens = 160, .output_tokens = 40};
    const auto point = simulated_point(load, 1200, 3);
    ASSERT_TRUE(point) << point.error().message;
    EXPECT_NEAR(point->token_gap_seconds, 0.01645, 0.0005);
    EXPECT_NEAR(point->requests_per_second, 0.3, 0.06);
    // 6.4 ms of the front end, one step of 12 + 1.5 + 160 * 0.15 ms and what lies between.
    EXPECT_NEAR(point->first_token_seconds, 0.0484, 0.003);
    load.requests_per_second = 6;
    const auto busy = simulated_point(load, 300, 3);
    ASSERT_TRUE(busy);
    EXPECT_GT(busy->token_gap_seconds, point->token_gap_seconds);
    EXPECT_GT(busy->running, 5 * point->running);
    EXPECT_GT(busy->utilisation, point->utilisation);
}

TEST(Calibration, ReadsTheTestbedsColumns) {
    std::vector<TimePoint> times;
    std::vector<Column> columns;
    for (const char* metric : {"vllm:num_requests_running", "vllm:request_success_total:rate",
                               "vllm:time_to_first_token_seconds:mean", "ctn_gpu"})
        columns.push_back({.name = std::string("a_") + metric, .service = "a", .metric = metric});
    times.reserve(3);
    for (int i = 0; i < 3; ++i) times.push_back(time_from_seconds(100 + i));
    Matrix values(3, 4);
    const double rows[3][4] = {{1, 2, 0.1, 40}, {3, 1, 0.4, 60}, {100, 0, std::nan(""), 100}};
    for (std::size_t r = 0; r < 3; ++r)
        for (std::size_t c = 0; c < 4; ++c) values(r, c) = rows[r][c];
    const auto frame = Frame::make(times, columns, values);
    ASSERT_TRUE(frame) << frame.error().message;
    const auto point = recorded_point(*frame, {times[0], times[2]});
    ASSERT_TRUE(point) << point.error().message;
    EXPECT_DOUBLE_EQ(point->running, 2);
    EXPECT_DOUBLE_EQ(point->requests_per_second, 1.5);
    EXPECT_DOUBLE_EQ(point->first_token_seconds, 0.2) << "weighed by the requests of each row";
    EXPECT_DOUBLE_EQ(point->utilisation, 0.5);
    EXPECT_FALSE(recorded_point(*frame, {times[2], times[2]}));
}

}  // namespace
}  // namespace culprit::simulator
