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
    const auto found = granger_graph(table, context, context.option(info_, "alpha"));
    if (!found && found.error().code == ErrorCode::too_few_samples)
        return degenerate(found.error().message);
    if (!found) return tl::unexpected<Error>(found.error());
    const bool reference = context.variant == Variant::reference;
    if (reference && found->infeasible_pairs > 0)
        return infeasible_order(view, table, context, found->infeasible_pairs);
    if (found->graph.num_edges() == 0)
        return degenerate("no pair passes the Granger test: column order",
                          columns_in_order(view, table));
    const Matrix steps = granger_steps(*found);
    CULPRIT_TRY(const PageRankResult rank,
                reference ? page_rank_scikit_network(steps) : page_rank(steps));
    Diagnosis diagnosis;
    diagnosis.ranking = rank_columns(view, table, rank.scores);
    diagnosis.notes.push_back(fragility_note(found->graph, found->counts));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_granger_pagerank() { return std::make_unique<GrangerPageRank>(); }

}  // namespace culprit
