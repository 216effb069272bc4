#include <memory>

#include "culprit/graph/page_rank.h"
#include "culprit/methods/granger_graph.h"

namespace culprit {
namespace {

class GrangerPageRank : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "granger_pagerank",
        .summary =
            "Links metrics whose past helps predict another one and ranks them by PageRank "
            "from effects to causes.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Granger, Investigating Causal Relations by Econometric Models and "
            "Cross-Spectral Methods, Econometrica 37(3), 1969; Page, Brin, Motwani, "
            "Winograd, The PageRank Citation Ranking, Stanford 1999",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(N p^2) time",
        .options = {search_options()[0]},
        .divergences = {
            {.reference = "an edge needs a mean of four p-values (one test counted twice, two "
                          "asymptotic ones) below alpha at any of three lags",
             .published = "one F test of all three lags together"},
            {.reference = "one pair with a constant lagged column: the whole answer is a random "
                          "order",
             .published = "such a pair has no edge"},
            {.reference = "PageRank stops after 10 steps; restart mass depends on a node's own "
                          "out-links",
             .published = "PageRank converges; mass of dead ends is redistributed to all"}}};
};

Result<Diagnosis> GrangerPageRank::diagnose(const Incident& incident,
                                            const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    CULPRIT_TRY(auto answer, granger_search(view, table, context, info_));
    if (auto* by_rule = std::get_if<Diagnosis>(&answer)) return std::move(*by_rule);
    const auto& found = std::get<GrangerGraph>(answer);
    const Matrix steps = granger_steps(found);
    CULPRIT_TRY(const PageRankResult rank, context.variant == Variant::reference
                                               ? page_rank_scikit_network(steps)
                                               : page_rank(steps));
    Diagnosis diagnosis;
    diagnosis.ranking = rank_columns(view, table, rank.scores);
    diagnosis.notes.push_back(fragility_note(found.graph, found.counts));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_granger_pagerank() { return std::make_unique<GrangerPageRank>(); }

}  // namespace culprit
