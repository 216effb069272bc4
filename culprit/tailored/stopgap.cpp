#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "culprit/tailored/explanation.h"
#include "culprit/tailored/front.h"
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
                siblings.kv_usage =
                    std::fmax(siblings.kv_usage, f.unit == "%" ? o.baseline / 100.0 : o.baseline);
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

Advice drain(const std::string& component, std::vector<std::string> others,
             const Weighed& weighed) {
    std::erase(others, component);
    const auto n = static_cast<double>(others.size());
    const double factor = (n + 1.0) / n;
    const Siblings siblings = siblings_of(others, weighed.seen);
    const double kv_usage = factor * siblings.kv_usage;
    std::string text =
        others.size() == 1
            ? fmt::format("Drain {}: {} takes twice its load", component, others.front())
            : fmt::format("Drain {}: each of the other {} takes {:.2g} times its load", component,
                          others.size(), factor);
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
    const Front front = Fronts(weighed.incident).of(component);
    const bool by_front = front.kind != nullptr && !front.kind->drain.empty();
    return {text, filled_in(by_front ? std::string(front.kind->drain)
                                     : "kubectl label pod POD LABEL_THAT_ITS_SERVICE_SELECTS-",
                            component, front)};
}

/// How sure it is that the component is broken, whatever the fault.
double probability_of(const std::string& component, const std::vector<Hypothesis>& hypotheses) {
    double sum = 0.0;
    for (const Hypothesis& h : hypotheses) sum += h.component == component ? h.probability : 0.0;
    return sum;
}

}  // namespace

std::optional<Advice> stopgap(const Hypothesis& hypothesis, const Weighed& weighed) {
    const FaultSignature* fault = hypothesis.fault;
    if (hypothesis.kind == HypothesisKind::nothing) return std::nullopt;
    const bool is_known = hypothesis.probability >= known_probability_min;
    if (!is_known &&
        (hypothesis.component.empty() ||
         probability_of(hypothesis.component, weighed.hypotheses) < known_probability_min))
        return std::nullopt;
    if (fault != nullptr && is_known)
        for (const Remedy& remedy : fault->remedies)
            if (remedy.when == RemedyTime::meanwhile)
                return Advice{remedy.action,
                              filled_in(remedy.command, hypothesis.component,
                                        Fronts(weighed.incident).of(hypothesis.component))};
    if (fault != nullptr &&
        (fault->scope == FaultScope::all || !sits_in_a_replica(fault->component)))
        return std::nullopt;
    const auto group = weighed.seen.group_of.find(hypothesis.component);
    if (group == weighed.seen.group_of.end()) return std::nullopt;
    std::vector<std::string> services = weighed.seen.groups[group->second].services;
    // Peers without an engine (hosts, proxies) do not take over each other's requests.
    std::erase_if(services, [&](const std::string& service) {
        return !is_replica(service, weighed.seen, weighed.incident.metrics);
    });
    if (services.size() < 2 || std::ranges::find(services, hypothesis.component) == services.end())
        return std::nullopt;
    return drain(hypothesis.component, services, weighed);
}

}  // namespace culprit::tailored
