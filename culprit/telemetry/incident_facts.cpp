#include "culprit/telemetry/incident_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

namespace culprit {
namespace {

struct ValueChange {
    std::string_view signal;
    std::string_view kind;
};
constexpr std::array<ValueChange, 6> value_changes = {{
    {"process_start_time_seconds", "restart"},
    {"container_start_time_seconds", "restart"},
    {"kube_pod_container_status_restarts_total", "restart"},
    {"node_boot_time_seconds", "reboot"},
    {"kube_deployment_status_observed_generation", "rollout"},
    {"kuberay_service_condition_upgrade_in_progress", "rollout"},
}};

// Labels that differ between restarts of one and the same configuration.
bool is_identity(const std::string& label) {
    static const std::array<std::string_view, 12> identities = {
        "pod",    "pod_ip", "uid",         "container_id", "instance", "host",
        "entity", "signal", "SessionName", "WorkerId",     "replica",  "quantity"};
    return std::ranges::find(identities, label) != identities.end();
}

std::string label_or_empty(const LiveColumn& column, const char* label) {
    const auto found = column.labels.find(label);
    return found == column.labels.end() ? std::string{} : found->second;
}

TimePoint time_of(std::int64_t ms) { return time_from_ns(ms * 1'000'000); }

}  // namespace

void IncidentFacts::add_node(const std::string& name, NodeKind kind, const Labels& labels) {
    if (name.empty()) return;
    const std::scoped_lock lock(mutex_);
    auto [entry, is_new] = nodes_.try_emplace(name, TopologyNode{name, kind, labels});
    if (is_new) return;
    if (entry->second.kind == NodeKind::other || entry->second.kind == NodeKind::service)
        entry->second.kind = kind;
    entry->second.labels.insert(labels.begin(), labels.end());
}

void IncidentFacts::add_edge(const std::string& from, const std::string& to, EdgeKind kind) {
    if (from.empty() || to.empty() || from == to) return;
    const std::scoped_lock lock(mutex_);
    edges_.try_emplace({from, to}, kind);
    for (const std::string& name : {from, to})
        nodes_.try_emplace(name, TopologyNode{name, NodeKind::other, {}});
}

void IncidentFacts::add_change(ChangeEvent change) {
    const std::scoped_lock lock(mutex_);
    changes_.push_back(std::move(change));
}

Topology IncidentFacts::take_topology() {
    Topology topology;
    for (auto& [name, node] : nodes_) topology.nodes.push_back(std::move(node));
    for (const auto& [ends, kind] : edges_)
        topology.edges.push_back({ends.first, ends.second, kind});
    nodes_.clear();
    edges_.clear();
    return topology;
}

std::vector<ChangeEvent> IncidentFacts::take_changes() {
    const auto key = [](const ChangeEvent& change) {
        return std::tie(change.time, change.entity, change.kind, change.description);
    };
    std::ranges::sort(changes_, [&](const auto& a, const auto& b) { return key(a) < key(b); });
    const auto end = std::unique(changes_.begin(), changes_.end(),
                                 [&](const auto& a, const auto& b) { return key(a) == key(b); });
    changes_.erase(end, changes_.end());
    return std::move(changes_);
}

void add_placement(const LiveColumn& column, IncidentFacts& facts) {
    const std::string pod = label_or_empty(column, "pod");
    const std::string host = label_or_empty(column, "host");
    const std::string gpu = label_or_empty(column, "gpu_uuid");
    const std::string kind = label_or_empty(column, "entity_kind");
    if (!pod.empty()) facts.add_node(pod, NodeKind::replica);
    if (!host.empty()) facts.add_node(host, NodeKind::host);
    if (!gpu.empty()) {
        Labels labels;
        for (const char* label : {"gpu_model", "pci_bus_id", "gpu_index"})
            if (const auto value = label_or_empty(column, label); !value.empty())
                labels[label] = value;
        facts.add_node(gpu, NodeKind::gpu, labels);
        facts.add_edge(gpu, host, EdgeKind::part_of);
        facts.add_edge(pod, gpu, EdgeKind::runs_on);
    }
    // The host label of GPU and node exporters is the host; elsewhere it may be the scraper's.
    if (kind == "pod" || kind == "container" || kind == "gpu")
        facts.add_edge(pod, host, EdgeKind::runs_on);
    if (kind == "link")
        facts.add_edge(label_or_empty(column, "source"), label_or_empty(column, "destination"),
                       EdgeKind::calls);
}

std::string ChangeDetector::change_kind(const std::string& signal) {
    for (const ValueChange& change : value_changes)
        if (change.signal == signal) return std::string(change.kind);
    return {};
}

void ChangeDetector::take_value(const LiveColumn& column, const Series& series,
                                IncidentFacts& facts) {
    const std::string kind = change_kind(label_or_empty(column, "signal"));
    if (kind.empty()) return;
    double last = std::nan("");
    for (std::size_t k = 0; k < series.size(); ++k) {
        const double now = series.value[k];
        if (!std::isfinite(now)) continue;
        // Clocks make start times wander by fractions of a second.
        if (std::isfinite(last) && now > last + 1.5 - (kind == "rollout" ? 1.0 : 0.0) - 0.75)
            facts.add_change({time_of(series.time_ms[k]), column.service, kind,
                              fmt::format("{} went from {:.0f} to {:.0f}",
                                          label_or_empty(column, "signal"), last, now)});
        last = now;
    }
}

void ChangeDetector::take_info(const LiveColumn& column, const Series& series) {
    if (series.size() == 0) return;
    const std::scoped_lock lock(mutex_);
    std::string entity = column.service;
    for (const char* label : {"job", "instance", "container", "engine", "deployment"})
        entity += '\x1f' + label_or_empty(column, label);
    by_entity_[{column.metric, entity}].push_back({column.labels, series.time_ms.front()});
}

void ChangeDetector::finish(IncidentFacts& facts) {
    for (auto& [key, seen] : by_entity_) {
        std::ranges::sort(seen, [](const Seen& a, const Seen& b) {
            return std::tie(a.first_ms, a.labels) < std::tie(b.first_ms, b.labels);
        });
        for (std::size_t i = 1; i < seen.size(); ++i) {
            if (seen[i].first_ms <= seen[0].first_ms || seen[i].first_ms <= begin_ms_) continue;
            std::string changed;
            for (const auto& [label, value] : seen[i].labels) {
                if (is_identity(label)) continue;
                const auto before = seen[i - 1].labels.find(label);
                if (before != seen[i - 1].labels.end() && before->second != value)
                    changed += fmt::format("{}{}: {} -> {}", changed.empty() ? "" : ", ", label,
                                           before->second, value);
            }
            if (changed.empty()) continue;
            const bool is_image = changed.find("image") != std::string::npos;
            facts.add_change({time_of(seen[i].first_ms),
                              key.second.substr(0, key.second.find('\x1f')),
                              is_image ? "rollout" : "configuration", key.first + ": " + changed});
        }
    }
}

}  // namespace culprit
