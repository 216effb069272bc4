#include <memory>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/deviation.h"

namespace culprit {
namespace {

class NSigma : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "nsigma",
        .summary =
            "Ranks each metric by its largest deviation after the alert in standard "
            "deviations of the time before.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "The 3-sigma baseline of Li et al., Causal Inference-Based Root Cause Analysis "
            "for Online Service Systems with Intervention Recognition, KDD 2022",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p N) time",
        .divergences = {
            {.reference = "only increases count", .published = "increases and decreases count"},
            {.reference = "a column constant on either side of the alert is dropped",
             .published = "it is kept; one that was constant before is measured in 5 % of its "
                          "largest value"}}};
};

Result<Diagnosis> NSigma::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::unrepaired(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    CULPRIT_TRY(
        const std::vector<double> scores,
        deviation_scores(view, context, [](auto before, auto after, const auto& options, auto&) {
            return stats::standard_deviations_away(before, after, options);
        }));
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(column_suspects(view, scores));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_nsigma() { return std::make_unique<NSigma>(); }

}  // namespace culprit
