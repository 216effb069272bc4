#include <memory>

#include "culprit/graph/page_rank.h"
#include "culprit/methods/graph_search.h"

namespace culprit {
namespace {

class PcPageRank : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "pc_pagerank",
        .summary =
            "Learns a causal graph over the metrics with the PC algorithm and ranks them by "
            "PageRank from effects to causes.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Spirtes, Glymour, Scheines, Causation, Prediction, and Search, MIT Press 2000; Page, "
            "Brin, Motwani, Winograd, The PageRank Citation Ranking, Stanford 1999; combined by "
            "Pham, Ha, Zhang, Root Cause Analysis for Microservice Systems based on Causal "
            "Inference: How Far Are We?, ASE 2024",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "exponential in the largest degree of the graph, O(p^2) tests when it is sparse",
        .options = search_options(),
        .divergences = {
            {.reference =
                 "columns without an edge are left out of the graph but not of the list of "
                 "names: every later name is shifted, the last ones are missing",
             .published = "columns without an edge keep their name and the restart mass"},
            {.reference = "PageRank stops after 10 steps; restart mass depends on a node's own "
                          "out-links",
             .published = "PageRank converges; mass of dead ends is redistributed to all"},
            {.reference = "all subsets are tested; the union of the separating sets decides on "
                          "colliders; an incomplete ancestor table blocks some of Meek's rules",
             .published = "the first separating set ends the search of a pair and decides"},
            {.reference = "no edge: an exception that ends the evaluation",
             .published = "no edge: column order, marked degenerate"}}};
};

// The library keeps only nodes with an edge and zips their scores with the names of all columns.
Result<Diagnosis> shifted_ranking(const StudyView& view, const StudyMatrix& table,
                                  const MixedGraph& graph) {
    std::vector<std::size_t> kept;
    for (std::size_t v = 0; v < graph.num_nodes(); ++v)
        if (graph.degree(v) > 0) kept.push_back(v);
    if (kept.empty()) return degenerate("PC found no edge: the reference fails here");
    const Matrix all = cause_steps(graph);
    Matrix steps(kept.size(), kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i)
        for (std::size_t j = 0; j < kept.size(); ++j) steps(i, j) = all(kept[i], kept[j]);
    CULPRIT_TRY(const PageRankResult rank, page_rank_scikit_network(steps));
    std::vector<Suspect> suspects;
    for (std::size_t i = 0; i < kept.size(); ++i)
        suspects.push_back({table.names[i], view.service(table.columns[i]), rank.scores[i]});
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(std::move(suspects));
    if (kept.size() < table.columns.size())
        diagnosis.notes.push_back(
            "names are shifted, as in the reference: some columns have no "
            "edge");
    return diagnosis;
}

Result<Diagnosis> converged_ranking(const StudyView& view, const StudyMatrix& table,
                                    const MixedGraph& graph) {
    if (graph.num_edges() == 0)
        return degenerate("PC found no edge: column order", columns_in_order(view, table));
    CULPRIT_TRY(const PageRankResult rank, page_rank(cause_steps(graph)));
    Diagnosis diagnosis;
    diagnosis.ranking = rank_columns(view, table, rank.scores);
    return diagnosis;
}

Result<Diagnosis> PcPageRank::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    const bool reference = context.variant == Variant::reference;
    CULPRIT_TRY(const auto search, search_with_pc(table, context, info_));
    const auto& found = search.found;
    CULPRIT_TRY(Diagnosis diagnosis,
                (reference ? shifted_ranking : converged_ranking)(view, table, found.graph));
    add_search_notes(diagnosis, found.graph, found.counts, found.truncated);
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_pc_pagerank() { return std::make_unique<PcPageRank>(); }

}  // namespace culprit
