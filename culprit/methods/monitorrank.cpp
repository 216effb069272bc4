#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "culprit/graph/personalized_page_rank.h"
#include "culprit/methods/call_anomalies.h"
#include "culprit/methods/column_scores.h"
#include "culprit/methods/service_latency.h"
#include "culprit/rca/method.h"

namespace culprit {
namespace {

class MonitorRank : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "monitorrank",
        .summary =
            "Random walk over the call graph towards services whose latency moves like the "
            "entry's.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Kim, Sumbaly, Shah, Root Cause Detection in a Service-Oriented Architecture, "
            "SIGMETRICS 2013",
        .reads = "topology, latency of calls",
        .ranks = "services",
        .cost = "O(edges N + PageRank) time",
        .divergences = {
            {.reference = "the graph is reversed after weighing: a step follows the similarity of "
                          "the node it leaves",
             .published = "a step follows the similarity of the node it enters"},
            {.reference = "only services called anomalously, by BIRCH at unit length, are kept",
             .published = "the whole call graph"},
            {.reference = "similarity over the whole run; the entry is nginx-proxy",
             .published = "similarity over the time after the alert and as much before; the entry "
                          "is the symptom's service, or the one that nobody calls; pseudo-anomaly "
                          "clusters need history and are left out"}}};
};

constexpr double backward = 0.5;  // rho: weight of a step from a callee to its caller
constexpr const char* study_entry = "nginx-proxy";

/// Steps of the walk: forward to callees, backward to callers, and staying where no callee is more
/// similar. `reached` are the calls that take part.
struct Call {
    std::size_t caller;
    std::size_t callee;
};

graph::WeightedDigraph walk_graph(const std::vector<Call>& reached,
                                  const graph::WeightedDigraph& calls,
                                  const std::vector<double>& similarity, std::size_t entry) {
    graph::WeightedDigraph walk;
    for (const Call& call : reached) {
        if (call.callee == entry) continue;
        walk.set_edge(call.caller, call.callee, similarity[call.callee]);
        walk.set_edge(call.callee, call.caller, backward * similarity[call.caller]);
    }
    const std::vector<std::size_t> nodes(walk.nodes().begin(), walk.nodes().end());
    for (const std::size_t node : nodes) {
        double largest = 0.0;
        for (const auto& edge : calls.out_edges(node))
            largest = std::max(largest, similarity[edge.to]);
        walk.set_edge(node, node, node == entry ? 0.0 : std::max(0.0, similarity[node] - largest));
    }
    return walk;
}

Ranking ranking_of(const graph::WeightedDigraph& walk, const std::vector<double>& rank,
                   const StringPool& names) {
    std::vector<Suspect> suspects;
    for (std::size_t i = 0; i < walk.num_nodes(); ++i) {
        const std::string name(names[static_cast<std::uint32_t>(walk.nodes()[i])]);
        suspects.push_back({name, service_of_name(name), finite_score(rank[i])});
    }
    return Ranking::from(std::move(suspects));
}

std::vector<double> preferences(const graph::WeightedDigraph& walk,
                                const std::vector<double>& similarity, std::size_t entry) {
    std::vector<double> preference;
    for (const std::size_t node : walk.nodes())
        preference.push_back(node == entry ? 0.0 : similarity[node]);
    return preference;
}

Diagnosis degenerate(std::string reason) {
    return {.status = DiagnosisStatus::degenerate, .reason = std::move(reason), .ranking = {}};
}

Result<Diagnosis> run_reference(const Incident& incident, const Stop& stop) {
    const Frame& latency = *incident.edge_latency;
    const CallGraph calls = CallGraph::of(*incident.topology);
    const std::vector<std::string> callees = callees_of(anomalous_calls(latency));
    if (callees.empty()) return degenerate("no call's latency is anomalous");
    const auto entry = calls.names.find(study_entry);
    const auto at_entry = latency_of(latency, study_entry);
    if (!entry || !at_entry)
        return fail(
            ErrorCode::missing_input,
            fmt::format("no latency or call of \"{}\": the reference ends here", study_entry));
    std::vector<Call> reached;
    for (const std::string& callee : callees) {
        const auto node = calls.names.find(callee);
        if (!node) continue;
        for (const auto& edge : calls.services.in_edges(*node)) reached.push_back({edge.to, *node});
        for (const auto& edge : calls.services.out_edges(*node))
            reached.push_back({*node, edge.to});
    }
    std::vector<double> similarity(calls.names.size(), 0.0);
    for (const std::size_t node : calls.services.nodes()) {
        const auto own = latency_of(latency, calls.names[static_cast<std::uint32_t>(node)]);
        if (!own) continue;
        similarity[node] = thousandth(std::abs(row_correlation(*at_entry, *own)));
        if (std::isnan(similarity[node]))
            return degenerate(
                "a service's latency is constant: the reference does not converge "
                "and answers at random here");
    }
    const graph::WeightedDigraph walk = walk_graph(reached, calls.services, similarity, *entry);
    if (walk.num_nodes() == 0) return degenerate("no anomalous call is part of the call graph");
    const auto rank = graph::personalized_page_rank(
        walk.reversed(), preferences(walk, similarity, *entry), {}, stop);
    if (!rank && rank.error().code == ErrorCode::not_converged)
        return degenerate(rank.error().message + "; the reference answers at random here");
    if (!rank) return tl::unexpected<Error>(rank.error());
    Diagnosis diagnosis;
    diagnosis.ranking = ranking_of(walk, *rank, calls.names);
    return diagnosis;
}

Result<Diagnosis> run_published(const ServiceLatency& latency, const Stop& stop) {
    const std::size_t num_after = latency.times.size() - latency.num_before;
    const std::size_t first = latency.num_before - std::min(latency.num_before, num_after);
    const auto window = [&](std::size_t node) {
        const std::span<const double> all(latency.of_service[node]);
        return all.empty() ? all : all.subspan(first);
    };
    std::vector<double> similarity(latency.names.size(), 0.0);
    std::vector<Call> reached;
    for (const std::size_t node : latency.calls.nodes()) {
        const double r = row_correlation(window(latency.entry), window(node));
        similarity[node] = std::isnan(r) ? 0.0 : std::abs(r);
        for (const auto& edge : latency.calls.out_edges(node)) reached.push_back({node, edge.to});
    }
    const graph::WeightedDigraph walk =
        walk_graph(reached, latency.calls, similarity, latency.entry);
    std::vector<double> preference = preferences(walk, similarity, latency.entry);
    if (std::accumulate(preference.begin(), preference.end(), 0.0) == 0.0)
        return degenerate("no service's latency moves with the entry's");
    CULPRIT_TRY(const std::vector<double> rank,
                graph::personalized_page_rank(walk, preference, {}, stop));
    Diagnosis diagnosis;
    diagnosis.notes.push_back(
        fmt::format("entry {}", latency.names[static_cast<std::uint32_t>(latency.entry)]));
    diagnosis.ranking = ranking_of(walk, rank, latency.names);
    return diagnosis;
}

Result<Diagnosis> MonitorRank::diagnose(const Incident& incident, const RunContext& context) const {
    if (context.variant == Variant::reference) {
        CULPRIT_TRY_STATUS(check_calls(incident, info_.name));
        return run_reference(incident, context.stop);
    }
    CULPRIT_TRY(const ServiceLatency latency, ServiceLatency::of(incident, info_.name));
    return run_published(latency, context.stop);
}

}  // namespace

std::unique_ptr<Method> make_monitorrank() { return std::make_unique<MonitorRank>(); }

}  // namespace culprit
