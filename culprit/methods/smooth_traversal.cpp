#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/graph_ranking.h"
#include "culprit/methods/service_calls.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"

namespace culprit {
namespace {

class SmoothTraversal : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "smooth_traversal",
        .summary =
            "Scores how surprising each service's metrics are and ranks services by how much more "
            "surprising they are than the services they call; without a call graph by surprise "
            "alone. Chosen because its authors find it level with or ahead of counterfactual and "
            "traversal methods on PetShop, with proofs and at almost no cost.",
        .family = MethodFamily::metric,
        .citation =
            "Orchard, Okati, Garrido Mejia, Bloebaum, Janzing, Root Cause Analysis of Outliers "
            "with Missing Structural Knowledge, NeurIPS 2025 (arXiv 2406.05014): Smooth Traversal "
            "and Score Ordering",
        .reads = "metrics; the call graph where there is one (topology or traces)",
        .ranks = "services",
        .cost = "O(p N log N) time",
        .variants = {Variant::published}};
};

// -log of the share of earlier values at least as far from the median, averaged over the window;
// the paper has one anomalous sample, an incident a window of them. The distance in median
// deviations breaks the ties of values beyond everything seen: it adds less than one observation's
// worth.
double surprise(std::span<const double> normal, std::span<const double> suspect,
                std::vector<double>& scratch) {
    scratch.assign(normal.begin(), normal.end());
    const auto middle = scratch.begin() + static_cast<long>(scratch.size() / 2);
    std::nth_element(scratch.begin(), middle, scratch.end());
    const double median = *middle;
    for (double& v : scratch) v = std::abs(v - median);
    std::sort(scratch.begin(), scratch.end());
    const auto n = static_cast<double>(scratch.size());
    const double spread = std::min(scratch[scratch.size() / 2] + 0.01 * std::abs(median), 1e300);
    double sum = 0.0;
    double farthest = 0.0;
    for (const double v : suspect) {
        const double distance = std::abs(v - median);
        const auto at_least =
            scratch.end() - std::lower_bound(scratch.begin(), scratch.end(), distance);
        sum -= std::log((1.0 + static_cast<double>(at_least)) / (n + 1.0));
        farthest = std::max(farthest, std::min(distance, 1e300));
    }
    const double tie = farthest > 0.0 ? farthest / (farthest + 100.0 * spread) : 0.0;
    return sum / static_cast<double>(suspect.size()) + std::log1p(1.0 / n) * tie;
}

Result<Diagnosis> SmoothTraversal::diagnose(const Incident& incident,
                                            const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    CULPRIT_TRY(const std::vector<double> scores,
                series_scores(view.num_columns(), context,
                              [&](std::size_t c, std::vector<double>& scratch) {
                                  return varies(view.column(c))
                                             ? surprise(view.normal(c), view.anomalous(c), scratch)
                                             : 0.0;
                              }));
    std::vector<std::string> services;  // in column order
    std::map<std::string, double> score_of;
    for (std::size_t c = 0; c < view.num_columns(); ++c) {
        if (view.service(c).empty()) continue;
        const auto [slot, is_new] = score_of.try_emplace(view.service(c), scores[c]);
        if (is_new) services.push_back(view.service(c));
        slot->second = std::max(slot->second, scores[c]);
    }
    std::map<std::string_view, std::set<std::string_view>> callees;
    for (const auto& [caller, callee] : service_calls(incident)) callees[caller].insert(callee);
    std::vector<Suspect> suspects;
    std::size_t num_with_callees = 0;
    for (const std::string& service : services) {
        // A callee's fault reaches its caller: callees are the causes that must explain less.
        double explained = 0.0;
        const auto called = callees.find(service);
        if (called != callees.end()) {
            ++num_with_callees;
            for (const std::string_view callee : called->second) {
                const auto known = score_of.find(std::string(callee));
                if (known != score_of.end()) explained = std::max(explained, known->second);
            }
        }
        suspects.push_back({service, service, score_of[service] - explained});
    }
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(std::move(suspects));
    diagnosis.notes.push_back(
        num_with_callees == 0
            ? std::string("no call graph: services by surprise alone (Score Ordering)")
            : fmt::format("{} of {} services have known callees", num_with_callees,
                          services.size()));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_smooth_traversal() { return std::make_unique<SmoothTraversal>(); }

}  // namespace culprit
