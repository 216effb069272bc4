#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "culprit/methods/call_anomalies.h"
#include "culprit/methods/column_scores.h"
#include "culprit/methods/python_order.h"
#include "culprit/methods/service_latency.h"
#include "culprit/rca/method.h"

namespace culprit {
namespace {

class Microscope : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "microscope",
        .summary =
            "Follows anomalous calls from the entry until no callee is anomalous and ranks those "
            "ends by how they move with the entry.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Lin, Chen, Zheng, Microscope: Pinpoint Performance Issues with Causal Graphs in "
            "Micro-service Environments, ICSOC 2018",
        .reads = "topology, latency of calls",
        .ranks = "services",
        .cost = "O(edges N) time",
        .divergences = {
            {.reference = "candidates are compared with the node visited last, which the order of "
                          "a Python set decides; one that is its own reference wins",
             .published = "they are compared with the entry"},
            {.reference = "BIRCH at unit length finds what is anomalous, never beyond 494 rows",
             .published = "three standard deviations above the mean before the alert, as in the "
                          "paper"},
            {.reference = "the entry is nginx-proxy",
             .published = "the symptom's service, or the one that nobody calls; the graph is that "
                          "of calls, not one learned by PC"}}};
};

constexpr const char* study_entry = "nginx-proxy";

/// Where the anomaly ends: nodes reached from the entry over anomalous services, without an
/// anomalous callee. `last` is the node looked at last.
struct Search {
    std::vector<std::size_t> candidates;
    std::size_t last = 0;
};

Search search(const graph::WeightedDigraph& calls, std::size_t entry,
              const std::vector<bool>& is_anomalous) {
    Search result;
    std::vector<std::size_t> open = {entry};
    std::vector<bool> is_visited(is_anomalous.size());
    while (!open.empty()) {
        const std::size_t node = open.back();
        open.pop_back();
        result.last = node;
        if (is_visited[node]) continue;
        is_visited[node] = true;
        const std::size_t before = open.size();
        for (const auto& edge : calls.out_edges(node))
            if (is_anomalous[edge.to] && !is_visited[edge.to]) open.push_back(edge.to);
        if (open.size() == before) result.candidates.push_back(node);
    }
    return result;
}

Result<Diagnosis> run_reference(const Incident& incident) {
    const Frame& latency = *incident.edge_latency;
    const CallGraph calls = CallGraph::of(*incident.topology);
    const auto entry = calls.names.find(study_entry);
    if (!entry)
        return fail(
            ErrorCode::missing_input,
            fmt::format("the call graph has no \"{}\": the reference ends here", study_entry));
    const std::vector<std::string> callees = callees_of(anomalous_calls(latency));
    Diagnosis diagnosis;
    if (callees.empty()) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "no call's latency is anomalous: the entry is blamed";
        diagnosis.ranking = Ranking::in_order(std::vector<std::string>{study_entry});
        return diagnosis;
    }
    std::vector<bool> is_anomalous(calls.names.size());
    for (const std::string& callee : callees)
        if (const auto node = calls.names.find(callee)) is_anomalous[*node] = true;
    const Search found = search(calls.services, *entry, is_anomalous);
    const auto series = [&](std::size_t node) {
        return latency_of(latency, calls.names[static_cast<std::uint32_t>(node)]);
    };
    const auto reference = series(found.last);
    std::vector<double> scores;
    for (const std::size_t node : found.candidates) {
        const auto own = series(node);
        if (!own || !reference)
            return fail(
                ErrorCode::missing_input,
                fmt::format("no latency column of \"{}\": the reference ends here",
                            calls.names[static_cast<std::uint32_t>(own ? found.last : node)]));
        scores.push_back(row_correlation(*own, *reference));
    }
    std::vector<Suspect> suspects;
    for (const std::size_t k : python_falling_order(scores)) {
        const std::string name(calls.names[static_cast<std::uint32_t>(found.candidates[k])]);
        suspects.push_back({name, service_of_name(name), finite_score(scores[k])});
    }
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

Result<Diagnosis> run_published(const ServiceLatency& latency) {
    std::vector<bool> is_anomalous(latency.names.size());
    for (const std::size_t node : latency.calls.nodes())
        is_anomalous[node] = is_above_three_sigma(latency.of_service[node], latency.num_before);
    Diagnosis diagnosis;
    if (std::none_of(is_anomalous.begin(), is_anomalous.end(), [](bool b) { return b; })) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "no service's latency is anomalous";
        return diagnosis;
    }
    const Search found = search(latency.calls, latency.entry, is_anomalous);
    std::vector<Suspect> suspects;
    for (const std::size_t node : found.candidates) {
        const std::string name(latency.names[static_cast<std::uint32_t>(node)]);
        suspects.push_back({name, service_of_name(name),
                            finite_score(row_correlation(latency.of_service[latency.entry],
                                                         latency.of_service[node]))});
    }
    diagnosis.notes.push_back(fmt::format(
        "entry {}, {} of {} services anomalous",
        latency.names[static_cast<std::uint32_t>(latency.entry)],
        std::count(is_anomalous.begin(), is_anomalous.end(), true), latency.calls.num_nodes()));
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

Result<Diagnosis> Microscope::diagnose(const Incident& incident, const RunContext& context) const {
    if (context.variant == Variant::reference) {
        CULPRIT_TRY_STATUS(check_calls(incident, info_.name));
        return run_reference(incident);
    }
    CULPRIT_TRY(const ServiceLatency latency, ServiceLatency::of(incident, info_.name));
    return run_published(latency);
}

}  // namespace

std::unique_ptr<Method> make_microscope() { return std::make_unique<Microscope>(); }

}  // namespace culprit
