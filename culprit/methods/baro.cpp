#include <memory>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/deviation.h"

namespace culprit {
namespace {

class Baro : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "baro",
        .summary =
            "Ranks each metric by its largest deviation after the alert in interquartile ranges of "
            "the time before.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Pham, Ha, Zhang, BARO: Robust Root Cause Analysis for Microservices via Multivariate "
            "Bayesian Online Change Point Detection, FSE 2024 (its RobustScorer)",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p N) expected time, by selection",
        .divergences = {
            {.reference = "only increases count", .published = "increases and decreases count"},
            {.reference = "a column constant on either side of the alert is dropped",
             .published = "it is kept; one that was constant before is measured in 5 % of its "
                          "largest value"},
            {.reference = "an interquartile range of 0 becomes 1: the score is then in the "
                          "metric's own unit and large units win",
             .published = "the range becomes 1.349 standard deviations, so that units cancel out"},
            {.reference = "the alert comes from the injection time",
             .published = "likewise: change-point detection is not part of this method"}}};
};

Result<Diagnosis> Baro::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::unrepaired(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    CULPRIT_TRY(const std::vector<double> scores,
                deviation_scores(view, context, stats::quartile_ranges_away));
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(column_suspects(view, scores));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_baro() { return std::make_unique<Baro>(); }

}  // namespace culprit
