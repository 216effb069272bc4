#include "culprit/tailored/features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "culprit/base/parallel.h"
#include "culprit/stats/moments.h"
#include "culprit/tailored/idle_clock.h"

namespace culprit::tailored {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

/// Names that are no exporter's and the signal that each shows: the study's columns, and what
/// people write when they name a column by hand.
struct ShortName {
    std::string_view metric;
    std::string_view signal;
};
constexpr std::array short_names = {
    ShortName{"ctn_cpu", "container_cpu_usage_seconds_total"},
    ShortName{"ctn_memory", "container_memory_working_set_bytes"},
    ShortName{"ctn_network", "container_network_transmit_packets_total"},
    ShortName{"ctn_gpu", "gpu.utilization"},
    ShortName{"node_cpu", "node_cpu_seconds_total"},
    ShortName{"node_network", "node_network_transmit_packets_total"},
    ShortName{"node_memory", "ray_node_mem_used"},
    ShortName{"latency-90", "istio_request_duration_milliseconds"},
    ShortName{"latency", "istio_request_duration_milliseconds"},
    ShortName{"cpu", "container_cpu_usage_seconds_total"},
    ShortName{"cpu_usage", "container_cpu_usage_seconds_total"},
    ShortName{"mem", "container_memory_working_set_bytes"},
    ShortName{"memory", "container_memory_working_set_bytes"},
    ShortName{"memory_usage", "container_memory_working_set_bytes"},
    ShortName{"gpu_util", "gpu.utilization"},
    ShortName{"gpu_utilization", "gpu.utilization"},
    ShortName{"gpu_power", "gpu.power"},
    ShortName{"gpu_power_usage", "gpu.power"},
    ShortName{"gpu_temp", "gpu.temperature"},
    ShortName{"gpu_temperature", "gpu.temperature"},
    ShortName{"gpu_sm_clock", "gpu.sm_clock"},
    ShortName{"gpu_memory_used", "gpu.memory_used"},
    ShortName{"ttft", "engine.ttft"},
    ShortName{"tpot", "engine.itl"},
    ShortName{"itl", "engine.itl"},
    ShortName{"queue_time", "engine.queue_time"},
    ShortName{"kv_cache_usage", "engine.kv_usage"},
    ShortName{"num_requests_running", "engine.running"},
    ShortName{"num_requests_waiting", "engine.waiting"},
    ShortName{"tokens_per_second", "engine.generation_tokens"},
};

/// What a metric name means, looked up once per distinct name.
struct Meaning {
    std::string signal;  // empty: not in the catalogue, or of no use here
    std::string part;
    std::string unit;
    SignalType type = SignalType::gauge;
    bool bad_when_up = false;
    std::uint32_t bits = 0;  // of a bit mask: the signal is whether one of them is set
    std::size_t number = 0;  // of the signal, among those that occur
};

/// What the bits of NVML's clock event reasons say (nvml.h, nvmlClocksEventReason*). An idle GPU
/// (bit 0) lowers its clocks too; that is no event.
std::array<Meaning, 4> clock_event_reasons() {
    return {Meaning{.signal = "gpu.clock_event_reasons", .bits = ~std::uint32_t{1}},
            Meaning{.signal = "gpu.event_power_cap", .bits = 0x4},
            Meaning{.signal = "gpu.event_thermal", .bits = 0x20 | 0x40},
            Meaning{.signal = "gpu.event_power_brake", .bits = 0x80}};
}

Meaning meaning_of(const Catalogue& catalogue, const std::string& metric) {
    for (const ShortName& name : short_names)
        if (metric == name.metric) return {.signal = std::string(name.signal)};
    // A collector may already have made numbers of a histogram or a counter: keep means, rates and
    // the share of prefix hits, leave quantiles.
    std::string_view name = metric;
    std::string_view made;
    for (const std::string_view suffix :
         {":mean", ":rate", ":ratio", ":p50", ":p90", ":p95", ":p99"})
        if (name.ends_with(suffix)) {
            made = suffix.substr(1);
            name.remove_suffix(suffix.size());
        }
    if (made.starts_with("p")) return {};
    const SeriesMatch match = catalogue.match(name);
    if (match.signal == nullptr || match.part == "bucket" || match.signal->type == SignalType::info)
        return {};
    std::string signal =
        match.signal->quantity.empty() ? match.signal->name : match.signal->quantity;
    const bool is_histogram = match.signal->type != SignalType::counter &&
                              match.signal->type != SignalType::gauge &&
                              match.signal->type != SignalType::untyped;
    if (made == "rate" && (is_histogram || !match.part.empty())) return {};
    if (made == "ratio") {
        if (signal != "engine.prefix_hits") return {};
        return {.signal = "engine.prefix_hit_ratio", .part = "mean", .unit = "1"};
    }
    return {.signal = std::move(signal),
            .part = made.empty() ? std::string(match.part) : std::string(made),
            .unit = match.signal->unit,
            .type = match.signal->type,
            .bad_when_up = match.signal->bad == BadDirection::up};
}

/// A gauge whose value is the time at which something started.
bool is_start_time(const std::string& signal) {
    return signal.ends_with("_start_time_seconds") || signal == "kube_pod_created" ||
           signal == "node_boot_time_seconds";
}

/// 1 where a start time differs from the last known one.
std::vector<double> starts(std::span<const double> values) {
    std::vector<double> out(values.size(), nan_value);
    double last = nan_value;
    for (std::size_t r = 0; r < values.size(); ++r) {
        if (!std::isfinite(values[r])) continue;
        out[r] = std::isfinite(last) && values[r] != last ? 1.0 : 0.0;
        last = values[r];
    }
    return out;
}

/// 1 where one of the bits is set, 0 where none is; NaN where the value is no bit mask.
std::vector<double> any_bit(std::span<const double> values, std::uint32_t bits) {
    std::vector<double> out(values.size(), nan_value);
    for (std::size_t r = 0; r < values.size(); ++r)
        if (values[r] >= 0.0 && values[r] < 4294967296.0 && values[r] == std::floor(values[r]))
            out[r] = (static_cast<std::uint32_t>(values[r]) & bits) != 0 ? 1.0 : 0.0;
    return out;
}

bool is_idle_cpu(const Column& column) {
    if (column.labels.empty()) return false;
    const auto mode = column.labels.find("mode");
    return mode != column.labels.end() && (mode->second == "idle" || mode->second == "iowait");
}

/// A counter rises, apart from a restart now and then.
bool looks_cumulative(std::span<const double> values) {
    if (stats::all_finite(values)) {
        std::size_t falls = 0;
        for (std::size_t r = 1; r < values.size(); ++r) falls += values[r] < values[r - 1] ? 1 : 0;
        return falls * 20 <= std::max<std::size_t>(values.size(), 1) - 1;
    }
    double last = nan_value;
    std::size_t falls = 0;
    std::size_t steps = 0;
    for (const double v : values) {
        if (!std::isfinite(v)) continue;
        if (std::isfinite(last)) {
            ++steps;
            if (v < last) ++falls;
        }
        last = v;
    }
    return falls * 20 <= steps;
}

/// Increase since the previous known value, at the later row; NaN where it cannot be told.
std::vector<double> increases(std::span<const double> values) {
    std::vector<double> out(values.size(), nan_value);
    if (stats::all_finite(values)) {
        for (std::size_t r = 1; r < values.size(); ++r) {
            const double up = values[r] - values[r - 1];
            out[r] = values[r] >= values[r - 1] ? up : values[r];
        }
        return out;
    }
    double last = nan_value;
    for (std::size_t r = 0; r < values.size(); ++r) {
        if (!std::isfinite(values[r])) {
            last = nan_value;
            continue;
        }
        if (std::isfinite(last)) out[r] = values[r] >= last ? values[r] - last : values[r];
        last = values[r];
    }
    return out;
}

/// NaN in place of infinities.
void leave_finite(std::vector<double>& values) {
    for (double& v : values) v = std::isfinite(v) ? v : nan_value;
}

void add_into(std::vector<double>& sum, std::span<const double> values) {
    if (sum.empty()) {
        sum.assign(values.begin(), values.end());
        return leave_finite(sum);
    }
    for (std::size_t r = 0; r < values.size(); ++r)
        if (std::isfinite(values[r]))
            sum[r] = std::isfinite(sum[r]) ? sum[r] + values[r] : values[r];
}

void add_into(std::vector<double>& sum, std::vector<double>&& values) {
    if (!sum.empty()) return add_into(sum, std::span<const double>(values));
    sum = std::move(values);
    leave_finite(sum);
}

bool whole_numbers(std::span<const double> values) {
    return std::ranges::all_of(values,
                               [](double v) { return !std::isfinite(v) || v == std::floor(v); });
}

/// Collects the series of one feature before they are turned into numbers.
struct Parts {
    const std::string* service = nullptr;
    std::vector<std::size_t> columns;
    std::vector<const Meaning*> meanings;  // of the columns
    std::vector<double> level;             // sum of gauges
    double num_levels = 0.0;
    std::vector<double> increase;  // sum of counters' increases
    std::vector<double> sum;       // histogram
    std::vector<double> count;
    std::vector<double> rate;  // sum of counters that the source already made rates of
    bool is_mean = false;
    bool whole = true;
};

class Builder {
public:
    Builder(const Incident& incident, const Catalogue& catalogue)
        : frame_(incident.metrics), catalogue_(catalogue) {
        for (Meaning& reason : reasons_) reason.number = number_of(reason.signal);
    }

    void add(std::size_t c) {
        const Column& column = frame_.column(c);
        const std::string& metric = column.metric.empty() ? column.name : column.metric;
        auto [found, fresh] = meanings_.try_emplace(metric);
        if (fresh) {
            found->second = meaning_of(catalogue_, metric);
            found->second.number = number_of(found->second.signal);
        }
        const Meaning& meaning = found->second;
        if (meaning.signal.empty() || column.service.empty() || is_idle_cpu(column)) return;
        if (meaning.signal == reasons_.front().signal)
            for (const Meaning& reason : reasons_) assign(column.service, reason, c);
        else
            assign(column.service, meaning, c);
    }

    Result<std::vector<Feature>> take(const Stop& stop, unsigned num_threads) {
        std::vector<Feature> features(parts_.size());
        parallel_for(
            parts_.size(), num_threads,
            [&](std::size_t begin, std::size_t end) {
                for (std::size_t i = begin; i < end && !stop.requested(); ++i) {
                    for (std::size_t k = 0; k < parts_[i].columns.size(); ++k)
                        absorb(parts_[i], *parts_[i].meanings[k], parts_[i].columns[k]);
                    features[i] = finish(i);
                }
            },
            256);
        CULPRIT_TRY_STATUS(stop.check());
        add_ratio(features, "engine.prefix_hit_ratio", "engine.prefix_hits",
                  "engine.prefix_queries");
        for (const char* sent :
             {"container_network_transmit_packets_total", "node_network_transmit_packets_total"})
            add_ratio(features, "link.retransmit_share", "node_netstat_Tcp_RetransSegs", sent);
        leave_shares(features);
        add_frontend_residual(features);
        add_kv_full(features);
        hold_clock_while_idle(features);
        return features;
    }

private:
    std::size_t number_of(const std::string& signal) {
        return numbers_.try_emplace(signal, numbers_.size()).first->second;
    }

    /// The service's place; columns of one service mostly follow one another.
    std::size_t place_of(const std::string& service) {
        if (services_.empty() || service != *last_service_) {
            last_place_ = services_.try_emplace(service, services_.size()).first->second;
            last_service_ = &service;
        }
        return last_place_;
    }

    void assign(const std::string& service, const Meaning& meaning, std::size_t c) {
        const std::uint64_t key = std::uint64_t{place_of(service)} << 32U | meaning.number;
        const auto [at, made] = index_.try_emplace(key, parts_.size());
        if (made) parts_.push_back({.service = &service});
        parts_[at->second].columns.push_back(c);
        parts_[at->second].meanings.push_back(&meaning);
    }

    void absorb(Parts& parts, const Meaning& meaning, std::size_t c) {
        const auto values = frame_.values(c);
        if (meaning.bits != 0) {
            add_into(parts.level, any_bit(values, meaning.bits));
            parts.num_levels += 1.0;
        } else if (meaning.part == "sum") {
            add_into(parts.sum, increases(values));
        } else if (meaning.part == "count") {
            add_into(parts.count, increases(values));
        } else if (is_start_time(meaning.signal)) {
            add_into(parts.increase, starts(values));
        } else if (meaning.part == "mean") {
            add_into(parts.level, values);
            parts.num_levels += 1.0;
            parts.is_mean = true;
        } else if (meaning.part == "rate" ||
                   (frame_.column(c).unit.ends_with("/s") && meaning.type == SignalType::counter)) {
            add_into(parts.rate, values);
        } else if ((meaning.type == SignalType::counter || meaning.type == SignalType::untyped) &&
                   looks_cumulative(values)) {
            auto up = increases(values);
            parts.whole = parts.whole && whole_numbers(up);
            add_into(parts.increase, std::move(up));
        } else {
            add_into(parts.level, values);
            parts.num_levels += 1.0;
        }
    }

    Feature finish(std::size_t i) {
        Parts& parts = parts_[i];
        Feature feature{.service = *parts.service,
                        .signal = parts.meanings.front()->signal,
                        .unit = parts.meanings.front()->unit,
                        .bad_when_up = parts.meanings.front()->bad_when_up,
                        .columns = std::move(parts.columns)};
        const double step = std::max(1e-9, to_seconds(frame_.step()));
        if (!parts.sum.empty() && !parts.count.empty()) {
            feature.kind = FeatureKind::average;
            feature.values.assign(parts.sum.size(), nan_value);
            for (std::size_t r = 0; r < parts.sum.size(); ++r)
                if (parts.count[r] > 0.0) feature.values[r] = parts.sum[r] / parts.count[r];
        } else if (!parts.increase.empty()) {
            feature.kind = FeatureKind::rate;
            feature.counts_events = parts.whole;
            feature.values = std::move(parts.increase);
            for (double& v : feature.values) v /= step;
        } else if (!parts.rate.empty()) {
            feature.kind = FeatureKind::rate;
            feature.values = std::move(parts.rate);
        } else if (!parts.level.empty()) {
            if (parts.is_mean) feature.kind = FeatureKind::average;
            feature.values = std::move(parts.level);
            if (parts.num_levels != 1.0)
                for (double& v : feature.values) v /= parts.num_levels;
        } else {  // half a histogram: the part that is there, as a rate
            feature.kind = FeatureKind::rate;
            feature.values = std::move(parts.sum.empty() ? parts.count : parts.sum);
            for (double& v : feature.values) v /= step;
        }
        // The same quantity as a ratio under a name that promises per cent, or by a newer exporter.
        if (feature.unit == "%" &&
            std::ranges::all_of(feature.values, [](double v) { return !(v > 1.0); }))
            feature.unit = "1";
        return feature;
    }

    /// The ratio of two features of one component, where the source has not made it already.
    static void add_ratio(std::vector<Feature>& features, std::string_view name,
                          std::string_view part, std::string_view whole) {
        std::map<std::string, std::pair<std::size_t, std::size_t>> found;  // part, whole; + 1
        for (std::size_t i = 0; i < features.size(); ++i) {
            if (features[i].signal == name) return;
            if (features[i].signal == part) found[features[i].service].first = i + 1;
            if (features[i].signal == whole) found[features[i].service].second = i + 1;
        }
        for (const auto& [service, at] : found) {
            if (at.first == 0 || at.second == 0) continue;
            Feature ratio{.service = service,
                          .signal = std::string(name),
                          .unit = "1",
                          .kind = FeatureKind::ratio,
                          .columns = features[at.first - 1].columns};
            const auto& above = features[at.first - 1].values;
            const auto& below = features[at.second - 1].values;
            ratio.values.assign(above.size(), nan_value);
            for (std::size_t r = 0; r < above.size(); ++r)
                if (below[r] > 0.0) ratio.values[r] = above[r] / below[r];
            features.push_back(std::move(ratio));
        }
    }

    /// More packets are more segments sent again: where their share is known, the count tells
    /// nothing else.
    static void leave_shares(std::vector<Feature>& features) {
        std::set<std::string> known;
        for (const Feature& f : features)
            if (f.signal == "link.retransmit_share") known.insert(f.service);
        std::erase_if(features, [&](const Feature& f) {
            return f.signal == "node_netstat_Tcp_RetransSegs" && known.contains(f.service);
        });
    }

    /// Whether at least 90 % of the KV cache is in use: what brings preemptions is not that it
    /// grew but that it is full.
    static void add_kv_full(std::vector<Feature>& features) {
        constexpr double full = 0.9;
        const std::size_t num_features = features.size();
        for (std::size_t i = 0; i < num_features; ++i)
            if (features[i].signal == "engine.kv_full") return;  // the source has it
        for (std::size_t i = 0; i < num_features; ++i) {
            if (features[i].signal != "engine.kv_usage") continue;
            Feature f = features[i];
            f.signal = "engine.kv_full";
            const double whole = f.unit == "%" ? 100.0 : 1.0;
            f.unit = std::string("1");  // a literal draws a false -Wrestrict from gcc 12
            for (double& v : f.values)
                if (std::isfinite(v)) v = v >= full * whole ? 1.0 : 0.0;
            features.push_back(std::move(f));
        }
    }

    /// Time to first token that neither the queue nor prefill accounts for: tokenizer, API server.
    /// The three are means over different requests, so that a quarter of queue and prefill more or
    /// less is no residual.
    static void add_frontend_residual(std::vector<Feature>& features) {
        std::map<std::string, std::array<std::size_t, 3>> found;  // ttft, queue, prefill; + 1
        for (std::size_t i = 0; i < features.size(); ++i) {
            if (features[i].signal == "engine.frontend_residual") return;  // the source has it
            if (features[i].kind != FeatureKind::average) continue;
            if (features[i].signal == "engine.ttft") found[features[i].service][0] = i + 1;
            if (features[i].signal == "engine.queue_time") found[features[i].service][1] = i + 1;
            if (features[i].signal == "engine.prefill_time") found[features[i].service][2] = i + 1;
        }
        for (const auto& [service, at] : found) {
            if (at[0] == 0 || at[1] == 0 || at[2] == 0) continue;
            Feature residual = features[at[0] - 1];
            residual.signal = "engine.frontend_residual";
            for (std::size_t r = 0; r < residual.values.size(); ++r) {
                const double known = features[at[1] - 1].values[r] + features[at[2] - 1].values[r];
                const double left = residual.values[r] - known;
                residual.values[r] =
                    std::copysign(std::max(0.0, std::abs(left) - 0.25 * known), left);
            }
            features.push_back(std::move(residual));
        }
    }

    const Frame& frame_;
    const Catalogue& catalogue_;
    std::unordered_map<std::string, Meaning> meanings_;  // its elements stay where they are
    std::array<Meaning, 4> reasons_ = clock_event_reasons();
    std::unordered_map<std::string, std::size_t> numbers_;        // signal -> number
    std::unordered_map<std::string_view, std::size_t> services_;  // service -> place
    const std::string* last_service_ = nullptr;
    std::size_t last_place_ = 0;
    std::unordered_map<std::uint64_t, std::size_t> index_;  // place << 32 | number -> parts
    std::vector<Parts> parts_;
};

}  // namespace

Result<std::vector<Feature>> features_of(const Incident& incident, const Catalogue& catalogue,
                                         const Stop& stop, unsigned num_threads) {
    Builder builder(incident, catalogue);
    for (std::size_t c = 0; c < incident.metrics.num_columns(); ++c) {
        if (c % 1024 == 0) CULPRIT_TRY_STATUS(stop.check());
        builder.add(c);
    }
    return builder.take(stop, num_threads);
}

}  // namespace culprit::tailored
