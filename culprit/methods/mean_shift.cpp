#include <cmath>
#include <memory>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/moments.h"

namespace culprit {
namespace {

class MeanShift : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "mean_shift",
        .summary =
            "Trivial baseline: |mean after - mean before| / (standard deviation before + 5 % of "
            "|mean before|), over every column; a series that was zero before scores 0. It beats "
            "most "
            "published methods on several public sets.",
        .family = MethodFamily::baseline,
        .citation = "none; the 5 % keep a quiet metric from winning by its quietness",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p N) time",
        .variants = {Variant::published}};
};

double shift(std::span<const double> before, std::span<const double> after) {
    constexpr double share_of_level = 0.05;
    const stats::Moments normal = stats::moments(before);
    const double change = std::abs(stats::mean(after) - normal.mean);
    const double scale = std::sqrt(normal.variance) + share_of_level * std::abs(normal.mean);
    // Silent before: there is no scale to measure by, and the series has no say.
    return scale == 0.0 ? 0.0 : change / scale;
}

Result<Diagnosis> MeanShift::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::unrepaired(incident, StudyView::Columns::all));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    CULPRIT_TRY(
        const std::vector<double> scores,
        series_scores(view.num_columns(), context, [&](std::size_t c, std::vector<double>& s) {
            const auto values = view.complete(c, s);
            return shift(values.first(view.num_normal()), values.subspan(view.num_normal()));
        }));
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(column_suspects(view, scores));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_mean_shift() { return std::make_unique<MeanShift>(); }

}  // namespace culprit
