#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"

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
        .divergences = {{.reference =
                             "only increases count; columns constant on either side of the "
                             "alert are dropped",
                         .published = "increases and decreases count; a column that is constant on "
                                      "one side only is kept"}}};
};

struct Location {
    double mean = 0.0;
    double scale = 1.0;  // standard deviation, ddof 0; 1 when it is rounding noise
};

Location locate(std::span<const double> values) {
    const auto n = static_cast<double>(values.size());
    double sum = 0.0;
    for (const double v : values) sum += v;
    Location location;
    location.mean = sum / n;
    double squares = 0.0;
    for (const double v : values) squares += (v - location.mean) * (v - location.mean);
    const double variance = squares / n;
    // The rule of scikit-learn's StandardScaler for a variance that is only rounding.
    constexpr double eps = std::numeric_limits<double>::epsilon();
    const double floor = n * location.mean * eps;
    if (variance > n * eps * variance + floor * floor) location.scale = std::sqrt(variance);
    return location;
}

Result<Diagnosis> NSigma::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    if (view.num_normal() == 0 || view.num_normal() == view.num_rows())
        return fail(ErrorCode::too_few_samples,
                    "nsigma needs rows on both sides of the alert, got none on one side");
    const bool reference = context.variant == Variant::reference;
    std::vector<Suspect> suspects;
    for (std::size_t c = 0; c < view.num_columns(); ++c) {
        const auto normal = view.normal(c);
        const auto anomalous = view.anomalous(c);
        if (reference ? !varies(normal) || !varies(anomalous) : !varies(view.column(c))) continue;
        const Location location = locate(normal);
        double score = -std::numeric_limits<double>::infinity();
        for (const double v : anomalous) {
            const double z = (v - location.mean) / location.scale;
            score = std::max(score, reference ? z : std::abs(z));
        }
        suspects.push_back({view.names()[c], view.service(c), score, {}});
    }
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_nsigma() { return std::make_unique<NSigma>(); }

}  // namespace culprit
