#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "culprit/base/random.h"
#include "culprit/causal/psi_pc.h"
#include "culprit/methods/column_scores.h"
#include "culprit/methods/graph_ranking.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/kmeans_bins.h"

namespace culprit {
namespace {

constexpr int num_bins = 5;

class Rcd : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "rcd",
        .summary =
            "Treats the incident as an intervention and searches the metrics whose distribution "
            "depends on it directly, by conditional tests within random chunks.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Ikram, Chakraborty, Mitra, Saini, Bagchi, Kocaoglu, Root Cause Analysis of Failures "
            "in Microservices through Causal Discovery, NeurIPS 2022",
        .reads = "metrics",
        .ranks = "metric columns that depend on the incident; often few, possibly none",
        .cost = "O(p N log N) to discretise; 2^5 chi-square tests per chunk of 5 columns",
        .options = {{.name = "gamma",
                     .default_value = 5,
                     .minimum = 2,
                     .maximum = 15,
                     .help = "columns per chunk"}},
        .divergences =
            {{.reference = "a round ends the search only when it leaves exactly as many causes as "
                           "wanted; one that overshoots goes through all ten significance levels",
              .published = "at least as many are enough"},
             {.reference = "permutations from an unseeded generator",
              .published = "permutations from the run's seed (both variants here)"},
             {.reference = "bin edges nearer than 1e-8 collapse, whatever the unit of the column",
              .published = "columns are scaled to their range before they are cut"},
             {.reference = "columns constant on either side of the alert are dropped",
              .published = "only columns that never move are dropped"}},
        .uses_randomness = true};
};

struct RegimeTable {
    stats::CodeTable codes;            // the scored columns, then the F-node
    std::vector<std::size_t> columns;  // of the view
};

RegimeTable regime_table(const StudyView& view, Variant variant) {
    RegimeTable table;
    for (std::size_t c = 0; c < view.num_columns(); ++c) {
        if (!is_scored(view, c, variant)) continue;
        const auto raw = view.column(c);
        std::vector<double> values(raw.begin(), raw.end());
        if (variant == Variant::published) {
            const auto [low, high] = std::minmax_element(raw.begin(), raw.end());
            const double range = *high - *low;
            for (double& v : values) v = (v - *low) / range;
        }
        const auto edges = stats::kmeans_bin_edges(values, num_bins);
        table.codes.codes.push_back(stats::bins_of(values, edges));
        table.codes.cardinality.push_back(edges.size() - 1);
        table.columns.push_back(c);
    }
    std::vector<std::uint8_t> regime(view.num_rows(), 1);
    std::fill_n(regime.begin(), view.num_normal(), std::uint8_t{0});
    table.codes.codes.push_back(std::move(regime));
    table.codes.cardinality.push_back(2);
    return table;
}

Result<Diagnosis> Rcd::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    const RegimeTable table = regime_table(view, context.variant);
    if (table.columns.empty()) return degenerate("rcd: no column moves on both sides of the alert");
    Random random(derive_seed(context.seed, info_.name));
    const HierarchicalOptions options = {
        .chunk_size = static_cast<std::size_t>(context.option(info_, "gamma")),
        .rule = context.variant == Variant::reference ? EnoughRule::exactly : EnoughRule::at_least};
    CULPRIT_TRY(
        const HierarchicalFinding found,
        hierarchical_psi_pc(
            table.codes, table.columns.size(), options,
            [&](std::vector<std::size_t>& values) { random.shuffle(values); }, context.stop));
    Diagnosis diagnosis;
    std::vector<Suspect> suspects;
    for (std::size_t k = 0; k < found.ranked.size(); ++k) {
        const std::size_t c = table.columns[found.ranked[k]];
        suspects.push_back(
            {view.names()[c], view.service(c), static_cast<double>(found.ranked.size() - k)});
    }
    diagnosis.ranking = Ranking::from(std::move(suspects));
    diagnosis.notes.push_back(
        fmt::format("{} of {} columns survived {} levels of chunks; other seeds cut other chunks",
                    found.candidates.size(), table.columns.size(), found.num_levels));
    diagnosis.notes.push_back(
        fmt::format("{} tests, {:.1f} % of them with p within a factor of two of alpha",
                    found.counts.tests, 100.0 * found.counts.fragile_share()));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_rcd() { return std::make_unique<Rcd>(); }

}  // namespace culprit
