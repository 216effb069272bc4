#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "culprit/base/random.h"
#include "culprit/causal/dag_gnn.h"
#include "culprit/graph/page_rank.h"
#include "culprit/methods/graph_ranking.h"
#include "culprit/methods/kernel_refusal.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"

namespace culprit {
namespace {

class CausalRca : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "causalrca",
        .summary =
            "Learns a weighted acyclic graph over the metrics by a neural auto-encoder (DAG-GNN) "
            "and ranks them by PageRank over its weights.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Xin, Chen, Zhao, CausalRCA: Causal Inference based Precise Fine-grained Root Cause "
            "Localization for Microservice Applications, J. Systems and Software 203, 2023; Yu, "
            "Chen, Gao, Yu, DAG-GNN, ICML 2019",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "some 10,000 epochs of O(N p^2 + p^3 log p)",
        .options = {{.name = "epochs",
                     .default_value = 500,
                     .minimum = 1,
                     .maximum = 5000,
                     .help = "epochs per round of the augmented Lagrangian"}},
        .divergences = {{.reference =
                             "transposes the graph twice: the surfer steps from cause to effect",
                         .published = "steps from effect to cause, until PageRank converges"},
                        {.reference = "initial weights from an unseeded generator",
                         .published = "initial weights from the run's seed (both variants here)"},
                        {.reference =
                             "columns divided by their signed maximum; a maximum of 0 gives NaN "
                             "(here: such columns by their largest magnitude)",
                         .published = "columns divided by their largest magnitude"}},
        .uses_randomness = true};
};

// Columns of order one, as the auto-encoder needs them.
Matrix scaled(const Matrix& values, bool by_signed_maximum) {
    Matrix result = values;
    for (std::size_t c = 0; c < result.num_columns(); ++c) {
        const auto column = result.column(c);
        double largest = 0.0;
        for (const double v : column) largest = std::max(largest, std::abs(v));
        const double maximum = *std::max_element(column.begin(), column.end());
        const double scale = by_signed_maximum && maximum != 0.0 ? maximum : largest;
        for (double& v : column) v /= scale;
    }
    return result;
}

Result<Diagnosis> CausalRca::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    const bool reference = context.variant == Variant::reference;
    const DagGnnOptions options = {
        .epochs_per_round = static_cast<int>(context.option(info_, "epochs")),
        .seed = derive_seed(context.seed, info_.name)};
    const auto found = dag_gnn(scaled(table.values, reference), options, context.stop);
    if (!found) return degenerate_or_stop(found.error());
    const std::size_t p = table.columns.size();
    Matrix steps(p, p);
    std::size_t num_edges = 0;
    for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j) {
            const double weight = std::abs(found->weights(i, j));
            num_edges += weight > 0.0 ? 1 : 0;
            (reference ? steps(i, j) : steps(j, i)) = weight;
        }
    if (num_edges == 0)
        return degenerate("DAG-GNN found no edge: column order", columns_in_order(view, table));
    CULPRIT_TRY(const PageRankResult rank,
                reference ? page_rank_scikit_network(steps) : page_rank(steps));
    Diagnosis diagnosis;
    diagnosis.ranking = rank_columns(view, table, rank.scores);
    diagnosis.notes.push_back(fmt::format("graph: {} edges after {} epochs, h = {:.1e}", num_edges,
                                          found->num_epochs, found->acyclicity));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_causalrca() { return std::make_unique<CausalRca>(); }

}  // namespace culprit
