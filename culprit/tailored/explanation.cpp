#include "culprit/tailored/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "culprit/base/cut.h"

namespace culprit::tailored {
namespace {

constexpr double moved_deviations = 2.5;
constexpr double still_deviations = 1.0;
constexpr std::size_t chain_max = 6;
constexpr std::size_t against_max = 4;
constexpr std::size_t line_shown_max = 100;  // bytes of a log line
constexpr double probability_min = 0.005;

const ExpectedSignal* expected_in(const FaultSignature* fault, const std::string& signal) {
    if (fault == nullptr) return nullptr;
    const auto found = std::ranges::find(fault->signals, signal, &ExpectedSignal::signal);
    return found == fault->signals.end() ? nullptr : &*found;
}

/// "engine.inter_token" style ids read better without dots and prefixes.
std::string signal_text(const std::string& signal) {
    static const std::unordered_map<std::string, std::string> known = {
        {"engine.itl", "inter-token latency"},
        {"engine.ttft", "time to first token"},
        {"engine.e2e", "request latency"},
        {"engine.running", "running requests"},
        {"engine.waiting", "waiting requests"},
        {"engine.kv_usage", "KV cache use"},
        {"engine.kv_full", "KV cache full"},
        {"engine.preemptions", "preemptions"},
        {"engine.generation_tokens", "generated tokens"},
        {"engine.prompt_tokens", "prompt tokens"},
        {"engine.prompt_length", "prompt length"},
        {"engine.output_length", "output length"},
        {"engine.prefix_hit_ratio", "prefix cache hits"},
        {"engine.queue_time", "queue time"},
        {"engine.prefill_time", "prefill time"},
        {"engine.frontend_residual", "time before the queue (tokenizer, API server)"},
        {"engine.tokenize_time", "time in the tokenizer"},
        {"engine.decode_time", "decode time"},
        {"engine.completed", "requests completed"},
        {"engine.aborted", "requests aborted"},
        {"engine.iteration_tokens", "tokens per step"},
        {"engine.path_residual", "time on the way (outside the engine)"},
        {"engine.path_floor", "time on the way, fastest of eight requests"},
        {"log.lines", "log lines"},
        {"DCGM_FI_DEV_POWER_VIOLATION", "held by the power limit"},
        {"DCGM_FI_DEV_THERMAL_VIOLATION", "held back by heat"},
        {"engine.client_residual", "time between client and engine"},
        {"engine.prefix_hits", "tokens found in the prefix cache"},
        {"engine.prefix_queries", "tokens looked up in the prefix cache"},
        {"link.retransmit_share", "share of segments sent again"},
        {"node_netstat_Tcp_RetransSegs", "TCP segments sent again"},
        {"istio_request_duration_milliseconds", "request latency seen by callers"},
        {"container_cpu_usage_seconds_total", "CPU used, cores"},
        {"container_cpu_cfs_throttled_seconds_total", "CPU throttled"},
        {"container_memory_working_set_bytes", "memory (working set)"},
        {"container_memory_rss", "memory (RSS)"},
        {"container_oom_events_total", "out-of-memory kills"},
        {"container_network_transmit_packets_total", "packets sent"},
        {"container_network_receive_packets_total", "packets received"},
        {"container_network_transmit_bytes_total", "network sent"},
        {"container_network_receive_bytes_total", "network received"},
        {"container_start_time_seconds", "container starts"},
        {"container_processes", "processes"},
        {"node_cpu_seconds_total", "CPU of the node"},
        {"node_network_transmit_packets_total", "packets sent by the node"},
        {"ray_node_mem_used", "memory of the node"},
        {"ray_serve_num_ongoing_requests_at_replicas", "requests at the replica"},
        {"nginx_connections_active", "open connections at the proxy"},
        {"scrape_duration_seconds", "time to scrape it"},
        {"gpu.event_power_cap", "clock held by the power cap"},
        {"gpu.event_thermal", "clock held by heat"},
        {"gpu.event_power_brake", "clock held by the power brake"},
        {"gpu.clock_event_reasons", "clock held by some reason"},
        {"gpu.sm_clock", "SM clock"},
        {"gpu.power", "GPU power"},
        {"gpu.power_limit", "GPU power limit"},
        {"gpu.temperature", "GPU temperature"},
        {"gpu.utilization", "GPU utilisation"},
        {"gpu.memory_used", "GPU memory"},
        {"gpu.dram_active", "GPU memory activity"},
        {"proxy.requests", "requests at the proxy"}};
    const auto found = known.find(signal);
    return found == known.end() ? signal : found->second;
}

std::string unit_of(const Feature& feature) {
    if (feature.kind == FeatureKind::ratio) return "1";
    if (feature.kind != FeatureKind::rate) return feature.unit;
    if (feature.unit == "s") return "";  // seconds per second: a number of cores or a share
    return feature.unit.empty() ? "/s" : feature.unit + "/s";
}

FindingStep step_of(const Observation& o, const Observations& seen) {
    const Feature& feature = seen.features[o.feature];
    const std::string unit = unit_of(feature);
    FindingStep step{.when = o.onset, .uncertainty = o.onset_uncertainty};
    if (o.vanished) {
        step.text = fmt::format("{} stopped being reported", signal_text(feature.signal));
        return step;
    }
    step.text = fmt::format("{} {} -> {}", signal_text(feature.signal),
                            quantity_text(o.baseline, unit), quantity_text(o.suspect, unit));
    if (std::isfinite(o.siblings_now))
        step.text += fmt::format(", siblings {}", quantity_text(o.siblings_now, unit));
    return step;
}

bool as_expected(const Observation& o, const ExpectedSignal& expected) {
    switch (expected.direction) {
        case Direction::up:
            return o.relative >= moved_deviations;
        case Direction::surge:
            return o.relative >= moved_deviations && o.extreme > 0.5;
        case Direction::down:
            return o.relative <= -moved_deviations;
        case Direction::gone:
            return o.relative <= -moved_deviations && o.extreme > 0.5;
        case Direction::flat:
            break;
    }
    return std::abs(o.relative) <= still_deviations;
}

std::vector<FindingStep> chain_of(const Hypothesis& h, const Observations& seen) {
    const auto found = seen.of.find(h.seen_at);
    if (found == seen.of.end()) return {};
    std::vector<std::pair<double, const Observation*>> moved;
    for (const Observation& o : found->second) {
        const ExpectedSignal* expected = expected_in(h.fault, seen.features[o.feature].signal);
        if (h.fault != nullptr && (expected == nullptr || expected->direction == Direction::flat ||
                                   !as_expected(o, *expected)))
            continue;
        if (std::abs(o.relative) < moved_deviations) continue;
        const double weight = expected == nullptr ? 1.0 : expected->weight;
        moved.emplace_back(weight * std::log1p(std::abs(o.relative)), &o);
    }
    std::ranges::stable_sort(moved, [](const auto& a, const auto& b) { return a.first > b.first; });
    if (moved.size() > chain_max) moved.resize(chain_max);
    std::vector<FindingStep> chain;
    chain.reserve(moved.size());
    for (const auto& [weight, o] : moved) chain.push_back(step_of(*o, seen));
    std::ranges::stable_sort(chain, {}, &FindingStep::when);
    if (!chain.empty()) chain.front().remark = "first to move";
    return chain;
}

/// For faults of the service as a whole: what moved at the siblings' median or at the edge.
std::vector<FindingStep> wide_chain(const Hypothesis& h, const Observations& seen) {
    std::vector<std::pair<double, FindingStep>> moved;
    std::set<std::string> told;
    for (const auto& [service, observations] : seen.of)
        for (const Observation& o : observations) {
            const std::string& signal = seen.features[o.feature].signal;
            const ExpectedSignal* expected = expected_in(h.fault, signal);
            if (expected == nullptr || expected->direction == Direction::flat) continue;
            const double sign = is_upwards(expected->direction) ? 1.0 : -1.0;
            if (o.own * sign < moved_deviations || !told.insert(signal).second) continue;
            FindingStep step = step_of(o, seen);
            step.text = fmt::format("{}: {}", service, step.text);
            moved.emplace_back(expected->weight * std::log1p(std::abs(o.own)), std::move(step));
        }
    std::ranges::stable_sort(moved, [](const auto& a, const auto& b) { return a.first > b.first; });
    if (moved.size() > chain_max) moved.resize(chain_max);
    std::vector<FindingStep> chain;
    chain.reserve(moved.size());
    for (auto& [weight, step] : moved) chain.push_back(std::move(step));
    std::ranges::stable_sort(chain, {}, &FindingStep::when);
    if (!chain.empty()) chain.front().remark = "first to move";
    return chain;
}

std::vector<std::string> against(const Hypothesis& h, const Observations& seen) {
    std::vector<std::pair<int, std::string>> reasons;
    const auto found = seen.of.find(h.seen_at);
    if (found == seen.of.end() || h.fault == nullptr) return {};
    for (const Observation& o : found->second) {
        const Feature& feature = seen.features[o.feature];
        const ExpectedSignal* expected = expected_in(h.fault, feature.signal);
        if (expected == nullptr || expected->weight < 2) continue;
        const bool moved = std::abs(o.relative) >= moved_deviations;
        const std::string what = fmt::format("{} {} -> {}", signal_text(feature.signal),
                                             quantity_text(o.baseline, unit_of(feature)),
                                             quantity_text(o.suspect, unit_of(feature)));
        if (expected->direction == Direction::flat && moved)
            reasons.emplace_back(expected->weight, what + ", expected to stay");
        else if (expected->direction != Direction::flat && moved && !as_expected(o, *expected))
            reasons.emplace_back(expected->weight + 1,
                                 what + (is_upwards(expected->direction) == (o.relative > 0.0)
                                             ? ", expected to move further"
                                             : ", expected the other way"));
        else if (expected->direction != Direction::flat && expected->weight >= 3 &&
                 std::abs(o.relative) <= still_deviations)
            reasons.emplace_back(expected->weight,
                                 fmt::format("{} unchanged at {}", signal_text(feature.signal),
                                             quantity_text(o.suspect, unit_of(feature))));
    }
    std::ranges::stable_sort(reasons,
                             [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::string> out;
    for (const auto& [weight, text] : reasons)
        if (out.size() < against_max) out.push_back(text);
    return out;
}

void add_log_steps(std::vector<FindingStep>& chain, const Hypothesis& h, const LogMatches& logs) {
    const auto found = logs.find(h.seen_at.empty() ? h.component : h.seen_at);
    if (h.fault == nullptr || found == logs.end()) return;
    std::set<std::string_view> told;  // one line may match two patterns
    for (const LogPattern& pattern : h.fault->logs) {
        const auto match = found->second.find(&pattern);
        if (match == found->second.end() || !match->second.is_news() ||
            !told.insert(match->second.example).second)
            continue;
        chain.push_back(
            {.when = match->second.first,
             .text = fmt::format("log \"{}\"", cut(match->second.example, line_shown_max)),
             .remark = fmt::format("{:.0f} lines, {:.0f} before", match->second.after,
                                   match->second.before)});
    }
    std::ranges::stable_sort(chain, {}, &FindingStep::when);
}

std::string filled_in(std::string command, const std::string& component) {
    for (const char* word : {"POD", "NAME"})
        for (auto at = command.find(word); at != std::string::npos && !component.empty();
             at = command.find(word, at + component.size()))
            command.replace(at, std::string(word).size(), component);
    return command;
}

std::string beside_text(const Hypothesis& h) {
    if (!h.along.empty()) return fmt::format("{} is broken as well", h.along);
    if (h.beside == nullptr) return {};
    return fmt::format("the load changed as well ({})", h.beside->name);
}

/// Sources may make a ratio of two counters and not give these.
bool shows(const Feature& feature, const std::string& signal) {
    return feature.signal == signal ||
           (feature.signal == "engine.prefix_hit_ratio" && signal == "engine.prefix_hits");
}

}  // namespace

std::string quantity_text(double value, const std::string& unit) {
    struct Prefix {
        double from;
        double divide;
        const char* text;
    };
    const auto number = [](double v) {
        if (v == 0.0) return std::string("0");
        const double size = std::abs(v);
        if (size >= 1000.0) return fmt::format("{:.0f}", v);
        return fmt::format("{:.3g}", v);
    };
    if (unit == "s") {
        const double size = std::abs(value);
        if (size > 0.0 && size < 1e-3) return number(value * 1e6) + " us";
        if (size > 0.0 && size < 1.0) return number(value * 1e3) + " ms";
        return number(value) + " s";
    }
    if (unit == "Hz" && std::abs(value) >= 1e6) return number(value * 1e-6) + " MHz";
    if (unit == "By" || unit == "By/s") {
        static constexpr Prefix prefixes[] = {
            {1e12, 1e12, " TB"}, {1e9, 1e9, " GB"}, {1e6, 1e6, " MB"}, {1e3, 1e3, " kB"}};
        for (const Prefix& p : prefixes)
            if (std::abs(value) >= p.from)
                return number(value / p.divide) + p.text + unit.substr(2);
        return number(value) + " B" + unit.substr(2);
    }
    if (unit == "1" && std::abs(value) <= 1.0) return number(value * 100.0) + " %";
    if (unit == "ns/s") return number(value * 1e-7) + " % of the time";
    if (unit == "Cel") return number(value) + " C";
    if (unit.empty() || unit == "1" || unit.starts_with("{") || unit.starts_with("1{"))
        return number(value) + (unit.ends_with("/s") ? "/s" : "");
    return number(value) + (unit.starts_with("/") ? "" : " ") + unit;
}

std::vector<Finding> explain(const std::vector<Hypothesis>& hypotheses, const Observations& seen,
                             const LogMatches& logs, std::size_t count) {
    std::vector<Finding> findings;
    for (const Hypothesis& h : hypotheses) {
        if (findings.size() == count) break;
        if (h.probability < probability_min && !findings.empty()) break;
        Finding finding{
            .component = h.component, .probability = h.probability, .beside = beside_text(h)};
        if (h.kind == HypothesisKind::nothing) {
            finding.fault = "nothing";
            finding.name = "nothing is wrong";
        } else if (h.kind == HypothesisKind::unknown) {
            finding.fault = "unknown";
            finding.name = "none of the known faults";
            finding.chain = chain_of(h, seen);
        } else {
            finding.fault = h.fault->id;
            finding.name = h.fault->name;
            finding.layer = h.fault->layer;
            finding.chain = h.seen_at.empty() ? wide_chain(h, seen) : chain_of(h, seen);
            add_log_steps(finding.chain, h, logs);
            finding.against = against(h, seen);
            for (const Remedy& remedy : h.fault->remedies)
                finding.advice.push_back({remedy.action, filled_in(remedy.command, h.component)});
        }
        findings.push_back(std::move(finding));
    }
    return findings;
}

std::vector<std::string> blind_spots(const std::vector<Hypothesis>& hypotheses,
                                     const Observations& seen, const Catalogue& catalogue) {
    std::vector<std::string> missing;
    std::set<std::string> told;
    for (std::size_t i = 0; i < std::min<std::size_t>(3, hypotheses.size()); ++i) {
        const Hypothesis& h = hypotheses[i];
        if (h.fault == nullptr || h.probability < 0.02) continue;
        for (const DecidingSignal& deciding : h.fault->decided_by) {
            bool present = false;
            for (const Feature& f : seen.features)
                present = present || (shows(f, deciding.signal) &&
                                      (h.seen_at.empty() || f.service == h.seen_at));
            if (present || !told.insert(deciding.signal).second) continue;
            const Signal* signal = catalogue.find(deciding.signal);
            for (const Signal& s : catalogue.signals())
                if (signal == nullptr && s.quantity == deciding.signal) signal = &s;
            if (signal != nullptr && signal->modality != Modality::metric) continue;
            std::string text = fmt::format("{} is not collected; it would show {}",
                                           signal ? signal->name : deciding.signal, deciding.tells);
            if (signal != nullptr && !signal->enable.empty())
                text += fmt::format(" (to export it: {})", signal->enable);
            missing.push_back(std::move(text));
        }
    }
    return missing;
}

}  // namespace culprit::tailored
