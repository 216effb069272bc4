#include <memory>

#include "culprit/methods/graph_search.h"

namespace culprit {
namespace {

class FciRandomWalk : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "fci_randomwalk",
        .summary =
            "Learns a causal graph that allows for hidden common causes with FCI and walks "
            "from the symptom to causes.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Spirtes, Meek, Richardson, Causal Inference in the Presence of Latent "
            "Variables and Selection Bias, UAI 1995; Zhang, On the Completeness of "
            "Orientation Rules, Artificial Intelligence 172, 2008; walk: Kim, Sumbaly, "
            "Shah, Root Cause Detection in a Service-Oriented Architecture, SIGMETRICS "
            "2013",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "exponential in the degree and in the possible d-separators",
        .options = search_options(),
        .divergences = {
            study_walk_divergence(),
            {.reference = "rule 3 never fires, rules 5 to 10 are missing, possible d-separators "
                          "end after two steps, a set found there counts for one order of the pair",
             .published = "all ten rules, complete possible d-separators"}}};
};

Result<Diagnosis> FciRandomWalk::diagnose(const Incident& incident,
                                          const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    if (table.columns.empty()) return degenerate("no column varies");
    CULPRIT_TRY(const auto search, search_with_fci(table, context, info_));
    const auto& found = search.found;
    CULPRIT_TRY(Diagnosis diagnosis,
                walk_from_symptom(view, table, found.graph, search.test.correlations(), incident,
                                  context.variant, "FCI"));
    add_search_notes(diagnosis, found.graph, found.counts, found.truncated);
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_fci_randomwalk() { return std::make_unique<FciRandomWalk>(); }

}  // namespace culprit
