#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "culprit/tailored/explanation.h"
#include "culprit/tailored/signal_text.h"

namespace culprit::tailored {
namespace {

constexpr double kv_usage_max = 0.9;  // beyond it engines begin to throw requests out

constexpr double kv_usage_told_min = 0.01;

/// Faults that sit in one replica or under it; draining another component helps nobody.
bool sits_in_a_replica(const std::string& component) {
    static constexpr std::array<std::string_view, 9> kinds = {
        "gpu", "host", "container", "engine", "replica", "link", "node", "pod", "deployment"};
    return std::ranges::find(kinds, component) != kinds.end();
}

/// What the siblings did so far; NaN: not known.
struct Siblings {
    double completed = std::nan("");  // requests per second of one of them, before
    double kv_usage = std::nan("");   // the fullest cache of one of them, before
    double running_max = std::nan("");
    double waiting = std::nan("");  // the longest queue of one of them, now
};

Siblings siblings_of(const std::vector<std::string>& services, const Observations& seen) {
    Siblings siblings;
    double sum = 0.0;
    double count = 0.0;
    for (const std::string& service : services)
        for (const Observation& o : seen.of.at(service)) {
            const Feature& f = seen.features[o.feature];
            if (o.vanished) continue;
            if (f.signal == "engine.completed") {
                sum += o.baseline;
                count += 1.0;
            } else if (f.signal == "engine.kv_usage") {
                siblings.kv_usage = std::fmax(siblings.kv_usage, o.baseline);
            } else if (f.signal == "engine.waiting") {
                siblings.waiting = std::fmax(siblings.waiting, o.suspect);
            } else if (f.signal == "engine.running") {
                for (const double v : f.values)
                    if (std::isfinite(v)) siblings.running_max = std::fmax(siblings.running_max, v);
            }
        }
    if (count > 0.0) siblings.completed = sum / count;
    return siblings;
}

/// The proxy in front of the component whose upstreams are a list in a file, if there is one.
std::string nginx_before(const std::string& component, const Weighed& weighed) {
    if (!weighed.incident.topology) return {};
    for (const TopologyEdge& edge : weighed.incident.topology->edges) {
        if (edge.kind != EdgeKind::calls || edge.to != component) continue;
        const auto caller = weighed.seen.of.find(edge.from);
        if (caller == weighed.seen.of.end()) continue;
        for (const Observation& o : caller->second)
            for (const std::size_t c : weighed.seen.features[o.feature].columns)
                if (weighed.incident.metrics.column(c).metric.starts_with("nginx_"))
                    return edge.from;
    }
    return {};
}

Advice drain(const std::string& component, std::vector<std::string> others,
             const Weighed& weighed) {
    std::erase(others, component);
    const auto n = static_cast<double>(others.size());
    const double factor = (n + 1.0) / n;
    const Siblings siblings = siblings_of(others, weighed.seen);
    const double kv_usage = factor * siblings.kv_usage;
    std::string text = fmt::format("Drain {}: each of the other {} takes {:.2g} times its load",
                                   component, others.size(), factor);
    if (std::isfinite(siblings.completed))
        text += fmt::format(", {:.2g} -> {:.2g} requests/s", siblings.completed,
                            factor * siblings.completed);
    if (siblings.kv_usage >= kv_usage_told_min)
        text += fmt::format("; KV cache {}", change_text(siblings.kv_usage, kv_usage, "1"));
    if (std::isfinite(siblings.running_max))
        text += fmt::format("; up to {:.0f} at once so far", siblings.running_max);
    if (std::isfinite(siblings.waiting) && siblings.waiting >= 0.5)
        text += fmt::format("; {:.2g} wait there already", siblings.waiting);
    if (kv_usage > kv_usage_max) text += ": too much for them, so shed load as well";
    const std::string proxy = nginx_before(component, weighed);
    return {text,
            proxy.empty()
                ? fmt::format("kubectl label pod {} LABEL_THAT_ITS_SERVICE_SELECTS-", component)
                : fmt::format("in {}: \"server {}:PORT down;\" in the upstream block, then nginx "
                              "-s reload",
                              proxy, component)};
}

}  // namespace

std::optional<Advice> stopgap(const Hypothesis& hypothesis, const Weighed& weighed) {
    const FaultSignature* fault = hypothesis.fault;
    if (hypothesis.kind == HypothesisKind::nothing) return std::nullopt;
    if (fault != nullptr)
        for (const Remedy& remedy : fault->remedies)
            if (remedy.meanwhile)
                return Advice{remedy.action, filled_in(remedy.command, hypothesis.component)};
    if (fault != nullptr &&
        (fault->scope == FaultScope::all || !sits_in_a_replica(fault->component)))
        return std::nullopt;
    const auto group = weighed.seen.group_of.find(hypothesis.component);
    if (group == weighed.seen.group_of.end()) return std::nullopt;
    const std::vector<std::string>& services = weighed.seen.groups[group->second].services;
    // Peers without an engine (hosts, proxies) do not take over each other's requests.
    const auto serves = [&](const std::string& service) {
        const auto& observations = weighed.seen.of.at(service);
        return std::ranges::any_of(observations, [&](const Observation& o) {
            return weighed.seen.features[o.feature].signal.starts_with("engine.");
        });
    };
    if (!std::ranges::all_of(services, serves)) return std::nullopt;
    return drain(hypothesis.component, services, weighed);
}

std::string filled_in(std::string command, const std::string& component) {
    constexpr std::string_view word = "POD";
    if (component.empty()) return command;
    for (auto at = command.find(word); at != std::string::npos;
         at = command.find(word, at + component.size()))
        command.replace(at, word.size(), component);
    return command;
}

}  // namespace culprit::tailored
