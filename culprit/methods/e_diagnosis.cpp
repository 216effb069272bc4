#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "culprit/base/random.h"
#include "culprit/methods/column_scores.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/correlation.h"
#include "culprit/stats/energy_distance.h"
#include "culprit/stats/resampled_correlation.h"

namespace culprit {
namespace {

class EDiagnosis : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "e_diagnosis",
        .summary =
            "Tests for each metric whether the time before and after the alert come from one "
            "distribution, by epsilon statistics.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Shan, Chen, Liu, Zhang, Xiao, He, Li, Ding, epsilon-Diagnosis: Unsupervised and "
            "Real-time Diagnosis of Small-window Long-tail Latency in Large-scale Microservice "
            "Platforms, WWW 2019",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p B^2 N) time at most (reference), O(p B N) (published), B = 200 resamples",
        .divergences =
            {{.reference = "squared correlation of the k-th row before with the k-th row after: it "
                           "flags metrics whose two stretches look alike, and mixes ddof 0 and 1",
              .published =
                  "energy distance of the two samples (Szekely and Rizzo), which grows with "
                  "any difference in distribution"},
             {.reference =
                  "thresholds from all pairs of 200 unseeded resamples of the time before; drawn "
                  "anew for each metric, here once for all",
              .published =
                  "a seeded permutation test with 199 permutations, the same for all metrics"},
             {.reference = "at most three metrics are returned",
              .published = "all, significant ones first"}},
        .uses_randomness = true};
};

constexpr std::size_t resamples = 200;
constexpr double significance = 0.01;

double squared_correlation(std::span<const double> x, std::span<const double> y) {
    const double r = stats::correlation(x, y);
    return std::isnan(r) ? 0.0 : r * r;
}

Result<Diagnosis> run_reference(const StudyView& view, const RunContext& context) {
    const std::size_t n = std::min(view.num_normal(), view.num_rows() - view.num_normal());
    Diagnosis diagnosis;
    if (n < 3) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = fmt::format("e_diagnosis needs 3 rows on both sides, got {}", n);
        return diagnosis;
    }
    Random random(context.seed);
    const stats::Resamples drawn(n, resamples, random);
    const auto score = [&](std::size_t c, std::vector<double>&) {
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        if (!is_scored(view, c, Variant::reference)) return nan;
        const auto before = view.normal(c).last(n);
        const auto after = view.anomalous(c).first(n);
        if (!varies(before) || !varies(after)) return nan;
        const auto rows = static_cast<double>(n);
        const double statistic =
            squared_correlation(before, after) * rows / (rows - 1.0) * rows / (rows - 1.0);
        const bool is_significant =
            stats::exceeds_resampled_correlation(statistic, before, drawn, 1.0 - significance);
        return is_significant ? statistic : nan;
    };
    CULPRIT_TRY(std::vector<double> scores, series_scores(view.num_columns(), context, score, 1));
    const Ranking all = Ranking::from(column_suspects(view, scores));
    const auto suspects = all.suspects();
    constexpr std::size_t ranked_max = 3;
    diagnosis.ranking = Ranking::from(
        {suspects.begin(),
         suspects.begin() + static_cast<std::ptrdiff_t>(std::min(ranked_max, suspects.size()))});
    return diagnosis;
}

Result<Diagnosis> run_published(const StudyView& view, const RunContext& context) {
    Random random(context.seed);
    const stats::RandomDivisions divisions(view.num_normal(), view.num_rows() - view.num_normal(),
                                           resamples - 1, random);
    std::vector<char> is_significant(view.num_columns());
    const auto score = [&](std::size_t c, std::vector<double>&) {
        if (!is_scored(view, c, Variant::published))
            return std::numeric_limits<double>::quiet_NaN();
        const stats::EnergyFinding finding =
            stats::energy_permutation(view.normal(c), view.anomalous(c), divisions, significance);
        is_significant[c] = finding.p_value <= significance ? 1 : 0;
        // The statistic lies in [0, 1]: significant metrics come before all others.
        return finding.inhomogeneity + (is_significant[c] != 0 ? 1.0 : 0.0);
    };
    CULPRIT_TRY(const std::vector<double> scores,
                series_scores(view.num_columns(), context, score, 1));
    Diagnosis diagnosis;
    diagnosis.notes.push_back(
        fmt::format("{} metrics differ at the {} level; 1 is added to their statistic",
                    std::count(is_significant.begin(), is_significant.end(), 1), significance));
    diagnosis.ranking = Ranking::from(column_suspects(view, scores));
    return diagnosis;
}

Result<Diagnosis> EDiagnosis::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    return context.variant == Variant::reference ? run_reference(view, context)
                                                 : run_published(view, context);
}

}  // namespace

std::unique_ptr<Method> make_e_diagnosis() { return std::make_unique<EDiagnosis>(); }

}  // namespace culprit
