#include <memory>

#include "culprit/methods/graph_search.h"

namespace culprit {
namespace {

class PcRandomWalk : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "pc_randomwalk",
        .summary =
            "Learns a causal graph over the metrics with the PC algorithm and walks from "
            "the symptom to causes.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Spirtes, Glymour, Scheines, Causation, Prediction, and Search, MIT Press "
            "2000; walk: Kim, Sumbaly, Shah, Root Cause Detection in a Service-Oriented "
            "Architecture, SIGMETRICS 2013",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "exponential in the largest degree of the graph, O(p^2) tests when it is sparse",
        .options = search_options(),
        .divergences = {
            study_walk_divergence(),
            {.reference = "all subsets are tested; the union of the separating sets decides on "
                          "colliders; an incomplete ancestor table blocks some of Meek's rules",
             .published = "the first separating set ends the search of a pair and decides"}}};
};

Result<Diagnosis> PcRandomWalk::diagnose(const Incident& incident,
                                         const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    if (table.columns.empty()) return degenerate("no column varies");
    CULPRIT_TRY(const auto search, search_with_pc(table, context, info_));
    const auto& found = search.found;
    CULPRIT_TRY(Diagnosis diagnosis,
                walk_from_symptom(view, table, found.graph, search.test.correlations(), incident,
                                  context.variant, "PC"));
    add_search_notes(diagnosis, found.graph, found.counts, found.truncated);
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_pc_randomwalk() { return std::make_unique<PcRandomWalk>(); }

}  // namespace culprit
