#include "culprit/methods/service_calls.h"

#include "culprit/frame/pair_numbers.h"
#include "culprit/frame/span_series.h"

namespace culprit {

std::vector<std::pair<std::string_view, std::string_view>> service_calls(const Incident& incident) {
    std::vector<std::pair<std::string_view, std::string_view>> calls;
    if (incident.topology)
        for (const TopologyEdge& edge : incident.topology->edges)
            if (edge.kind == EdgeKind::calls && edge.from != edge.to)
                calls.emplace_back(edge.from, edge.to);
    if (!calls.empty() || !incident.spans) return calls;
    const SpanTable& spans = *incident.spans;
    const std::vector<std::uint32_t> parents = parents_of(spans);
    PairNumbers pairs;
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const std::uint32_t parent = parents[i];
        if (parent != SpanTimes::no_parent && spans.service[parent] != spans.service[i])
            pairs.number(spans.service[parent], spans.service[i]);
    }
    calls.reserve(pairs.pairs().size());
    for (const auto& [caller, callee] : pairs.pairs())
        calls.emplace_back(spans.services[caller], spans.services[callee]);
    return calls;
}

}  // namespace culprit
