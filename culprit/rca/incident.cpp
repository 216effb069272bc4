#include "culprit/rca/incident.h"

#include <unordered_set>

namespace culprit {

std::vector<std::string> services_of(const Incident& incident) {
    std::vector<std::string> services;
    std::unordered_set<std::string> seen;
    const auto add = [&](std::string_view name) {
        if (!name.empty() && seen.emplace(name).second) services.emplace_back(name);
    };
    const std::string* last = nullptr;  // columns of one service mostly follow one another
    for (const Column& column : incident.metrics.columns()) {
        if (last == nullptr || column.service != *last) add(column.service);
        last = &column.service;
    }
    if (incident.logs) {
        for (std::uint32_t i = 0; i < incident.logs->sources.size(); ++i)
            add(incident.logs->sources[i]);
    }
    if (incident.spans) {
        for (std::uint32_t i = 0; i < incident.spans->services.size(); ++i)
            add(incident.spans->services[i]);
    }
    if (incident.topology) {
        for (const TopologyNode& node : incident.topology->nodes)
            if (node.kind == NodeKind::service || node.kind == NodeKind::replica) add(node.name);
    }
    return services;
}

std::string service_of_name(std::string_view name) {
    std::string service(name.substr(0, name.find('_')));
    for (auto at = service.find("-db"); at != std::string::npos; at = service.find("-db"))
        service.erase(at, 3);
    return service;
}

}  // namespace culprit
