#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "culprit/frame/topology.h"
#include "culprit/telemetry/frame_builder.h"

namespace culprit {

/// Topology and change events as they turn up in several sources, without duplicates. Safe to fill
/// from several threads; `take` sorts, so that the order of arrival does not show.
class IncidentFacts {
public:
    void add_node(const std::string& name, NodeKind kind, const Labels& labels = {});
    void add_edge(const std::string& from, const std::string& to, EdgeKind kind);
    void add_change(ChangeEvent change);

    Topology take_topology();
    std::vector<ChangeEvent> take_changes();

private:
    std::mutex mutex_;
    std::map<std::string, TopologyNode> nodes_;
    std::map<std::pair<std::string, std::string>, EdgeKind> edges_;
    std::vector<ChangeEvent> changes_;
};

/// What a column's labels say of placement: pod on host, pod on GPU, GPU on host, caller to callee.
void add_placement(const LiveColumn& column, IncidentFacts& facts);

/// An info series (value 1, the labels are the information) that began inside the window while
/// another with the same entity was there before: its labels changed. Likewise restarts, reboots
/// and rollouts that catalogued series show by a changed value. `window_begin_ms`: where asking
/// began, so that a series that was always there is no change.
class ChangeDetector {
public:
    explicit ChangeDetector(std::int64_t window_begin_ms) : begin_ms_(window_begin_ms) {}
    void take_info(const LiveColumn& column, const Series& series);
    /// `step` tells what a change of the value means; "" = nothing.
    static std::string change_kind(const std::string& signal);
    static void take_value(const LiveColumn& column, const Series& series, IncidentFacts& facts);
    void finish(IncidentFacts& facts);

private:
    struct Seen {
        Labels labels;
        std::int64_t first_ms = 0;
    };
    std::int64_t begin_ms_;
    std::mutex mutex_;
    std::map<std::pair<std::string, std::string>, std::vector<Seen>> by_entity_;
};

}  // namespace culprit
