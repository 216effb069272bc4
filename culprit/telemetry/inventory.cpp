#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "culprit/frame/span_series.h"
#include "culprit/telemetry/assess.h"

namespace culprit {
namespace {

// The prepared layout's own names for what the study collected.
struct StudyName {
    std::string_view metric;
    std::string_view signal;
};
constexpr std::array<StudyName, 9> study_names = {{
    {"ctn_cpu", "container_cpu_usage_seconds_total"},
    {"ctn_network", "container_network_transmit_packets_total"},
    {"ctn_memory", "container_memory_working_set_bytes"},
    {"ctn_gpu", "ray_node_gpus_utilization"},
    {"node_cpu", "node_cpu_seconds_total"},
    {"node_network", "node_network_transmit_packets_total"},
    {"node_memory", "node_memory_MemAvailable_bytes"},
    {"latency-90", "istio_request_duration_milliseconds"},
    {"latency-50", "istio_request_duration_milliseconds"},
}};

std::string signal_of(const Column& column, const Catalogue& catalogue) {
    if (const auto label = column.labels.find("signal"); label != column.labels.end())
        return label->second;
    for (const StudyName& known : study_names)
        if (column.metric == known.metric) return std::string(known.signal);
    const std::string metric = column.metric.substr(0, column.metric.rfind(":p"));
    const SeriesMatch match = catalogue.match(metric);
    return match.signal != nullptr ? match.signal->name : std::string{};
}

struct Timing {
    double interval_seconds = 0.0;
    double silent_seconds = 0.0;  // between the last value and the end of the frame
};

Timing timing_of(const Frame& frame, std::size_t c) {
    std::vector<double> distances;
    std::optional<TimePoint> last;
    const auto values = frame.values(c);
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) continue;
        if (last) distances.push_back(to_seconds(frame.times()[i] - *last));
        last = frame.times()[i];
    }
    Timing timing;
    if (!last) return timing;
    timing.silent_seconds = to_seconds(frame.times().back() - *last);
    if (distances.empty()) return timing;
    const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
    std::ranges::nth_element(distances, middle);
    timing.interval_seconds = *middle;
    return timing;
}

// Labels without which a series cannot be laid at a component's door.
std::string missing_label(const Signal& signal, const Column& column) {
    const auto has = [&](std::initializer_list<const char*> labels) {
        return std::ranges::any_of(
            labels, [&](const char* label) { return column.labels.contains(label); });
    };
    if (column.labels.empty()) return {};  // a layout without labels names its service instead
    if (signal.entity == EntityKind::gpu && !has({"gpu_uuid", "pci_bus_id"})) return "GPU UUID";
    if (signal.entity == EntityKind::gpu && !has({"pod"})) return "pod";
    if (signal.entity == EntityKind::container && !has({"pod"})) return "pod";
    if (signal.entity == EntityKind::engine && signal.component == "vllm" && !has({"model"}))
        return "model name";
    return {};
}

// Failed requests, by the metric's meaning or by the status in a label ("5xx", "503").
bool counts_failed_requests(const Signal& signal, const Column& column) {
    if (signal.name == "ray_serve_num_http_error_requests_total" ||
        signal.name == "ray_serve_deployment_error_counter_total")
        return true;
    return std::ranges::any_of(
        std::array{"status", "code", "response_code", "status_code", "error_code"},
        [&](const char* label) {
            const auto found = column.labels.find(label);
            return found != column.labels.end() && found->second.starts_with('5');
        });
}

void take_columns(const Frame& frame, const Catalogue& catalogue, const AssessOptions& options,
                  Inventory& inventory) {
    struct Sum {
        std::vector<double> intervals;
        double least_silent_seconds = HUGE_VAL;
        std::map<std::string, std::uint64_t> missing;
    };
    std::map<std::string, Sum> sums;
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const Column& column = frame.column(c);
        const std::string name = signal_of(column, catalogue);
        const Signal* signal = name.empty() ? nullptr : catalogue.find(name);
        if (signal == nullptr) {
            ++inventory.num_generic_series;
            continue;
        }
        const Timing timing = timing_of(frame, c);
        inventory.counts_errors =
            inventory.counts_errors ||
            (counts_failed_requests(*signal, column) &&
             std::ranges::any_of(frame.values(c), [](double value) { return value > 0; }));
        SeenSignal& seen = inventory.signals[signal->name];
        Sum& sum = sums[signal->name];
        ++seen.num_series;
        if (timing.interval_seconds > 0) sum.intervals.push_back(timing.interval_seconds);
        sum.least_silent_seconds = std::min(sum.least_silent_seconds, timing.silent_seconds);
        if (const auto label = missing_label(*signal, column); !label.empty()) ++sum.missing[label];
    }
    for (auto& [name, sum] : sums) {
        SeenSignal& seen = inventory.signals[name];
        seen.visibility = Visibility::present;
        if (!sum.intervals.empty()) {
            std::ranges::sort(sum.intervals);
            seen.interval_seconds = sum.intervals[sum.intervals.size() / 2];
        }
        // Event-driven histograms are silent while nothing happens, hence the generous factor.
        const double stale_seconds = std::max(300.0, 10 * seen.interval_seconds);
        if (sum.least_silent_seconds > stale_seconds)
            seen.defects.push_back(fmt::format("stale for {:.0f} s", sum.least_silent_seconds));
        // At least four values inside the shortest fault, or its onset and shape cannot be seen.
        if (seen.interval_seconds > options.fault_seconds / 4)
            seen.defects.push_back(fmt::format("every {:.0f} s: hides a fault of {:.0f} s",
                                               seen.interval_seconds, options.fault_seconds));
        for (const auto& [label, count] : sum.missing)
            if (count == seen.num_series)
                seen.defects.push_back(fmt::format("no series has a label for the {}", label));
        if (!seen.defects.empty()) seen.visibility = Visibility::impaired;
    }
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::ranges::any_of(
        words, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

void take_logs(const LogTable* logs, Inventory& inventory) {
    if (logs == nullptr) return;
    inventory.num_log_sources = logs->sources.size();
    for (std::uint32_t s = 0; s < logs->sources.size(); ++s)
        if (contains_any(logs->sources[s], {"kernel", "journal", "dmesg", "syslog", "kmsg"}))
            inventory.has_system_log = true;
    for (std::size_t i = 0; i < logs->size() && !inventory.logs_name_models; ++i)
        inventory.logs_name_models =
            contains_any(logs->message(i), {"model=", "model_name", "GPU-", "gpu_uuid", "0000:"});
    if (!inventory.logs_name_models)
        inventory.defects.emplace_back(
            "no log line names its model or GPU: a line can be laid at "
            "a pod's door only");
}

void take_spans(const SpanTable* spans, Inventory& inventory) {
    if (spans == nullptr) return;
    std::set<std::uint32_t> services;
    const SpanFailure failed(*spans);
    const std::vector<std::uint32_t> parents = parents_of(*spans);
    std::uint64_t num_errors = 0;
    for (std::size_t i = 0; i < spans->size(); ++i) {
        services.insert(spans->service[i]);
        if (failed(spans->status[i])) ++num_errors;
        if (parents[i] == SpanTimes::no_parent) continue;
        (spans->service[parents[i]] == spans->service[i] ? inventory.has_inner_spans
                                                         : inventory.has_propagation) = true;
    }
    inventory.num_span_services = services.size();
    for (std::uint32_t o = 0; o < spans->operations.size(); ++o) {
        const std::string_view operation = spans->operations[o];
        if (operation == "llm_request")
            inventory.signals["span:llm_request"].visibility = Visibility::present;
        if (operation.starts_with("chat ") || operation.starts_with("text_completion "))
            inventory.signals["span:gen_ai"].visibility = Visibility::present;
    }
    SeenSignal& http = inventory.signals["span:http_server"];
    http.visibility = Visibility::present;
    http.num_series = services.size();
    if (!inventory.has_inner_spans)
        http.defects.emplace_back("no span inside a service: queue, prefill and decode are one");
    if (!inventory.has_propagation && services.size() > 1)
        http.defects.emplace_back("no context is passed on between services: no call graph");
    if (!http.defects.empty()) http.visibility = Visibility::impaired;
    if (inventory.has_propagation)
        inventory.signals["span:path_floor"].visibility = Visibility::present;
    if (inventory.counts_errors && num_errors == 0)
        inventory.defects.push_back(fmt::format(
            "metrics count failed requests, none of {} spans failed: sampling drops errors",
            spans->size()));
}

}  // namespace

Inventory take_inventory(const Case& observed, const AssessOptions& options) {
    const Catalogue& catalogue = Catalogue::builtin();
    const Incident& incident = observed.incident;
    Inventory inventory;
    take_columns(incident.metrics, catalogue, options, inventory);
    for (const std::string& name : options.seen_names)
        if (const Signal* signal = catalogue.match(name).signal;
            signal != nullptr && signal->type == SignalType::info)
            inventory.signals[signal->name].visibility = Visibility::present;
    // What a source did not give must not pass for what it does not have.
    for (const DataProblem& problem : observed.problems)
        inventory.defects.push_back(problem.place + ": " + problem.message);
    take_logs(incident.logs.get(), inventory);
    take_spans(incident.spans.get(), inventory);
    for (const Signal& signal : catalogue.signals()) {
        if (signal.modality != Modality::log || inventory.num_log_sources == 0) continue;
        const bool from_system = signal.component == "kernel" ||
                                 signal.component == "nvidia-driver" ||
                                 signal.component == "container-runtime";
        if (!from_system || inventory.has_system_log)
            inventory.signals[signal.name].visibility = Visibility::present;
    }
    for (const ChangeEvent& change : incident.changes)
        inventory.has_kubernetes = inventory.has_kubernetes || change.kind.starts_with("event ");
    for (const auto& [name, seen] : inventory.signals)
        inventory.has_kubernetes =
            inventory.has_kubernetes || name.starts_with("kube_") || name.starts_with("container_");
    inventory.has_changes = !incident.changes.empty() ||
                            inventory.signals.contains("kube_pod_container_info") ||
                            inventory.signals.contains("vllm:cache_config_info");
    return inventory;
}

}  // namespace culprit
