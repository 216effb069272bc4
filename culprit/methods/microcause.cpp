#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "culprit/base/random.h"
#include "culprit/causal/pcmci.h"
#include "culprit/graph/random_walk.h"
#include "culprit/methods/graph_ranking.h"
#include "culprit/methods/kernel_refusal.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/correlation_matrix.h"
#include "culprit/stats/partial_correlation.h"
#include "culprit/stats/peaks_over_threshold.h"

namespace culprit {
namespace {

constexpr double rho = 0.2;     // weight of going back, as the authors' code has it
constexpr double lambda = 0.5;  // share of the visits in the final score
constexpr std::size_t walk_steps = 1000;

class MicroCause : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "microcause",
        .summary =
            "Learns a lagged causal graph over the metrics (PCMCI) and walks it from the symptom, "
            "weighted by partial correlations.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Meng, Zhang, Sun, Zhang, Hu, Zhang, Pei, Localizing Failure Root Causes in a "
            "Microservice through Causality Inference, IWQoS 2020",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p^2 lag_max) partial correlations of the number of lagged parents",
        .options = {{.name = "lag_max",
                     .default_value = 10,
                     .minimum = 1,
                     .maximum = 30,
                     .help = "largest lag in rows"},
                    {.name = "sampled_walks",
                     .default_value = 0,
                     .minimum = 0,
                     .maximum = 100000,
                     .help =
                         "0 = exact expected visits; else this many sampled walks of 1000 steps"}},
        .divergences = {
            {.reference = "the walk starts at the latency of the service that was broken: the "
                          "answer. Here at the incident's symptom, else at the first latency",
             .published = "the walk starts at the incident's symptom, else at the first latency"},
            {.reference = "edges point from effect to cause, but the weights read them the other "
                          "way: forward and backward steps and the confounders are swapped",
             .published =
                 "a step from effect to cause has weight R(cause), one back rho R(effect), "
                 "given the causes of both"},
            {.reference = "lag 0 counts, in both directions, at alpha 0.05",
             .published = "lags from 1 on, at alpha 0.001 (the authors' code)"},
            {.reference = "the anomaly score is the constant 1",
             .published = "anomaly score by the SPOT threshold of the time before the alert"},
            {.reference = "a million random draws, unseeded; here their exact expectation",
             .published = "exact expected visits; sampling as an option"}}};
};

// The edges of the walk: is_edge(effect, cause), self-loops included, as the reference stores them.
struct LagGraph {
    std::size_t num = 0;
    std::vector<bool> edges;
    bool is_edge(std::size_t effect, std::size_t cause) const {
        return edges[effect * num + cause];
    }
};

LagGraph lag_graph(const PcmciFinding& found, Variant variant) {
    LagGraph graph = {found.num_variables, {}};
    graph.edges.assign(graph.num * graph.num, false);
    const std::size_t first_lag = variant == Variant::reference ? 0 : 1;
    for (std::size_t target = 0; target < graph.num; ++target)
        for (std::size_t source = 0; source < graph.num; ++source)
            for (std::size_t lag = first_lag; lag <= found.lag_max; ++lag) {
                const LagLink link = found.link(source, target, lag);
                if (link == LagLink::causes || link == LagLink::undirected)
                    graph.edges[target * graph.num + source] = true;
            }
    return graph;
}

// The correlation of each column with the symptom given the parents of both. What counts as a
// parent of v: in the paper its causes; in the reference, which reads edges the other way, its
// effects. The reference inverts the covariance by pseudo-inverse; what is no number there counts
// as zero.
std::vector<double> relevance(const LagGraph& graph, const Matrix& values, std::size_t symptom,
                              Variant variant, unsigned num_threads) {
    const bool reference = variant == Variant::reference;
    const Matrix relation = reference ? stats::co_moment_matrix(values, num_threads)
                                      : stats::correlation_matrix(values, num_threads);
    const auto is_parent = [&](std::size_t u, std::size_t v) {
        return u != v && (reference ? graph.is_edge(u, v) : graph.is_edge(v, u));
    };
    stats::PartialCorrelator correlator(relation);
    std::vector<double> result(graph.num, 0.0);
    for (std::size_t v = 0; v < graph.num; ++v) {
        if (v == symptom) continue;
        std::vector<std::size_t> given;
        for (std::size_t u = 0; u < graph.num; ++u)
            if (u != symptom && u != v && (is_parent(u, symptom) || is_parent(u, v)))
                given.push_back(u);
        const double partial = reference
                                   ? stats::pseudo_inverse_correlation(relation, symptom, v, given)
                                   : correlator.of(symptom, v, given).r;
        result[v] = std::isnan(partial) ? 0.0 : std::abs(partial);
    }
    return result;
}

// Step weights as the reference fills them; later assignments overwrite earlier ones.
Matrix reference_weights(const LagGraph& graph, const std::vector<double>& r, std::size_t symptom) {
    Matrix weights(graph.num, graph.num);
    for (std::size_t a = 0; a < graph.num; ++a)
        for (std::size_t b = 0; b < graph.num; ++b) {
            if (!graph.is_edge(a, b) || a == b) continue;
            if (a != symptom) weights(b, a) = r[a];
            if (!graph.is_edge(b, a) && b != symptom) weights(a, b) = rho * r[b];
        }
    for (std::size_t i = 0; i < graph.num; ++i) {
        if (i == symptom) continue;
        double largest = 0.0;
        for (std::size_t k = 0; k < graph.num; ++k)
            if (k != symptom && graph.is_edge(k, i)) largest = std::max(largest, r[k]);
        weights(i, i) = std::max(0.0, r[i] - largest);
    }
    return weights;
}

// Meng et al.: forward to causes, backward to effects, stay when nothing ahead explains more.
Matrix published_weights(const LagGraph& graph, const std::vector<double>& r, std::size_t symptom) {
    Matrix weights(graph.num, graph.num);
    for (std::size_t effect = 0; effect < graph.num; ++effect) {
        double largest = 0.0;
        for (std::size_t cause = 0; cause < graph.num; ++cause) {
            if (cause == effect || !graph.is_edge(effect, cause)) continue;
            weights(effect, cause) = r[cause];
            largest = std::max(largest, r[cause]);
            if (!graph.is_edge(cause, effect)) weights(cause, effect) = rho * r[effect];
        }
        if (effect != symptom) weights(effect, effect) = std::max(0.0, r[effect] - largest);
    }
    return weights;
}

// How far the suspect window goes beyond the level that the time before it exceeds once in a
// thousand, both as distances from the earlier median.
double anomaly_degree(std::span<const double> normal, std::span<const double> suspect) {
    if (normal.empty() || suspect.empty()) return 0.0;
    std::vector<double> sorted(normal.begin(), normal.end());
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2),
                     sorted.end());
    const double median = sorted[sorted.size() / 2];
    std::vector<double> distances;
    for (const double v : normal) distances.push_back(std::abs(v - median));
    const double level = stats::peaks_over_threshold(distances, 0.9, 1e-3);
    double largest = 0.0;
    for (const double v : suspect) largest = std::max(largest, std::abs(v - median));
    const double scale = std::max(level, 1e-9 * (std::abs(median) + largest));
    return scale > 0.0 ? std::max(0.0, largest - scale) / scale : 0.0;
}

std::vector<double> sampled_visits(const Matrix& weights, std::size_t start, std::size_t num_walks,
                                   std::uint64_t seed) {
    const std::size_t n = weights.num_rows();
    Random random(seed);
    std::vector<double> visits(n, 0.0);
    for (std::size_t walk = 0; walk < num_walks; ++walk) {
        std::size_t at = start;
        for (std::size_t step = 0; step < walk_steps; ++step) {
            double total = 0.0;
            for (std::size_t k = 0; k < n; ++k) total += weights(at, k);
            if (!(total > 0.0)) break;
            double draw = random.uniform() * total;
            std::size_t next = n;
            for (std::size_t k = 0; k < n; ++k) {
                if (weights(at, k) <= 0.0) continue;
                next = k;
                draw -= weights(at, k);
                if (draw < 0.0) break;
            }
            at = next;
            visits[at] += 1.0;
        }
    }
    return visits;
}

// lambda * visits / max + (1 - lambda) * degree / max.
std::vector<double> combined(std::vector<double> visits, const std::vector<double>& degrees) {
    const double most_visits = *std::max_element(visits.begin(), visits.end());
    const double most_degree = *std::max_element(degrees.begin(), degrees.end());
    for (std::size_t k = 0; k < visits.size(); ++k)
        visits[k] = lambda * (most_visits > 0.0 ? visits[k] / most_visits : 0.0) +
                    (1.0 - lambda) * (most_degree > 0.0 ? degrees[k] / most_degree : 0.0);
    return visits;
}

Result<Diagnosis> MicroCause::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    if (table.columns.empty()) return degenerate("microcause: no column moves");
    const bool reference = context.variant == Variant::reference;
    const PcmciOptions options = {
        .lag_max = static_cast<std::size_t>(context.option(info_, "lag_max")),
        .alpha = reference ? 0.05 : 0.001,
        .num_threads = context.num_threads};
    const auto found = pcmci(table.values, options, context.stop);
    if (!found) return degenerate_or_stop(found.error());

    const std::size_t symptom = symptom_column(view, table, incident);
    const LagGraph graph = lag_graph(*found, context.variant);
    const std::vector<double> r =
        relevance(graph, table.values, symptom, context.variant, context.num_threads);
    const Matrix weights = (reference ? reference_weights : published_weights)(graph, r, symptom);
    const auto num_walks = static_cast<std::size_t>(context.option(info_, "sampled_walks"));
    std::vector<double> visits;
    if (num_walks > 0) {
        visits = sampled_visits(weights, symptom, num_walks, derive_seed(context.seed, info_.name));
    } else {
        CULPRIT_TRY(visits, expected_visits(weights, symptom, walk_steps));
    }
    std::vector<double> degrees(table.columns.size(), 1.0);
    if (!reference)
        for (std::size_t k = 0; k < degrees.size(); ++k)
            degrees[k] =
                anomaly_degree(view.normal(table.columns[k]), view.anomalous(table.columns[k]));
    Diagnosis diagnosis;
    diagnosis.ranking = rank_columns(view, table, combined(visits, degrees));
    if (std::all_of(visits.begin(), visits.end(), [](double v) { return v == 0.0; }))
        diagnosis = degenerate(
            fmt::format("microcause: no edge leads away from the symptom {}", table.names[symptom]),
            std::move(diagnosis.ranking));
    diagnosis.notes.push_back(fmt::format(
        "walk from {}; {} of {} tests of the graph with p within a factor of two of alpha",
        table.names[symptom], found->num_near_alpha, found->p_values.size()));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_microcause() { return std::make_unique<MicroCause>(); }

}  // namespace culprit
