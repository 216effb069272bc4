#include "culprit/causal/pc_single.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "culprit/causal/subsets.h"
#include "culprit/stats/partial_correlation.h"

namespace culprit {
namespace {

class LinkTests {
public:
    LinkTests(MatrixView correlation, std::size_t num_samples, std::size_t target, double alpha,
              PcSingleFinding& finding)
        : correlator_(correlation),
          num_samples_(static_cast<double>(num_samples)),
          target_(target),
          alpha_(alpha),
          finding_(finding) {}

    // Keeps the largest p; true once it separates. A NaN (no degrees of freedom left) freezes the
    // link as it is, as the reference does.
    bool test(PcSingleLink& link, const std::vector<std::size_t>& given) {
        if (std::isnan(link.p_value)) return false;
        const auto partial = correlator_.of(link.variable, target_, given);
        const double dof = num_samples_ - 2.0 - static_cast<double>(given.size());
        const double p = partial.is_degenerate ? 1.0 : stats::correlation_p_value(partial.r, dof);
        ++finding_.num_tests;
        finding_.num_degenerate += partial.is_degenerate ? 1 : 0;
        finding_.num_near_alpha += p > alpha_ / 2.0 && p < alpha_ * 2.0 ? 1 : 0;
        if (!(p <= link.p_value)) {
            link.p_value = p;
            link.correlation = partial.r;
            link.separator = given;
        }
        return link.p_value > alpha_;
    }

private:
    stats::PartialCorrelator correlator_;
    double num_samples_;
    std::size_t target_;
    double alpha_;
    PcSingleFinding& finding_;
};

}  // namespace

Result<PcSingleFinding> pc_single(MatrixView correlation, std::size_t num_samples,
                                  std::size_t target, const std::vector<std::size_t>& candidates,
                                  const PcSingleOptions& options, const Stop& stop) {
    PcSingleFinding finding;
    LinkTests tests(correlation, num_samples, target, options.alpha, finding);
    for (const std::size_t c : candidates)
        finding.links.push_back({.variable = c, .p_value = -1.0});
    for (std::size_t k = 0; k <= options.condition_size_max; ++k) {
        if (finding.links.size() < k + 1) break;
        std::vector<std::size_t> round;
        for (const PcSingleLink& link : finding.links) round.push_back(link.variable);
        std::vector<bool> is_removed(round.size(), false);
        // Removals take effect after the round, so its order is free: the watched one comes first.
        std::vector<std::size_t> order(round.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        if (options.watched)
            std::stable_partition(order.begin(), order.end(),
                                  [&](std::size_t i) { return round[i] == *options.watched; });
        bool is_over = false;
        for (const std::size_t i : order) {
            CULPRIT_TRY_STATUS(stop.check());
            std::vector<std::size_t> pool = round;
            pool.erase(pool.begin() + static_cast<long>(i));
            for_subsets(pool, k, [&](const std::vector<std::size_t>& given) {
                is_removed[i] = tests.test(finding.links[i], given);
                return is_removed[i];
            });
            is_over = is_removed[i] && options.watched == round[i];
            if (is_over) break;
        }
        std::vector<PcSingleLink> kept;
        for (std::size_t i = 0; i < round.size(); ++i)
            (is_removed[i] ? finding.removed : kept).push_back(std::move(finding.links[i]));
        finding.links = std::move(kept);
        if (is_over) break;
    }
    return finding;
}

}  // namespace culprit
