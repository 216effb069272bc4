#include <memory>

#include "culprit/methods/granger_graph.h"
#include "culprit/stats/correlation_matrix.h"

namespace culprit {
namespace {

class GrangerRandomWalk : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "granger_randomwalk",
        .summary =
            "Links metrics whose past helps predict another one and walks from the symptom "
            "along the links to causes.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Granger, Investigating Causal Relations by Econometric Models and "
            "Cross-Spectral Methods, Econometrica 37(3), 1969; walk: Kim, Sumbaly, Shah, "
            "Root Cause Detection in a Service-Oriented Architecture, SIGMETRICS 2013",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(N p^2) time",
        .options = {search_options()[0]},
        .divergences = {study_walk_divergence(),
                        {.reference = "an edge needs a mean of four p-values below alpha at any of "
                                      "three lags",
                         .published = "one F test of all three lags together"},
                        {.reference = "one pair with a constant lagged column: the whole answer is "
                                      "a random order",
                         .published = "such a pair has no edge"}}};
};

Result<Diagnosis> GrangerRandomWalk::diagnose(const Incident& incident,
                                              const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    const bool reference = context.variant == Variant::reference;
    CULPRIT_TRY(auto answer, granger_search(view, table, context, info_, reference));
    if (auto* by_rule = std::get_if<Diagnosis>(&answer)) return std::move(*by_rule);
    const auto& found = std::get<GrangerGraph>(answer);
    Diagnosis diagnosis;
    if (reference) {
        diagnosis.ranking = study_walk(view, table);
    } else {
        const Matrix correlations = stats::correlation_matrix(table.values, context.num_threads);
        CULPRIT_TRY(diagnosis.ranking,
                    published_walk(view, table, found.graph, correlations, incident));
    }
    diagnosis.notes.push_back(fragility_note(found.graph, found.counts));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_granger_randomwalk() { return std::make_unique<GrangerRandomWalk>(); }

}  // namespace culprit
