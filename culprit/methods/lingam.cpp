#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "culprit/base/random.h"
#include "culprit/causal/ica_lingam.h"
#include "culprit/causal/independent_columns.h"
#include "culprit/graph/mixed_graph.h"
#include "culprit/graph/page_rank.h"
#include "culprit/methods/graph_ranking.h"
#include "culprit/methods/kernel_refusal.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/correlation_matrix.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

enum class Walk : std::uint8_t { page_rank, random_walk };

MethodInfo info_of(Walk walk) {
    const bool is_page_rank = walk == Walk::page_rank;
    MethodInfo info = {
        .name = is_page_rank ? "lingam_pagerank" : "lingam_randomwalk",
        .summary = fmt::format(
            "Learns a linear non-Gaussian causal order over the metrics (ICA-LiNGAM) and ranks "
            "them "
            "by {}.",
            is_page_rank ? "PageRank from effects to causes" : "a random walk from the symptom"),
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Shimizu, Hoyer, Hyvarinen, Kerminen, A Linear Non-Gaussian Acyclic Model for Causal "
            "Discovery, JMLR 2006; combined by Pham, Ha, Zhang, ASE 2024",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p^2 N) per ICA iteration, up to 1000 of them; O(p^4) for the lasso paths",
        .divergences = {{.reference = "the ICA starts from an unseeded generator",
                         .published = "the ICA starts from the run's seed (both variants here)"},
                        {.reference = "raw units decide which component goes to which variable",
                         .published = "columns are standardised first"},
                        {.reference = "the ICA swings between two answers on many tables and ends "
                                      "after 1000 steps wherever it is",
                         .published = "steps are halved where they swing: it converges, in tens of "
                                      "steps"},
                        {.reference = "collinear columns: division by a vanishing singular value",
                         .published =
                             "columns that others determine are set aside, ranked last and "
                             "named in a note"}},
        .uses_randomness = true};
    if (is_page_rank)
        info.divergences.push_back(
            {.reference = "PageRank stops after 10 steps; restart mass depends on a node's own "
                          "out-links",
             .published = "PageRank converges; mass of dead ends is redistributed to all"});
    else
        info.divergences.push_back(
            {.reference = "the walk ignores the graph and the data: uniform draws from seed 0",
             .published = "steps weighted by |correlation with the symptom|, expected visits"});
    return info;
}

class Lingam : public Method {
public:
    explicit Lingam(Walk walk) : walk_(walk), info_(info_of(walk)) {}
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    Result<Diagnosis> rank(const StudyView& view, const StudyMatrix& table, const MixedGraph& graph,
                           const Incident& incident, Variant variant) const;

    Walk walk_;
    MethodInfo info_;
};

// The kept columns; `standardised` makes the match of components to variables free of units.
Matrix columns_of(const Matrix& values, const std::vector<std::size_t>& kept, bool standardised) {
    Matrix result(values.num_rows(), kept.size());
    for (std::size_t k = 0; k < kept.size(); ++k) {
        const auto source = values.column(kept[k]);
        const stats::Moments moments = stats::moments(source);
        const double mean = standardised ? moments.mean : 0.0;
        const double scale = standardised ? std::sqrt(moments.variance) : 1.0;
        std::transform(source.begin(), source.end(), result.column(k).begin(),
                       [&](double v) { return (v - mean) / scale; });
    }
    return result;
}

Result<Diagnosis> Lingam::rank(const StudyView& view, const StudyMatrix& table,
                               const MixedGraph& graph, const Incident& incident,
                               Variant variant) const {
    const bool is_reference = variant == Variant::reference;
    Diagnosis diagnosis;
    if (walk_ == Walk::random_walk && is_reference) {
        diagnosis.ranking = study_walk(view, table);
        return diagnosis;
    }
    if (graph.num_edges() == 0)
        return degenerate("LiNGAM found no edge: column order", columns_in_order(view, table));
    if (walk_ == Walk::page_rank) {
        const Matrix steps = cause_steps(graph);
        CULPRIT_TRY(const PageRankResult found,
                    is_reference ? page_rank_scikit_network(steps) : page_rank(steps));
        diagnosis.ranking = rank_columns(view, table, found.scores);
        return diagnosis;
    }
    CULPRIT_TRY(
        diagnosis.ranking,
        published_walk(view, table, graph, stats::correlation_matrix(table.values), incident));
    return diagnosis;
}

Result<Diagnosis> Lingam::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    if (table.columns.empty()) return degenerate("LiNGAM: no column moves");
    std::vector<std::size_t> kept(table.columns.size());
    for (std::size_t k = 0; k < kept.size(); ++k) kept[k] = k;
    std::vector<std::string> notes;
    if (context.variant == Variant::published) {
        kept = independent_columns(table.values);
        if (kept.size() < table.columns.size())
            notes.push_back(
                fmt::format("{} of {} columns are linear functions of others and were "
                            "set aside",
                            table.columns.size() - kept.size(), table.columns.size()));
    }
    const FastIcaOptions options = {.seed = derive_seed(context.seed, "lingam"),
                                    .shortens_steps = context.variant == Variant::published};
    const auto found =
        ica_lingam(columns_of(table.values, kept, context.variant == Variant::published), options,
                   context.stop);
    if (!found) return degenerate_or_stop(found.error());
    MixedGraph graph(table.columns.size());
    const Matrix& effects = found->model.effects;
    for (std::size_t i = 0; i < kept.size(); ++i)
        for (std::size_t j = 0; j < kept.size(); ++j)
            if (effects(i, j) != 0.0) graph.set_directed(kept[j], kept[i]);
    CULPRIT_TRY(Diagnosis diagnosis, rank(view, table, graph, incident, context.variant));
    notes.push_back(fmt::format("graph: {} edges; the ICA {} in {} iterations", graph.num_edges(),
                                found->has_converged ? "converged" : "did not converge",
                                found->num_iterations));
    diagnosis.notes = std::move(notes);
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_lingam_pagerank() { return std::make_unique<Lingam>(Walk::page_rank); }
std::unique_ptr<Method> make_lingam_randomwalk() {
    return std::make_unique<Lingam>(Walk::random_walk);
}

}  // namespace culprit
