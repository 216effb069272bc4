#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/time.h"

namespace culprit {

enum class NodeKind : std::uint8_t { service, replica, gpu, host, link, other };
enum class EdgeKind : std::uint8_t {
    calls,    ///< requests go from -> to
    runs_on,  ///< from is placed on to (container on host, replica on GPU)
    part_of,  ///< from is one of the parts of to (replica of a deployment)
};

struct TopologyNode {
    std::string name;
    NodeKind kind = NodeKind::service;
    std::map<std::string, std::string> labels = {};
};

struct TopologyEdge {
    std::string from;
    std::string to;
    EdgeKind kind = EdgeKind::calls;
};

/// What depends on what, in the order of the source.
struct Topology {
    std::vector<TopologyNode> nodes;
    std::vector<TopologyEdge> edges;
};

/// Something that somebody or some controller changed: a candidate cause, not a culprit.
struct ChangeEvent {
    TimePoint time;
    std::string entity;  ///< the component changed
    std::string kind;    ///< rollout, restart, configuration, scale, …
    std::string description;
};

}  // namespace culprit
