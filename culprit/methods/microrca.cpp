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

class MicroRca : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "microrca",
        .summary =
            "PageRank over the part of the call graph around anomalous calls, starting where "
            "latency moves with the resources.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Wu, Tordsson, Elmroth, Kao, MicroRCA: Root Cause Localization of Performance Issues "
            "in Microservices, NOMS 2020",
        .reads = "metrics, topology, latency of calls",
        .ranks = "services",
        .cost = "O(edges N + PageRank) time",
        .divergences = {
            {.reference = "BIRCH sees a series of unit length, so that beyond 494 rows nothing is "
                          "anomalous, and the alert plays no part",
             .published =
                 "the series has a root mean square of 1 at any length, and a cluster must "
                 "be new after the alert"},
            {.reference = "negative correlations become negative steps; rows of two files are "
                          "paired by number; the edges to hosts are never turned back",
             .published = "negative ones count 0; rows are paired by time; hosts keep their edges"},
            {.reference = "of several anomalous calls into one service only the last one counts",
             .published = "their mean"},
            {.reference = "needs columns named *_ctn_cpu, _network, _memory, _gpu",
             .published = "all metrics of the service but its latency"}}};
};

constexpr double alpha = 0.55;            // the paper's weight of an anomalous call
constexpr double correlation_min = 0.01;  // what stands for no correlation

double finite_weight(double weight) { return std::isfinite(weight) ? thousandth(weight) : 0.0; }

Diagnosis nothing_anomalous() {
    return {.status = DiagnosisStatus::degenerate,
            .reason = "no call's latency is anomalous",
            .ranking = {}};
}

/// The services of `ranked` (hosts left out) with their PageRank, in the graph's order.
Ranking services_by_rank(const graph::WeightedDigraph& subgraph, const std::vector<double>& rank,
                         const StringPool& names, const std::vector<bool>& is_host) {
    std::vector<Suspect> suspects;
    for (std::size_t i = 0; i < subgraph.num_nodes(); ++i) {
        const std::size_t node = subgraph.nodes()[i];
        if (is_host[node]) continue;
        const std::string name(names[static_cast<std::uint32_t>(node)]);
        suspects.push_back({name, service_of_name(name), finite_score(rank[i])});
    }
    return Ranking::from(std::move(suspects));
}

/// The reference's steps over one incident.
class ReferenceRun {
public:
    explicit ReferenceRun(const Incident& incident)
        : incident_(incident),
          latency_(*incident.edge_latency),
          calls_(CallGraph::of(*incident.topology)),
          anomalous_(anomalous_calls(latency_)) {}

    Result<Diagnosis> diagnose(const Stop& stop) {
        if (anomalous_.empty()) return nothing_anomalous();
        for (const std::string& callee : callees_of(anomalous_)) {
            const auto node = calls_.names.find(callee);
            if (!node)
                return fail(ErrorCode::missing_input,
                            fmt::format("service \"{}\" is not in the call graph: the reference "
                                        "ends here",
                                        callee));
            nodes_.push_back(*node);
        }
        for (const std::size_t v : nodes_) CULPRIT_TRY_STATUS(add_edges_of(v));
        std::vector<double> preference(subgraph_.num_nodes(), 0.0);
        double sum = 0.0;
        for (const std::size_t v : nodes_) {
            CULPRIT_TRY(const double p, preference_of(v));
            preference[place_of(v)] = p;
            sum += p;
        }
        if (sum == 0.0)
            for (const std::size_t v : nodes_) preference[place_of(v)] = 1.0;
        const auto rank = graph::personalized_page_rank(subgraph_.reversed(), preference, {}, stop);
        if (!rank && rank.error().code != ErrorCode::not_converged)
            return tl::unexpected<Error>(rank.error());
        Diagnosis diagnosis;
        if (!rank) {
            diagnosis.status = DiagnosisStatus::degenerate;
            diagnosis.reason = rank.error().message + "; the reference answers at random here";
            return diagnosis;
        }
        diagnosis.ranking = services_by_rank(subgraph_, *rank, calls_.names, calls_.is_host);
        return diagnosis;
    }

private:
    std::string name(std::size_t node) const {
        return std::string(calls_.names[static_cast<std::uint32_t>(node)]);
    }
    std::size_t place_of(std::size_t node) const {
        const auto nodes = subgraph_.nodes();
        return static_cast<std::size_t>(std::find(nodes.begin(), nodes.end(), node) -
                                        nodes.begin());
    }
    bool is_anomalous(const std::string& caller, const std::string& callee) const {
        return std::any_of(anomalous_.begin(), anomalous_.end(), [&](const AnomalousCall& c) {
            return c.caller == caller && c.callee == callee;
        });
    }
    // The latency of the last anomalous call into the service.
    std::span<const double> base(std::size_t node) const {
        std::span<const double> values;
        for (const AnomalousCall& call : anomalous_)
            if (call.callee == name(node)) values = latency_.values(call.column);
        return values;
    }
    double call_weight(std::size_t v, std::size_t caller, std::size_t callee) const {
        if (is_anomalous(name(caller), name(callee))) return alpha;
        const auto column = latency_.find(name(caller) + "_" + name(callee));
        return column ? row_correlation(base(v), latency_.values(*column)) : 0.0;
    }
    Result<double> largest_correlation(std::size_t v, std::initializer_list<const char*> metrics) {
        double largest = correlation_min;
        for (const char* metric : metrics) {
            const std::string column_name = name(v) + "_" + metric;
            const auto column = incident_.metrics.find(column_name);
            if (!column)
                return fail(
                    ErrorCode::missing_input,
                    fmt::format("no metric column \"{}\": the reference ends here", column_name));
            const double r = std::abs(row_correlation(base(v), incident_.metrics.values(*column)));
            if (r > largest) largest = r;
        }
        return largest;
    }
    double mean_incoming(std::size_t v) const {
        const auto in = subgraph_.in_edges(v);
        double sum = 0.0;
        for (const auto& edge : in) sum += edge.weight;
        return in.empty() ? 0.0 : sum / static_cast<double>(in.size());
    }
    Status add_edges_of(std::size_t v) {
        for (const auto& edge : calls_.all.in_edges(v))
            subgraph_.set_edge(edge.to, v, finite_weight(call_weight(v, edge.to, v)));
        for (const auto& edge : calls_.all.out_edges(v)) {
            double weight = 0.0;
            if (calls_.is_host[edge.to]) {
                CULPRIT_TRY(const double r,
                            largest_correlation(v, {"node_cpu", "node_network", "node_memory"}));
                weight = mean_incoming(v) * r;
            } else {
                weight = call_weight(v, v, edge.to);
            }
            subgraph_.set_edge(v, edge.to, finite_weight(weight));
        }
        return {};
    }
    Result<double> preference_of(std::size_t v) {
        CULPRIT_TRY(const double r,
                    largest_correlation(v, {"ctn_cpu", "ctn_network", "ctn_memory", "ctn_gpu"}));
        double sum = 0.0;
        std::size_t count = 0;
        for (const auto& edge : subgraph_.in_edges(v)) {
            sum += edge.weight;
            ++count;
        }
        for (const auto& edge : subgraph_.out_edges(v)) {
            if (calls_.is_host[edge.to]) continue;
            sum += edge.weight;
            ++count;
        }
        if (count == 0)
            return fail(
                ErrorCode::numerical,
                fmt::format("service \"{}\" has no call: the reference divides by zero", name(v)));
        const std::size_t degree = subgraph_.in_edges(v).size() + subgraph_.out_edges(v).size();
        const double preference =
            sum / static_cast<double>(count) * r / static_cast<double>(degree);
        return preference > 0.0 ? preference : 0.0;
    }

    const Incident& incident_;
    const Frame& latency_;
    CallGraph calls_;
    std::vector<AnomalousCall> anomalous_;
    std::vector<std::size_t> nodes_;
    graph::WeightedDigraph subgraph_;
};

/// The method of the paper over one incident. Hosts take no part in the ranking and, having no
/// edges but the ones towards them, none in the walk between services: they are left out.
class PublishedRun {
public:
    PublishedRun(const Incident& incident, ServiceLatency latency)
        : incident_(incident), latency_(std::move(latency)) {}

    Result<Diagnosis> diagnose(const Stop& stop) {
        for (std::size_t k = 0; k < latency_.measured.size(); ++k) {
            CULPRIT_TRY_STATUS(stop.check());
            is_anomalous_.push_back(
                enters_new_cluster(latency_.measured[k].latency, latency_.num_before));
        }
        base_.resize(latency_.names.size());
        for (const std::size_t node : latency_.calls.nodes()) find_base(node);
        if (nodes_.empty()) return nothing_anomalous();
        for (const std::size_t v : nodes_) {
            for (const auto& edge : latency_.calls.in_edges(v))
                subgraph_.set_edge(edge.to, v, call_weight(v, edge.to, v));
            for (const auto& edge : latency_.calls.out_edges(v))
                subgraph_.set_edge(v, edge.to, call_weight(v, v, edge.to));
        }
        std::vector<double> preference(subgraph_.num_nodes(), 0.0);
        for (std::size_t i = 0; i < preference.size(); ++i)
            if (!base_[subgraph_.nodes()[i]].empty())
                preference[i] = preference_of(subgraph_.nodes()[i]);
        if (std::accumulate(preference.begin(), preference.end(), 0.0) <= 0.0)
            std::fill(preference.begin(), preference.end(), 1.0);
        CULPRIT_TRY(const std::vector<double> rank,
                    graph::personalized_page_rank(subgraph_.reversed(), preference, {}, stop));
        Diagnosis diagnosis;
        diagnosis.notes.push_back(fmt::format(
            "{} of {} measured calls are anomalous",
            std::count(is_anomalous_.begin(), is_anomalous_.end(), true), is_anomalous_.size()));
        diagnosis.ranking = services_by_rank(subgraph_, rank, latency_.names,
                                             std::vector<bool>(latency_.names.size()));
        return diagnosis;
    }

private:
    // The mean latency of the anomalous calls into the service; empty when there is none.
    void find_base(std::size_t node) {
        std::vector<double> sum;
        double count = 0.0;
        for (std::size_t k = 0; k < latency_.measured.size(); ++k) {
            const auto& call = latency_.measured[k];
            if (!is_anomalous_[k] || call.callee != node) continue;
            sum.resize(call.latency.size(), 0.0);
            for (std::size_t r = 0; r < sum.size(); ++r) sum[r] += call.latency[r];
            count += 1.0;
        }
        if (sum.empty()) return;
        for (double& v : sum) v /= count;
        base_[node] = std::move(sum);
        nodes_.push_back(node);
    }
    double call_weight(std::size_t v, std::size_t caller, std::size_t callee) const {
        for (std::size_t k = 0; k < latency_.measured.size(); ++k) {
            const auto& call = latency_.measured[k];
            if (call.caller != caller || call.callee != callee) continue;
            if (is_anomalous_[k]) return alpha;
            const double r = row_correlation(base_[v], call.latency);
            return std::isnan(r) ? 0.0 : std::max(0.0, r);
        }
        return 0.0;
    }
    double preference_of(std::size_t v) const {
        double sum = 0.0;
        double count = 0.0;
        for (const auto& edge : subgraph_.in_edges(v)) sum += edge.weight, count += 1.0;
        for (const auto& edge : subgraph_.out_edges(v)) sum += edge.weight, count += 1.0;
        double largest = correlation_min;
        const Frame& metrics = incident_.metrics;
        for (std::size_t c = 0; c < metrics.num_columns(); ++c) {
            const Column& column = metrics.column(c);
            const std::string& service =
                column.service.empty() ? service_of_name(column.name) : column.service;
            if (service != latency_.names[static_cast<std::uint32_t>(v)] ||
                column.name.find("latency") != std::string::npos)
                continue;
            const double r =
                std::abs(row_correlation(base_[v], at_times(metrics, c, latency_.times)));
            if (r > largest) largest = r;
        }
        return count > 0.0 ? sum / count * largest / count : 0.0;
    }

    const Incident& incident_;
    ServiceLatency latency_;
    std::vector<bool> is_anomalous_;
    std::vector<std::vector<double>> base_;
    std::vector<std::size_t> nodes_;
    graph::WeightedDigraph subgraph_;
};

Result<Diagnosis> MicroRca::diagnose(const Incident& incident, const RunContext& context) const {
    if (context.variant == Variant::reference) {
        CULPRIT_TRY_STATUS(check_calls(incident, info_.name));
        return ReferenceRun(incident).diagnose(context.stop);
    }
    CULPRIT_TRY(ServiceLatency latency, ServiceLatency::of(incident, info_.name));
    return PublishedRun(incident, std::move(latency)).diagnose(context.stop);
}

}  // namespace

std::unique_ptr<Method> make_microrca() { return std::make_unique<MicroRca>(); }

}  // namespace culprit
