#include "culprit/tailored/features.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "culprit/base/parallel.h"
#include "culprit/catalogue/metric_words.h"
#include "culprit/catalogue/narrowed.h"
#include "culprit/tailored/evidence.h"
#include "culprit/tailored/idle_clock.h"
#include "culprit/tailored/running_totals.h"

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
    Statistic statistic = Statistic::none;
    bool by_labels = false;  // what it means depends on the series' labels
};

/// What the bits of NVML's clock event reasons say (nvml.h, nvmlClocksEventReason*). An idle GPU
/// (bit 0) lowers its clocks too; that is no event.
std::array<Meaning, 4> clock_event_reasons() {
    return {Meaning{.signal = "gpu.clock_event_reasons", .bits = ~std::uint32_t{1}},
            Meaning{.signal = "gpu.event_power_cap", .bits = 0x4},
            Meaning{.signal = "gpu.event_thermal", .bits = 0x20 | 0x40},
            Meaning{.signal = "gpu.event_power_brake", .bits = 0x80}};
}

/// Namespaces of exporters: an unknown metric in one of them is not read by its words, because what
/// it measures may be only a part ("node_memory_SwapFree_bytes").
bool is_exporters(std::string_view metric) {
    constexpr std::array namespaces = {"container_", "node_",   "kube_",
                                       "process_",   "system_", "k8s."};
    const bool its_suffix = metric.ends_with("_total") || metric.ends_with("_bytes") ||
                            metric.ends_with("_seconds") || metric.ends_with("_bucket") ||
                            metric.ends_with("_sum") || metric.ends_with("_count");
    return its_suffix && std::ranges::any_of(namespaces, [&](std::string_view prefix) {
               return metric.starts_with(prefix);
           });
}

Meaning meaning_of_words(std::string_view metric) {
    if (is_exporters(metric) || !is_readable_metric(metric)) return {};
    NamedByHand named = read_metric_words(metric);
    if (named.signal.empty()) return {};
    Meaning meaning{.signal = std::move(named.signal),
                    .unit = std::move(named.unit),
                    .type = named.type,
                    .statistic = named.statistic};
    if (named.is_rate) meaning.part = "rate";
    if (named.statistic == Statistic::mean) meaning.part = "mean";
    if (named.statistic > Statistic::mean) meaning.part = "quantile";
    return meaning;
}

/// A part, mean or quantile of a histogram of how long requests take, whoever exports it:
/// "kong_request_latency_ms_sum", "sgl_router_request_duration_seconds:p95". A client's own says
/// nothing of who exports it.
Meaning meaning_of_request_time(std::string_view name) {
    constexpr std::array<std::string_view, 5> ends = {"_sum", "_count", "_bucket", ":mean",
                                                      ":rate"};
    constexpr std::array<std::array<std::string_view, 2>, 3> units = {
        {{"_seconds", "s"}, {"_milliseconds", "ms"}, {"_ms", "ms"}}};
    constexpr std::array<std::string_view, 5> times = {"request_duration", "request_latency",
                                                       "request_time", "response_duration",
                                                       "response_time"};
    Meaning meaning{.type = SignalType::histogram, .bad_when_up = true};
    for (const std::string_view end : ends)
        if (meaning.part.empty() && name.ends_with(end)) {
            meaning.part = end.substr(1);
            name.remove_suffix(end.size());
        }
    if (meaning.part.empty()) meaning.statistic = strip_statistic(name);
    if (meaning.statistic == Statistic::mean) meaning.part = "mean";
    if (meaning.statistic > Statistic::mean) meaning.part = "quantile";
    if (meaning.part.empty() || meaning.part == "rate" || name.find("client") != name.npos)
        return {};
    for (const auto& [end, unit] : units) {
        if (!name.ends_with(end)) continue;
        const std::string_view stem = name.substr(0, name.size() - end.size());
        if (std::ranges::none_of(times, [&](auto time) { return stem.ends_with(time); })) return {};
        meaning.signal = "istio_request_duration_milliseconds";
        meaning.unit = unit;
        return meaning;
    }
    return {};
}

Meaning meaning_of(const Catalogue& catalogue, const std::string& metric, const Labels& labels) {
    for (const ShortName& name : short_names)
        if (metric == name.metric) return {.signal = std::string(name.signal)};
    // A collector may already have made numbers of a histogram or a counter: means, rates, the
    // share of prefix hits, quantiles.
    std::string_view name = metric;
    std::string_view made;
    for (const std::string_view suffix : {":mean", ":rate", ":ratio"})
        if (name.ends_with(suffix)) {
            made = suffix.substr(1);
            name.remove_suffix(suffix.size());
        }
    Statistic statistic = made.empty() ? strip_statistic(name) : Statistic::none;
    SeriesMatch match = catalogue.match(name);
    if (match.signal == nullptr && statistic != Statistic::none) {
        name = metric;  // "_max" and the like may belong to the name
        statistic = Statistic::none;
        match = catalogue.match(name);
    }
    const bool by_labels = is_narrowed(match);
    if (by_labels) {
        const SeriesMatch narrowed = match_with_labels(name, labels);
        const bool says_more = narrowed.signal == nullptr || !narrowed.signal->quantity.empty();
        if (says_more) match = narrowed;
    }
    if (match.signal == nullptr) {
        Meaning meaning = by_labels ? Meaning{} : meaning_of_request_time(metric);
        if (meaning.signal.empty() && !by_labels) meaning = meaning_of_words(metric);
        meaning.by_labels = by_labels;
        return meaning;
    }
    Meaning nothing;
    nothing.by_labels = by_labels;
    if (match.signal->type == SignalType::info) return nothing;
    std::string signal =
        match.signal->quantity.empty() ? match.signal->name : match.signal->quantity;
    const bool is_histogram = match.signal->type != SignalType::counter &&
                              match.signal->type != SignalType::gauge &&
                              match.signal->type != SignalType::untyped;
    if (made == "rate" && (is_histogram || !match.part.empty())) return nothing;
    if (made == "ratio") {
        if (signal != "engine.prefix_hits") return nothing;
        return {.signal = "engine.prefix_hit_ratio", .part = "mean", .unit = "1"};
    }
    if (statistic == Statistic::mean) made = "mean";
    if (statistic > Statistic::mean) made = "quantile";
    return {.signal = std::move(signal),
            .part = made.empty() ? std::string(match.part) : std::string(made),
            .unit = match.signal->unit,
            .type = match.signal->type,
            .bad_when_up = match.signal->bad == BadDirection::up,
            .statistic = statistic,
            .by_labels = by_labels};
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

/// Times that an engine adds up in a counter of its own, and what they are the times of.
struct Mean {
    std::string_view name;
    std::string_view time;
    std::string_view count;
    std::string_view unit;
};
constexpr std::array means_of_counters = {
    Mean{"engine.queue_time", "nv_inference_queue_duration_us", "engine.completed", "us"},
    Mean{"engine.decode_time", "nv_inference_compute_infer_duration_us", "engine.completed", "us"},
    Mean{"engine.e2e", "nv_inference_request_duration_us", "engine.completed", "us"},
    Mean{"engine.itl", "llamacpp:tokens_predicted_seconds_total", "engine.generation_tokens", "s"},
    Mean{"engine.prefill_time", "llamacpp:prompt_seconds_total", "engine.prompt_tokens", "s"},
};

/// Of several GPUs of one component the worst tells: they work in step, and one that is held back
/// holds back the others, which then look well.
enum class Worst : std::uint8_t { none, lowest, highest };
Worst worst_of(std::string_view signal) {
    if (signal == "gpu.sm_clock" || signal == "gpu.memory_clock" || signal == "gpu.power_limit")
        return Worst::lowest;
    if (signal == "gpu.temperature" || signal == "gpu.memory_temperature" || signal == "gpu.xid" ||
        signal.starts_with("gpu.event_") || signal == "gpu.clock_event_reasons")
        return Worst::highest;
    return Worst::none;
}

/// The row's most extreme value, each series relative to its usual level (the 20th or 80th
/// percentile, so that a GPU that always idles does not hide one that is held back), at the usual
/// level of all.
std::vector<double> most_extreme(const std::vector<std::vector<double>>& series, Worst worst) {
    const bool lowest = worst == Worst::lowest;
    std::vector<double> out(series.front().size(), nan_value);
    double usual_of_all = 0.0;
    std::vector<std::pair<const std::vector<double>*, double>> used;
    for (const auto& values : series) {
        std::vector<double> known;
        for (const double v : values)
            if (std::isfinite(v)) known.push_back(v);
        if (known.empty()) continue;
        const auto place = static_cast<std::ptrdiff_t>(static_cast<double>(known.size() - 1) *
                                                       (lowest ? 0.8 : 0.2));
        std::nth_element(known.begin(), known.begin() + place, known.end());
        used.emplace_back(&values, known[static_cast<std::size_t>(place)]);
        usual_of_all += used.back().second;
    }
    if (used.empty()) return out;
    usual_of_all /= static_cast<double>(used.size());
    for (std::size_t r = 0; r < out.size(); ++r)
        for (const auto& [values, usual] : used) {
            const double v = (*values)[r];
            if (!std::isfinite(v)) continue;
            const double here = usual_of_all > 0.0 && usual > 0.0 ? v / usual * usual_of_all : v;
            const bool more = lowest ? here < out[r] : here > out[r];
            if (!std::isfinite(out[r]) || more) out[r] = here;
        }
    return out;
}

/// The mean of a histogram of which only the buckets were kept: each bucket at its middle, the last
/// at its lower bound.
void mean_of_buckets(const std::map<double, std::vector<double>>& buckets,
                     std::vector<double>& mean) {
    mean.assign(buckets.begin()->second.size(), nan_value);
    for (std::size_t r = 0; r < mean.size(); ++r) {
        double sum = 0.0;
        double below = 0.0;
        double lower = 0.0;
        for (const auto& [bound, increases_of_bucket] : buckets) {
            const double here = std::max(0.0, increases_of_bucket[r] - below);
            if (std::isfinite(here)) {
                sum += here * (std::isfinite(bound) ? 0.5 * (lower + bound) : lower);
                below += here;
            }
            if (std::isfinite(bound)) lower = bound;
        }
        if (below > 0.0) mean[r] = sum / below;
    }
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
    std::map<double, std::vector<double>> buckets;  // of a histogram: increases by upper bound
    std::string_view level_metric;                  // whose levels are in `level`
    Statistic statistic = Statistic::none;          // of those quantiles, the one that is used
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
        if (fresh) set_meaning(found->second, metric, column.labels);
        if (found->second.by_labels) {
            std::string key = metric;
            for (const auto& [label, value] : column.labels)
                key.append("\n").append(label).append("=").append(value);
            std::tie(found, fresh) = meanings_.try_emplace(key);
            if (fresh) set_meaning(found->second, metric, column.labels);
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
                    choose_statistic(parts_[i]);
                    for (std::size_t k = 0; k < parts_[i].columns.size(); ++k)
                        absorb(parts_[i], *parts_[i].meanings[k], parts_[i].columns[k]);
                    features[i] = finish(i);
                }
            },
            256);
        CULPRIT_TRY_STATUS(stop.check());
        add_counts(features);
        add_ratio(features, "engine.prefix_hit_ratio", "engine.prefix_hits",
                  "engine.prefix_queries");
        for (const char* sent :
             {"container_network_transmit_packets_total", "node_network_transmit_packets_total"})
            add_ratio(features, "link.retransmit_share", "node_netstat_Tcp_RetransSegs", sent);
        for (const Mean& mean : means_of_counters)
            add_ratio(features, mean.name, mean.time, mean.count, mean.unit, FeatureKind::average);
        leave_shares(features);
        add_frontend_residual(features);
        add_kv_full(features);
        add_kv_per_request(features);
        add_repeated_starts(features);
        add_stalled(features);
        hold_clock_while_idle(features);
        name_the_proxy(features);
        return features;
    }

private:
    void set_meaning(Meaning& meaning, const std::string& metric,
                     const std::map<std::string, std::string>& labels) {
        meaning = meaning_of(catalogue_, metric, labels);
        meaning.number = number_of(meaning.signal);
    }

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
        if (parts.statistic != Statistic::none && meaning.statistic != parts.statistic) return;
        if (meaning.part == "bucket") {
            const auto bound = frame_.column(c).labels.find("le");
            if (bound != frame_.column(c).labels.end())
                add_into(parts.buckets[upper_bound_of(bound->second)], increases(values));
        } else if (meaning.bits != 0) {
            add_into(parts.level, any_bit(values, meaning.bits));
            parts.num_levels += 1.0;
        } else if (meaning.part == "sum") {
            add_into(parts.sum, increases(values));
        } else if (meaning.part == "count") {
            add_into(parts.count, increases(values));
        } else if (is_start_time(meaning.signal)) {
            add_into(parts.increase, starts(values));
        } else if (meaning.part == "mean" || meaning.part == "quantile") {
            add_level(parts, c);
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
            add_level(parts, c);
        }
    }

    /// Levels of the same name add up to a mean; another name for the same signal is another view
    /// of it, perhaps in another unit.
    void add_level(Parts& parts, std::size_t c) const {
        const Column& column = frame_.column(c);
        const std::string_view metric = column.metric.empty() ? column.name : column.metric;
        if (parts.level_metric.empty()) parts.level_metric = metric;
        if (parts.level_metric != metric) return;
        add_into(parts.level, frame_.values(c));
        parts.num_levels += 1.0;
    }

    /// Of a mean and quantiles the mean, else the lowest quantile: the higher, the noisier.
    static void choose_statistic(Parts& parts) {
        bool others = false;
        for (const Meaning* meaning : parts.meanings)
            if (meaning->statistic == Statistic::none)
                others = true;
            else if (parts.statistic == Statistic::none || meaning->statistic < parts.statistic)
                parts.statistic = meaning->statistic;
        if (others) parts.statistic = Statistic::none;
        if (!others || parts.meanings.empty()) return;
        // Sums, counts and levels say it without quantiles.
        std::vector<std::size_t> columns;
        std::vector<const Meaning*> meanings;
        for (std::size_t i = 0; i < parts.columns.size(); ++i)
            if (parts.meanings[i]->statistic == Statistic::none) {
                columns.push_back(parts.columns[i]);
                meanings.push_back(parts.meanings[i]);
            }
        parts.columns = std::move(columns);
        parts.meanings = std::move(meanings);
    }

    static double upper_bound_of(const std::string& text) {
        double bound = std::numeric_limits<double>::infinity();
        std::from_chars(text.data(), text.data() + text.size(), bound);
        return bound;
    }

    Feature finish(std::size_t i) {
        Parts& parts = parts_[i];
        Feature feature{.service = *parts.service,
                        .signal = parts.meanings.front()->signal,
                        .unit = parts.meanings.front()->unit,
                        .bad_when_up = parts.meanings.front()->bad_when_up,
                        .columns = std::move(parts.columns)};
        const double step = std::max(1e-9, to_seconds(frame_.step()));
        const Worst worst = feature.columns.size() > 1 ? worst_of(feature.signal) : Worst::none;
        if (worst != Worst::none && parts.increase.empty() && parts.rate.empty()) {
            std::vector<std::vector<double>> series;
            for (const std::size_t c : feature.columns) {
                const auto values = frame_.values(c);
                series.push_back(parts.meanings.front()->bits == 0
                                     ? std::vector<double>(values.begin(), values.end())
                                     : any_bit(values, parts.meanings.front()->bits));
            }
            feature.values = most_extreme(series, worst);
        } else if (!parts.sum.empty() && !parts.count.empty()) {
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
            // Errors per second are few events too, whoever divided them.
            feature.counts_events = family_of_signal(feature.signal) == SignalFamily::errors;
            feature.values = std::move(parts.rate);
        } else if (!parts.level.empty()) {
            if (parts.is_mean) feature.kind = FeatureKind::average;
            feature.values = std::move(parts.level);
            if (parts.num_levels != 1.0)
                for (double& v : feature.values) v /= parts.num_levels;
        } else if (!parts.buckets.empty()) {
            feature.kind = FeatureKind::average;
            mean_of_buckets(parts.buckets, feature.values);
        } else if (parts.sum.empty() && parts.count.empty()) {  // nothing of it could be read
            feature.values.assign(frame_.num_rows(), nan_value);
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
                          std::string_view part, std::string_view whole,
                          std::string_view unit = "1", FeatureKind kind = FeatureKind::ratio) {
        std::map<std::string, std::pair<std::size_t, std::size_t>> found;  // part, whole; + 1
        std::set<std::string> has_it;
        for (std::size_t i = 0; i < features.size(); ++i) {
            if (features[i].signal == name) has_it.insert(features[i].service);
            if (features[i].signal == part) found[features[i].service].first = i + 1;
            if (features[i].signal == whole) found[features[i].service].second = i + 1;
        }
        for (const auto& [service, at] : found) {
            if (at.first == 0 || at.second == 0 || has_it.contains(service)) continue;
            Feature ratio{.service = service,
                          .signal = std::string(name),
                          .unit = std::string(unit),
                          .kind = kind,
                          .columns = features[at.first - 1].columns};
            const auto& above = features[at.first - 1].values;
            const auto& below = features[at.second - 1].values;
            ratio.values.assign(above.size(), nan_value);
            for (std::size_t r = 0; r < above.size(); ++r)
                if (below[r] > 0.0) ratio.values[r] = above[r] / below[r];
            features.push_back(std::move(ratio));
        }
    }

    /// What a histogram per request counts beside its mean, where no counter says it: requests that
    /// ended, tokens read and written.
    void add_counts(std::vector<Feature>& features) const {
        struct Count {
            std::string_view name;
            std::string_view histogram;
            bool of_sum;
            std::string_view unit;
        };
        constexpr std::array counts = {
            Count{"engine.completed", "engine.e2e", false, "{request}"},
            Count{"engine.generation_tokens", "engine.output_length", true, "{token}"},
            Count{"engine.prompt_tokens", "engine.prompt_length", true, "{token}"}};
        const double step = std::max(1e-9, to_seconds(frame_.step()));
        for (const Count& wanted : counts) {
            std::set<std::string> has_it;
            for (const Feature& f : features)
                if (f.signal == wanted.name) has_it.insert(f.service);
            for (std::size_t i = 0; i < parts_.size(); ++i) {
                const auto& values = wanted.of_sum ? parts_[i].sum : parts_[i].count;
                if (parts_[i].meanings.front()->signal != wanted.histogram || values.empty() ||
                    has_it.contains(*parts_[i].service))
                    continue;
                Feature rate{.service = *parts_[i].service,
                             .signal = std::string(wanted.name),
                             .unit = std::string(wanted.unit),
                             .kind = FeatureKind::rate,
                             .counts_events = !wanted.of_sum,
                             .columns = features[i].columns,
                             .values = values};
                for (double& v : rate.values) v /= step;
                features.push_back(std::move(rate));
            }
        }
    }

    /// Where some components are engines and one other counts requests, it stands before them: its
    /// requests are the arrivals, whatever it is called.
    static void name_the_proxy(std::vector<Feature>& features) {
        std::set<std::string> engines;
        std::set<std::string> counting;
        for (const Feature& f : features) {
            if (f.signal.starts_with("engine.") || f.signal.starts_with("gpu."))
                engines.insert(f.service);
            if (f.signal == "proxy.requests") return;
            if (f.signal == "istio_requests_total") counting.insert(f.service);
        }
        std::erase_if(counting, [&](const std::string& name) { return engines.contains(name); });
        if (engines.empty() || counting.size() != 1) return;
        for (Feature& f : features)
            if (f.signal == "istio_requests_total" && f.service == *counting.begin())
                f.signal = "proxy.requests";
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
        std::set<std::string> has_it;
        for (std::size_t i = 0; i < num_features; ++i)
            if (features[i].signal == "engine.kv_full") has_it.insert(features[i].service);
        for (std::size_t i = 0; i < num_features; ++i) {
            if (features[i].signal != "engine.kv_usage" || has_it.contains(features[i].service))
                continue;
            Feature f = features[i];
            f.signal = "engine.kv_full";
            const double whole = f.unit == "%" ? 100.0 : 1.0;
            f.unit = std::string("1");  // a literal draws a false -Wrestrict from gcc 12
            for (double& v : f.values)
                if (std::isfinite(v)) v = v >= full * whole ? 1.0 : 0.0;
            features.push_back(std::move(f));
        }
    }

    /// KV cache in use for each request in the batch: it grows where the cache shrank or the
    /// requests did, not where more of them stay longer.
    static void add_kv_per_request(std::vector<Feature>& features) {
        const std::size_t num_features = features.size();
        features.reserve(2 * num_features);  // the names that follow stay where they are
        std::map<std::string_view, std::size_t> running;
        std::set<std::string_view> has_it;
        for (std::size_t i = 0; i < num_features; ++i) {
            if (features[i].signal == "engine.running") running[features[i].service] = i;
            if (features[i].signal == "engine.kv_per_request") has_it.insert(features[i].service);
        }
        for (std::size_t i = 0; i < num_features; ++i) {
            const auto batch = running.find(features[i].service);
            if (features[i].signal != "engine.kv_usage" || batch == running.end() ||
                has_it.contains(features[i].service))
                continue;
            Feature f = features[i];
            f.signal = "engine.kv_per_request";
            const std::vector<double>& requests = features[batch->second].values;
            for (std::size_t r = 0; r < f.values.size(); ++r)
                f.values[r] /= std::max(1.0, requests[r]);
            features.push_back(std::move(f));
        }
    }

    /// Whether requests are in an engine, or wait for it, and it makes no token.
    static void add_stalled(std::vector<Feature>& features) {
        std::map<std::string_view, std::vector<const Feature*>> in_work;
        for (const Feature& f : features) {
            if (f.signal == "engine.stalled") return;
            if (f.signal == "engine.running" || f.signal == "engine.waiting" ||
                f.signal == "ray_serve_num_ongoing_requests_at_replicas")
                in_work[f.service].push_back(&f);
        }
        std::vector<Feature> added;
        for (const Feature& tokens : features) {
            const auto requests = in_work.find(tokens.service);
            if (tokens.signal != "engine.generation_tokens" || tokens.kind != FeatureKind::rate ||
                requests == in_work.end())
                continue;
            Feature f = tokens;
            f.signal = "engine.stalled";
            f.unit = std::string("1");
            f.kind = FeatureKind::level;
            f.counts_events = false;
            for (std::size_t r = 0; r < f.values.size(); ++r) {
                const bool waits = std::ranges::any_of(
                    requests->second, [&](const Feature* q) { return q->values[r] > 0.0; });
                if (std::isfinite(f.values[r])) f.values[r] = waits && f.values[r] <= 0.0 ? 1 : 0;
            }
            added.push_back(std::move(f));
        }
        std::ranges::move(added, std::back_inserter(features));
    }

    /// Whether a component has begun again at least twice: a crash that repeats itself. Counters
    /// and times of starts tell the same starts, so that the largest number counts.
    static void add_repeated_starts(std::vector<Feature>& features) {
        std::map<std::string_view, std::vector<const Feature*>> starts;
        if (std::ranges::any_of(
                features, [](const Feature& f) { return f.signal == "replica.repeated_starts"; }))
            return;
        for (const Feature& f : features)
            if (f.kind == FeatureKind::rate && f.counts_events && tells_starts(f.signal))
                starts[f.service].push_back(&f);
        std::vector<Feature> added;
        for (const auto& [service, told] : starts) {
            Feature f = *told.front();
            f.signal = "replica.repeated_starts";
            f.unit = std::string("1");
            f.kind = FeatureKind::level;
            f.counts_events = false;
            f.columns.clear();
            for (const Feature* other : told)
                f.columns.insert(f.columns.end(), other->columns.begin(), other->columns.end());
            std::vector<std::size_t> begun(told.size(), 0);
            for (std::size_t r = 0; r < f.values.size(); ++r) {
                std::size_t most = 0;
                for (std::size_t k = 0; k < told.size(); ++k) {
                    const bool before = r > 0 && told[k]->values[r - 1] > 0.0;  // smoothed
                    begun[k] += told[k]->values[r] > 0.0 && !before ? 1 : 0;
                    most = std::max(most, begun[k]);
                }
                f.values[r] = most >= 2 ? 1.0 : 0.0;
            }
            added.push_back(std::move(f));
        }
        std::ranges::move(added, std::back_inserter(features));
    }

    static bool tells_starts(std::string_view signal) {
        return signal == "kube_pod_container_status_restarts_total" ||
               signal == "ray_serve_deployment_replica_starts_total" ||
               signal == "container_start_time_seconds" || signal == "process_start_time_seconds";
    }

    /// Time to first token that neither the queue nor prefill accounts for: tokenizer, API server.
    /// The three are means over different requests, so that a quarter of queue and prefill more or
    /// less is no residual.
    static void add_frontend_residual(std::vector<Feature>& features) {
        std::map<std::string, std::array<std::size_t, 3>> found;  // ttft, queue, prefill; + 1
        std::set<std::string> has_it;
        for (std::size_t i = 0; i < features.size(); ++i) {
            if (features[i].signal == "engine.frontend_residual")
                has_it.insert(features[i].service);
            if (features[i].kind != FeatureKind::average) continue;
            if (features[i].signal == "engine.ttft") found[features[i].service][0] = i + 1;
            if (features[i].signal == "engine.queue_time") found[features[i].service][1] = i + 1;
            if (features[i].signal == "engine.prefill_time") found[features[i].service][2] = i + 1;
        }
        for (const auto& [service, at] : found) {
            if (at[0] == 0 || at[1] == 0 || at[2] == 0 || has_it.contains(service)) continue;
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

bool is_named_front(std::string_view service) {
    constexpr std::array<std::string_view, 16> fronts = {
        "nginx", "haproxy", "traefik", "envoy",   "caddy",  "kong",         "apisix",   "litellm",
        "proxy", "gateway", "gw",      "ingress", "router", "loadbalancer", "balancer", "lb"};
    std::string name(service);
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (std::size_t begin = 0; begin < name.size();) {
        const std::size_t end = std::min(name.find_first_of("-_.:/ ", begin), name.size());
        std::string_view word = std::string_view(name).substr(begin, end - begin);
        while (!word.empty() && word.back() >= '0' && word.back() <= '9') word.remove_suffix(1);
        if (std::ranges::find(fronts, word) != fronts.end()) return true;
        begin = end + 1;
    }
    return false;
}

bool is_of_inference(std::string_view signal) {
    constexpr std::array<std::string_view, 10> anywhere = {
        "engine.waiting",       "engine.running",   "engine.queue_time", "engine.e2e",
        "engine.completed",     "engine.aborted",   "engine.batch",      "engine.client_residual",
        "engine.path_residual", "engine.path_floor"};
    return signal.starts_with("engine.") && std::ranges::find(anywhere, signal) == anywhere.end();
}

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
