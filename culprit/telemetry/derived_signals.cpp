#include "culprit/telemetry/derived_signals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

namespace culprit {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
// Below this share of time a GPU counts as idle, above that one as always busy; DRAM activity while
// a collective spins is a few percent at most. From the definitions of the DCGM fields, not tuned.
constexpr double idle_percent = 20.0;
constexpr double busy_percent = 90.0;
constexpr double dram_idle_ratio = 0.05;

using Values = std::vector<double>;

class Deriver {
public:
    explicit Deriver(FrameBuilder& builder) : builder_(builder) {
        for (std::size_t c = 0; c < builder.num_columns(); ++c) {
            const LiveColumn& column = builder.column(c);
            by_service_[{column.service, column.metric}].push_back(c);
            services_[column.service].push_back(c);
        }
    }

    Status run() {
        for (const auto& [service, columns] : services_) CULPRIT_TRY_STATUS(engine(service));
        CULPRIT_TRY_STATUS(gpus());
        CULPRIT_TRY_STATUS(clock_spread());
        CULPRIT_TRY_STATUS(client_residual());
        return replica_skew();
    }

private:
    // Sum (or mean) over the service's columns of this metric; nothing when it has none.
    std::optional<Values> total(const std::string& service, const std::string& metric,
                                bool is_mean = false) {
        const auto found = by_service_.find({service, metric});
        if (found == by_service_.end()) return {};
        Values sum(builder_.grid().num_points, 0.0);
        Values count(sum.size(), 0.0);
        for (const std::size_t c : found->second) {
            const auto values = builder_.values(c);
            if (!values) return {};
            for (std::size_t i = 0; i < sum.size(); ++i) {
                if (!std::isfinite((*values)[i])) continue;
                sum[i] += (*values)[i];
                count[i] += 1;
            }
        }
        for (std::size_t i = 0; i < sum.size(); ++i) {
            if (count[i] == 0)
                sum[i] = nan_value;
            else if (is_mean)
                sum[i] /= count[i];
        }
        return sum;
    }
    std::optional<Values> mean(const std::string& service, const std::string& metric) {
        return total(service, metric, true);
    }

    template <class Formula, class... Inputs>
    Status add(const std::string& service, const std::string& name, const std::string& unit,
               const Labels& labels, Formula formula, const std::optional<Inputs>&... inputs) {
        if (!(inputs.has_value() && ...)) return {};
        Values out(builder_.grid().num_points);
        for (std::size_t i = 0; i < out.size(); ++i) {
            const double value = formula((*inputs)[i]...);
            out[i] = std::isfinite(value) ? value : nan_value;
        }
        LiveColumn column{
            .service = service, .metric = "derived:" + name, .unit = unit, .labels = labels};
        column.labels["signal"] = column.metric;
        if (const Signal* signal = Catalogue::builtin().find(column.metric)) {
            column.labels["quantity"] = signal->quantity;
            column.labels["entity_kind"] = to_string(signal->entity);
        }
        column.labels.try_emplace("entity", service);
        return builder_.add(std::move(column), out);
    }

    Status engine(const std::string& service) {
        const auto ttft = mean(service, "vllm:time_to_first_token_seconds:mean");
        const auto queue = mean(service, "vllm:request_queue_time_seconds:mean");
        const auto prefill = mean(service, "vllm:request_prefill_time_seconds:mean");
        const auto e2e = mean(service, "vllm:e2e_request_latency_seconds:mean");
        const auto path_ms = mean(service, "ray_serve_http_request_latency_ms:mean");
        const auto tokens = total(service, "vllm:generation_tokens_total");
        const auto prompt = total(service, "vllm:prompt_tokens_total");
        CULPRIT_TRY_STATUS(add(
            service, "frontend_residual_seconds", "s", {},
            [](double a, double b, double c) { return a - b - c; }, ttft, queue, prefill));
        CULPRIT_TRY_STATUS(add(
            service, "path_residual_seconds", "s", {},
            [](double ms, double s) { return ms / 1000 - s; }, path_ms, e2e));
        CULPRIT_TRY_STATUS(add(
            service, "kv_full", "1{bool}", {}, [](double used) { return used >= 0.9 ? 1.0 : 0.0; },
            mean(service, "vllm:kv_cache_usage_perc")));
        CULPRIT_TRY_STATUS(add(
            service, "kv_per_request", "1", {},
            [](double used, double running) { return used / std::max(1.0, running); },
            mean(service, "vllm:kv_cache_usage_perc"),
            total(service, "vllm:num_requests_running")));
        CULPRIT_TRY_STATUS(add(
            service, "stalled", "1{bool}", {},
            [](double made, double running, double waiting) {
                return running + waiting > 0.0 && made <= 0.0 ? 1.0 : 0.0;
            },
            tokens, total(service, "vllm:num_requests_running"),
            total(service, "vllm:num_requests_waiting")));
        CULPRIT_TRY_STATUS(add(
            service, "repeated_starts", "1{bool}", {},
            [begun = 0, last = 0.0](double starts) mutable {
                begun += starts > 0.0 && !(last > 0.0) ? 1 : 0;
                last = starts;
                return begun >= 2 ? 1.0 : 0.0;
            },
            total(service, "kube_pod_container_status_restarts_total")));
        CULPRIT_TRY_STATUS(add(
            service, "queue_share", "1", {}, [](double q, double e) { return q / e; }, queue, e2e));
        CULPRIT_TRY_STATUS(add(
            service, "prefix_hit_ratio", "1", {}, [](double h, double q) { return h / q; },
            total(service, "vllm:prefix_cache_hits_total"),
            total(service, "vllm:prefix_cache_queries_total")));
        CULPRIT_TRY_STATUS(add(
            service, "retransmit_share", "1", {}, [](double r, double p) { return r / p; },
            total(service, "node_netstat_Tcp_RetransSegs"),
            total(service, "node_network_transmit_packets_total")));
        const auto computed = mean(service, "vllm:request_prefill_kv_computed_tokens:mean");
        const auto computed_rate = total(service, "vllm:request_prefill_kv_computed_tokens:rate");
        CULPRIT_TRY_STATUS(add(
            service, "prefill_miss_share", "1", {},
            [](double c, double r, double p) { return c * r / p; }, computed, computed_rate,
            prompt));
        const auto itl = mean(service, "vllm:inter_token_latency_seconds:mean");
        const auto batch = mean(service, "vllm:iteration_tokens_total:mean");
        if (itl && batch)
            CULPRIT_TRY_STATUS(add(
                service, "step_slowdown", "1", {}, [](double v, double e) { return v / e; }, itl,
                std::optional(expected_step(*itl, *batch))));
        CULPRIT_TRY_STATUS(work(service, tokens));
        return lost_requests(service);
    }

    // Inter-token latency as a straight line over the tokens per step, fitted by least squares on
    // the first half of the window, which lies before the alert; the mean where that has no slope.
    static Values expected_step(const Values& itl, const Values& batch) {
        double n = 0;
        double sum_x = 0;
        double sum_y = 0;
        double sum_xx = 0;
        double sum_xy = 0;
        for (std::size_t i = 0; i < itl.size() / 2; ++i) {
            if (!std::isfinite(itl[i] + batch[i])) continue;
            n += 1;
            sum_x += batch[i];
            sum_y += itl[i];
            sum_xx += batch[i] * batch[i];
            sum_xy += batch[i] * itl[i];
        }
        const double spread = sum_xx - sum_x * sum_x / n;
        const bool has_slope = n >= 10 && spread > 1e-9 * sum_xx;
        const double slope = has_slope ? (sum_xy - sum_x * sum_y / n) / spread : 0.0;
        Values expected(itl.size(), nan_value);
        for (std::size_t i = 0; i < itl.size(); ++i) {
            const double value = sum_y / n + slope * (batch[i] - sum_x / n);
            if (std::isfinite(value) && value > 0) expected[i] = value;
        }
        return expected;
    }

    // What clients wait for the first token beyond what the engines of that model say.
    Status client_residual() {
        const std::string metric = "gen_ai.client.operation.time_to_first_chunk:mean";
        Values sum(builder_.grid().num_points, 0.0);
        Values count(sum.size(), 0.0);
        std::vector<std::string> clients;
        for (const auto& [service, columns] : services_) {
            if (by_service_.contains({service, metric})) clients.push_back(service);
            const auto served = mean(service, "vllm:time_to_first_token_seconds:mean");
            if (!served) continue;
            for (std::size_t i = 0; i < sum.size(); ++i) {
                if (!std::isfinite((*served)[i])) continue;
                sum[i] += (*served)[i];
                count[i] += 1;
            }
        }
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] /= count[i];
        for (const std::string& client : clients)
            CULPRIT_TRY_STATUS(add(
                client, "client_residual_seconds", "s", {},
                [](double c, double s) { return c - s; }, mean(client, metric),
                std::optional(sum)));
        return {};
    }

    Status work(const std::string& service, const std::optional<Values>& tokens) {
        const auto dram = total(service, "DCGM_FI_PROF_DRAM_ACTIVE");
        const auto power = total(service, "DCGM_FI_DEV_POWER_USAGE");
        const auto busy = mean(service, "DCGM_FI_DEV_GPU_UTIL");
        const auto running = total(service, "vllm:num_requests_running");
        CULPRIT_TRY_STATUS(add(
            service, "tokens_per_dram_active", "{token}/s", {},
            [](double t, double d) { return t / d; }, tokens, dram));
        CULPRIT_TRY_STATUS(add(
            service, "tokens_per_joule", "{token}/J", {}, [](double t, double p) { return t / p; },
            tokens, power));
        CULPRIT_TRY_STATUS(add(
            service, "spin", "1{bool}", {},
            [](double u, double d, double t) {
                if (!std::isfinite(u + d + t)) return nan_value;
                return u > busy_percent && d < dram_idle_ratio && t <= 0 ? 1.0 : 0.0;
            },
            busy, dram, tokens));
        return add(
            service, "starvation", "1{bool}", {},
            [](double u, double r) {
                if (!std::isfinite(u + r)) return nan_value;
                return u < idle_percent && r > 0 ? 1.0 : 0.0;
            },
            busy, running);
    }

    // Requests to the OpenAI API alone: probes and scrapes are requests, too.
    std::optional<Values> api_requests(const std::string& service) {
        const auto found = by_service_.find({service, "http_requests_total"});
        if (found == by_service_.end()) return {};
        std::optional<Values> sum;
        for (const std::size_t c : found->second) {
            const auto route = builder_.column(c).labels.find("route");
            if (route == builder_.column(c).labels.end() || !route->second.starts_with("/v1/"))
                continue;
            const auto values = builder_.values(c);
            if (!values) return {};
            if (!sum) sum = Values(values->size(), 0.0);
            for (std::size_t i = 0; i < sum->size(); ++i)
                if (std::isfinite((*values)[i])) (*sum)[i] += (*values)[i];
        }
        return sum;
    }

    Status lost_requests(const std::string& service) {
        const auto arrived = api_requests(service);
        const auto completed = total(service, "vllm:request_success_total");
        const auto running = total(service, "vllm:num_requests_running");
        const auto waiting = total(service, "vllm:num_requests_waiting");
        if (!arrived || !completed || !running || !waiting) return {};
        Values inside(running->size());
        for (std::size_t i = 0; i < inside.size(); ++i) inside[i] = (*running)[i] + (*waiting)[i];
        Values growth(inside.size(), nan_value);
        const double step_seconds = static_cast<double>(builder_.grid().step_ms) / 1000.0;
        for (std::size_t i = 1; i < inside.size(); ++i)
            growth[i] = (inside[i] - inside[i - 1]) / step_seconds;
        return add(
            service, "lost_requests_per_second", "{request}/s", {},
            [](double a, double c, double g) { return a - c - g; }, arrived, completed,
            std::optional(growth));
    }

    // Signals of one GPU: columns of equal "entity" are paired.
    Status gpus() {
        std::map<std::string, std::map<std::string, std::size_t>> by_gpu;
        for (std::size_t c = 0; c < builder_.num_columns(); ++c) {
            const LiveColumn& column = builder_.column(c);
            const auto entity = column.labels.find("entity");
            if (column.metric.starts_with("DCGM_") && entity != column.labels.end())
                by_gpu[entity->second].try_emplace(column.metric, c);
        }
        for (const auto& [gpu, columns] : by_gpu) {
            CULPRIT_TRY_STATUS(difference(columns, "DCGM_FI_DEV_ENFORCED_POWER_LIMIT",
                                          "DCGM_FI_DEV_POWER_USAGE", "power_headroom_watts", "W"));
            CULPRIT_TRY_STATUS(difference(columns, "DCGM_FI_DEV_SLOWDOWN_TEMP",
                                          "DCGM_FI_DEV_GPU_TEMP", "thermal_headroom_celsius",
                                          "Cel"));
        }
        return {};
    }
    Status difference(const std::map<std::string, std::size_t>& columns, const std::string& limit,
                      const std::string& level, const std::string& name, const std::string& unit) {
        const auto above = columns.find(limit);
        const auto below = columns.find(level);
        if (above == columns.end() || below == columns.end()) return {};
        CULPRIT_TRY(auto high, builder_.values(above->second));
        CULPRIT_TRY(auto low, builder_.values(below->second));
        const LiveColumn described = builder_.column(below->second);
        return add(
            described.service, name, unit, described.labels,
            [](double h, double l) { return h - l; }, std::optional(std::move(high)),
            std::optional(std::move(low)));
    }

    Status clock_spread() {
        std::map<std::string, std::vector<std::size_t>> by_host;
        for (std::size_t c = 0; c < builder_.num_columns(); ++c) {
            const LiveColumn& column = builder_.column(c);
            const auto host = column.labels.find("host");
            if (column.metric == "DCGM_FI_DEV_SM_CLOCK" && host != column.labels.end())
                by_host[host->second].push_back(c);
        }
        for (const auto& [host, columns] : by_host) {
            if (columns.size() < 2) continue;
            Values lowest(builder_.grid().num_points, HUGE_VAL);
            Values highest(lowest.size(), -HUGE_VAL);
            for (const std::size_t c : columns) {
                CULPRIT_TRY(const auto values, builder_.values(c));
                for (std::size_t i = 0; i < values.size(); ++i) {
                    if (!std::isfinite(values[i])) continue;
                    lowest[i] = std::min(lowest[i], values[i]);
                    highest[i] = std::max(highest[i], values[i]);
                }
            }
            CULPRIT_TRY_STATUS(add(
                host, "clock_spread_mhz", "MHz", {{"host", host}},
                [](double h, double l) { return h - l; }, std::optional(std::move(highest)),
                std::optional(std::move(lowest))));
        }
        return {};
    }

    // The replicas of one model are each other's control group.
    Status replica_skew() {
        const std::string metric = "vllm:inter_token_latency_seconds:mean";
        std::map<std::string, std::vector<std::size_t>> by_model;
        const std::size_t num_columns = builder_.num_columns();
        for (std::size_t c = 0; c < num_columns; ++c) {
            if (builder_.column(c).metric != metric) continue;
            const auto model = builder_.column(c).labels.find("model");
            by_model[model == builder_.column(c).labels.end() ? "" : model->second].push_back(c);
        }
        for (const auto& [model, columns] : by_model) {
            if (columns.size() < 2) continue;
            std::vector<Values> all;
            for (const std::size_t c : columns) {
                CULPRIT_TRY(auto values, builder_.values(c));
                all.push_back(std::move(values));
            }
            Values median(builder_.grid().num_points, nan_value);
            for (std::size_t i = 0; i < median.size(); ++i) {
                std::vector<double> present;
                for (const Values& values : all)
                    if (std::isfinite(values[i])) present.push_back(values[i]);
                if (present.size() < 2) continue;
                std::ranges::sort(present);
                const std::size_t half = present.size() / 2;
                median[i] = present.size() % 2 == 1 ? present[half]
                                                    : (present[half - 1] + present[half]) / 2;
            }
            for (std::size_t k = 0; k < columns.size(); ++k) {
                const LiveColumn described = builder_.column(columns[k]);
                CULPRIT_TRY_STATUS(add(
                    described.service, "replica_skew", "1", described.labels,
                    [](double v, double m) { return v / m; }, std::optional(std::move(all[k])),
                    std::optional(median)));
            }
        }
        return {};
    }

    FrameBuilder& builder_;
    std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_service_;
    std::map<std::string, std::vector<std::size_t>> services_;
};

}  // namespace

Status add_derived_signals(FrameBuilder& builder) { return Deriver(builder).run(); }

Status add_change_columns(const std::vector<ChangeEvent>& changes, FrameBuilder& builder) {
    const SampleGrid& grid = builder.grid();
    std::map<std::string, Values> by_entity;
    for (const ChangeEvent& change : changes) {
        if (change.kind != "configuration" && change.kind != "rollout") continue;
        auto [entry, is_new] = by_entity.try_emplace(change.entity, Values(grid.num_points, 0.0));
        const std::int64_t offset_ms = to_ns(change.time) / 1'000'000 - grid.first_ms;
        if (offset_ms < 0) continue;
        const auto point = static_cast<std::size_t>(offset_ms / grid.step_ms);
        if (point < grid.num_points) entry->second[point] = 1.0;
    }
    for (const auto& [entity, values] : by_entity)
        CULPRIT_TRY_STATUS(builder.add({.service = entity,
                                        .metric = "derived:configuration_change",
                                        .unit = "1{bool}",
                                        .labels = {{"signal", "derived:configuration_change"},
                                                   {"quantity", "engine.configuration_change"},
                                                   {"entity", entity}}},
                                       values));
    return {};
}

}  // namespace culprit
