#include <memory>

#include "culprit/graph/page_rank.h"
#include "culprit/methods/graph_search.h"

namespace culprit {
namespace {

class FciPageRank : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "fci_pagerank",
        .summary =
            "Learns a causal graph that allows for hidden common causes with FCI and ranks "
            "the metrics by PageRank from effects to causes.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Spirtes, Meek, Richardson, Causal Inference in the Presence of Latent "
            "Variables and Selection Bias, UAI 1995; Zhang, On the Completeness of "
            "Orientation Rules, Artificial Intelligence 172, 2008; Page, Brin, Motwani, "
            "Winograd, The PageRank Citation Ranking, Stanford 1999",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "exponential in the degree and in the possible d-separators",
        .options = search_options(),
        .divergences = {
            {.reference = "a o-> b is stepped from a, the possible cause, to b",
             .published = "from b to a, like a -> b"},
            {.reference = "rule 3 never fires, rules 5 to 10 are missing, possible d-separators "
                          "end after two steps, a set found there counts for one order of the pair",
             .published = "all ten rules, complete possible d-separators"},
            {.reference = "PageRank takes as many steps as the raw table has columns; restart mass "
                          "depends on a node's own out-links",
             .published = "PageRank converges; mass of dead ends is redistributed to all"},
            {.reference = "no edge: an exception that ends the evaluation",
             .published = "no edge: column order, marked degenerate"}}};
};

Result<Diagnosis> FciPageRank::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    const bool reference = context.variant == Variant::reference;
    CULPRIT_TRY(const auto search, search_with_fci(table, context, info_));
    const auto& found = search.found;
    Diagnosis diagnosis;
    if (found.graph.num_edges() == 0) {
        diagnosis = reference ? degenerate("FCI found no edge: the reference fails here")
                              : degenerate("FCI found no edge: column order",
                                           columns_in_order(view, table));
    } else {
        const PageRankOptions study = {
            .damping = 0.85, .iterations_max = view.num_node(), .tolerance = 1e-6};
        CULPRIT_TRY(const PageRankResult rank,
                    reference ? page_rank_scikit_network(study_steps(found.graph), study)
                              : page_rank(cause_steps(found.graph)));
        diagnosis.ranking = rank_columns(view, table, rank.scores);
    }
    add_search_notes(diagnosis, found.graph, found.counts, found.truncated);
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_fci_pagerank() { return std::make_unique<FciPageRank>(); }

}  // namespace culprit
