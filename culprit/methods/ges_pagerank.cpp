#include <fmt/format.h>

#include <memory>

#include "culprit/causal/ges.h"
#include "culprit/graph/page_rank.h"
#include "culprit/methods/graph_ranking.h"
#include "culprit/methods/kernel_refusal.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/correlation_matrix.h"

namespace culprit {
namespace {

class GesPageRank : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "ges_pagerank",
        .summary =
            "Learns a causal graph over the metrics by greedy equivalence search (GES, BIC) and "
            "ranks them by PageRank from effects to causes. In RCAEval, not in the study.",
        .family = MethodFamily::metric,
        .citation =
            "Chickering, Optimal Structure Identification With Greedy Search, JMLR 2002; combined "
            "by Pham, Ha, Zhang, ASE 2024",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p^2) local scores of O(k^3), k parents; each computed once",
        .variants = {Variant::published},
        .options = {{.name = "penalty",
                     .default_value = 1,
                     .minimum = 0.1,
                     .maximum = 100,
                     .help = "factor of BIC's penalty; larger gives sparser graphs"}}};
};

Result<Diagnosis> GesPageRank::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    if (table.columns.empty() || view.num_rows() < 3)
        return degenerate(fmt::format("GES needs a moving column and 3 rows, got {} and {}",
                                      table.columns.size(), view.num_rows()));
    const Matrix correlations = stats::correlation_matrix(table.values, context.num_threads);
    const auto score =
        gaussian_bic(correlations, view.num_rows(), context.option(info_, "penalty"));
    const auto found = ges(table.columns.size(), score, {.stop = context.stop});
    if (!found) return degenerate_or_stop(found.error());
    if (found->graph.num_edges() == 0)
        return degenerate("GES found no edge: column order", columns_in_order(view, table));
    CULPRIT_TRY(const PageRankResult rank, page_rank(cause_steps(found->graph)));
    Diagnosis diagnosis;
    diagnosis.ranking = rank_columns(view, table, rank.scores);
    diagnosis.notes.push_back(fmt::format("graph: {} edges from {} insertions and {} deletions",
                                          found->graph.num_edges(), found->num_insertions,
                                          found->num_deletions));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_ges_pagerank() { return std::make_unique<GesPageRank>(); }

}  // namespace culprit
