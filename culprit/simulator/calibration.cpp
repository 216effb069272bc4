#include "culprit/simulator/calibration.h"

#include <cmath>

#include "culprit/rca/case.h"
#include "culprit/simulator/stack_simulator.h"

namespace culprit::simulator {
namespace {

constexpr int testbed_replicas = 3;

struct Mean {
    double sum = 0;
    double weight = 0;
    void add(double value, double by = 1) {
        if (!std::isfinite(value) || !(by > 0)) return;
        sum += value * by;
        weight += by;
    }
    double value() const { return weight > 0 ? sum / weight : 0; }
};

/// The columns of one engine in the rows of a range.
class EngineRows {
public:
    EngineRows(const Frame& frame, std::string service, TimeRange range)
        : frame_(frame), service_(std::move(service)) {
        begin_ = frame.first_row_at(range.begin);
        end_ = frame.first_row_at(range.end);
    }
    bool empty() const { return begin_ >= end_; }
    std::size_t num_rows() const { return end_ - begin_; }
    double at(const std::string& metric, std::size_t row) const {
        const auto column = frame_.find(service_ + "_" + metric);
        return column ? frame_.values(*column)[begin_ + row] : std::nan("");
    }
    /// Increase of a counter from the first row to the last.
    double increase(const std::string& metric) const {
        return at(metric, num_rows() - 1) - at(metric, 0);
    }

private:
    const Frame& frame_;
    std::string service_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

std::vector<std::string> engines_in(const Frame& frame) {
    std::vector<std::string> names;
    for (const auto& column : frame.columns())
        if (column.metric == "vllm:num_requests_running") names.push_back(column.service);
    return names;
}

}  // namespace

std::vector<Quantity> compared_quantities() {
    using P = OperatingPoint;
    return {{"time to first token", "s", &P::first_token_seconds},
            {"inter-token latency", "s", &P::token_gap_seconds},
            {"request latency", "s", &P::request_seconds},
            {"queue time", "s", &P::queue_seconds},
            {"running requests", "1", &P::running},
            {"KV cache use", "1", &P::kv_usage},
            {"accelerator use", "1", &P::utilisation}};
}

Result<OperatingPoint> recorded_point(const Frame& recorded, TimeRange range) {
    const auto engines = engines_in(recorded);
    Mean rate, prompt, output, hit, first, gap, total, queue, running, kv, busy;
    for (const auto& engine : engines) {
        const EngineRows rows(recorded, engine, range);
        for (std::size_t row = 0; row < rows.num_rows(); ++row) {
            const double requests = rows.at("vllm:request_success_total:rate", row);
            const auto mean = [&](const char* metric) {
                return rows.at(std::string("vllm:") + metric + ":mean", row);
            };
            rate.add(requests);
            prompt.add(mean("request_prompt_tokens"), requests);
            output.add(mean("request_generation_tokens"), requests);
            hit.add(rows.at("vllm:prefix_cache_hits_total:ratio", row), requests);
            first.add(mean("time_to_first_token_seconds"), requests);
            gap.add(mean("inter_token_latency_seconds"),
                    rows.at("vllm:generation_tokens_total:rate", row));
            total.add(mean("e2e_request_latency_seconds"), requests);
            queue.add(mean("request_queue_time_seconds"), requests);
            running.add(rows.at("vllm:num_requests_running", row));
            kv.add(rows.at("vllm:kv_cache_usage_perc", row));
            busy.add(rows.at("ctn_gpu", row) / 100);
        }
    }
    if (!(running.weight > 0) || !(rate.value() > 0))
        return fail(ErrorCode::missing_input,
                    "expected the testbed's columns of an engine under load, found none");
    return OperatingPoint{.requests_per_second = rate.value() * static_cast<double>(engines.size()),
                          .prompt_tokens = prompt.value(),
                          .output_tokens = output.value(),
                          .prefix_hit_ratio = hit.value(),
                          .first_token_seconds = first.value(),
                          .token_gap_seconds = gap.value(),
                          .request_seconds = total.value(),
                          .queue_seconds = queue.value(),
                          .running = running.value(),
                          .kv_usage = kv.value(),
                          .utilisation = busy.value()};
}

OperatingPoint mean_point(const std::vector<OperatingPoint>& points) {
    using P = OperatingPoint;
    OperatingPoint mean;
    const auto blend = [&](double P::*field, bool by_requests) {
        Mean all;
        for (const auto& point : points)
            all.add(point.*field, by_requests ? point.requests_per_second : 1);
        mean.*field = all.value();
    };
    for (const auto field :
         {&P::prompt_tokens, &P::output_tokens, &P::prefix_hit_ratio, &P::first_token_seconds,
          &P::token_gap_seconds, &P::request_seconds, &P::queue_seconds})
        blend(field, true);
    for (const auto field : {&P::requests_per_second, &P::running, &P::kv_usage, &P::utilisation})
        blend(field, false);
    return mean;
}

EngineModel testbed_engine() {
    EngineModel engine;
    // A memory-bound part of 12 ms and 1 us per resident token; bytes and bandwidth are only their
    // ratio here.
    engine.bandwidth_bytes_per_second = 1e12;
    engine.weight_bytes = 0.012e12;
    engine.kv_bytes_per_token = 1e6;
    engine.clock_share = 1;
    engine.flops_per_token = 0.00015e12;
    engine.peak_flops_per_second = 1e12;
    engine.sequence_seconds = 0.0015;
    engine.parts_overlap = false;
    engine.cpu_overhead_seconds = 0.0026;
    engine.frontend_seconds = 0.0064;
    engine.tokenizer_seconds_per_token = 4e-6;
    engine.max_num_seqs = 16;
    engine.batched_tokens_max = 1024;
    engine.block_tokens = 32;
    engine.kv_tokens = 256 * engine.block_tokens;
    return engine;
}

Result<OperatingPoint> simulated_point(const OperatingPoint& recorded, double seconds,
                                       std::uint64_t seed) {
    StackConfig config;
    config.num_replicas = testbed_replicas;
    config.router = RouterPolicy::round_robin;
    config.engine = testbed_engine();
    config.load.requests_per_second = recorded.requests_per_second;
    config.load.prompt_tokens_mean = recorded.prompt_tokens;
    config.load.output_tokens_mean = recorded.output_tokens;
    config.load.prompt_tokens_cv = 0.4 / std::sqrt(3.0);  // uniform in +-40 %
    config.load.output_tokens_cv = 0.4 / std::sqrt(3.0);
    config.load.prefix_hit_ratio = recorded.prefix_hit_ratio;
    config.warm_up_seconds = 30;
    config.baseline_seconds = seconds;
    config.scrape_seconds = 1;
    config.seed = seed;
    CULPRIT_TRY(const Case made, simulate(config));
    const Frame& frame = made.incident.metrics;
    Mean rate, first, gap, total, queue, running, kv, busy;
    for (const auto& engine : engines_in(frame)) {
        const EngineRows rows(frame, engine, made.incident.baseline);
        const auto tally = [&](Mean& mean, const std::string& histogram) {
            mean.sum += rows.increase(histogram + "_sum");
            mean.weight += rows.increase(histogram + "_count");
        };
        tally(first, "vllm:time_to_first_token_seconds");
        tally(gap, "vllm:inter_token_latency_seconds");
        tally(total, "vllm:e2e_request_latency_seconds");
        tally(queue, "vllm:request_queue_time_seconds");
        rate.add(rows.increase("vllm:request_success_total") / seconds);
        for (std::size_t row = 0; row < rows.num_rows(); ++row) {
            running.add(rows.at("vllm:num_requests_running", row));
            kv.add(rows.at("vllm:kv_cache_usage_perc", row));
            busy.add(rows.at("DCGM_FI_DEV_GPU_UTIL", row) / 100);
        }
    }
    OperatingPoint point = recorded;
    point.requests_per_second = rate.value() * testbed_replicas;
    point.first_token_seconds = first.value();
    point.token_gap_seconds = gap.value();
    point.request_seconds = total.value();
    point.queue_seconds = queue.value();
    point.running = running.value();
    point.kv_usage = kv.value();
    point.utilisation = busy.value();
    return point;
}

}  // namespace culprit::simulator
