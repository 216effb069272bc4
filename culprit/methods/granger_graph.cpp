#include "culprit/methods/granger_graph.h"

#include <fmt/format.h>

#include <cmath>

#include "culprit/base/random.h"

namespace culprit {
namespace {

constexpr std::size_t lag_max = 3;

// The p-value that decides, and the gains at which it equals a level: p falls with the gain, so
// that nearly all pairs are decided without computing p.
class Decision {
public:
    Decision(const GrangerFinding& shape, double alpha, bool mean_of_four)
        : alpha_(alpha), mean_of_four_(mean_of_four) {
        at_alpha_ = gain_at(shape, alpha);
        at_half_ = gain_at(shape, alpha / 2);
        at_twice_ = gain_at(shape, alpha * 2);
        degrees_of_freedom_ = shape.degrees_of_freedom;
    }

    bool significant(const GrangerFinding& finding) const {
        const bool usual = finding.degrees_of_freedom == degrees_of_freedom_;
        if (usual && std::abs(finding.gain - at_alpha_) > 1e-7 * at_alpha_)
            return finding.gain > at_alpha_;
        return p(finding) < alpha_;
    }
    bool fragile(const GrangerFinding& finding) const {
        return finding.gain >= at_twice_ && finding.gain <= at_half_;
    }

private:
    double p(const GrangerFinding& finding) const {
        const GrangerPValues values = p_values(finding);
        return mean_of_four_ ? values.mean_of_four() : values.f;
    }

    double gain_at(GrangerFinding shape, double level) const {
        double low = 0.0;
        double high = 1.0;
        const auto is_below = [&](double gain) {
            shape.gain = gain;
            return p(shape) < level;
        };
        while (!is_below(high) && high < 1e12) high *= 2;
        for (int i = 0; i < 60 && high - low > 1e-12 * high; ++i) {
            const double middle = (low + high) / 2;
            (is_below(middle) ? high : low) = middle;
        }
        return high;
    }

    double alpha_, at_alpha_, at_half_, at_twice_;
    std::size_t degrees_of_freedom_;
    bool mean_of_four_;
};

// The ordinary degrees of freedom of a lag.
GrangerFinding shape_of(std::size_t num_rows, std::size_t lag) {
    return {0.0, lag, num_rows - lag, num_rows - lag - 2 * lag - 1};
}

}  // namespace

Result<GrangerGraph> granger_graph(const StudyMatrix& table, const RunContext& context,
                                   double alpha) {
    const bool reference = context.variant == Variant::reference;
    CULPRIT_TRY(const GrangerTable tests, granger(table.values, {.lag_max = lag_max,
                                                                 .num_threads = context.num_threads,
                                                                 .stop = context.stop}));
    const std::size_t first_lag = reference ? 1 : lag_max;
    std::vector<Decision> decisions;
    for (std::size_t lag = first_lag; lag <= lag_max; ++lag)
        decisions.emplace_back(shape_of(table.values.num_rows(), lag), alpha, reference);
    const std::size_t n = tests.num_variables();
    GrangerGraph found{MixedGraph(n), {}, 0};
    for (std::size_t effect = 0; effect < n; ++effect)
        for (std::size_t cause = 0; cause < n; ++cause) {
            if (cause == effect) continue;
            bool edge = false;
            bool infeasible = false;
            for (std::size_t lag = first_lag; lag <= lag_max; ++lag) {
                const GrangerFinding finding = tests.finding(effect, cause, lag);
                infeasible = infeasible || !finding.is_feasible();
                if (!finding.is_feasible()) continue;
                const Decision& decision = decisions[lag - first_lag];
                ++found.counts.tests;
                found.counts.fragile += decision.fragile(finding) ? 1 : 0;
                edge = edge || decision.significant(finding);
            }
            found.infeasible_pairs += infeasible ? 1 : 0;
            if (!edge) continue;
            if (found.graph.adjacent(cause, effect))
                found.graph.set_edge(cause, Mark::arrow, effect, Mark::arrow);
            else
                found.graph.set_directed(cause, effect);
        }
    return found;
}

Matrix granger_steps(const GrangerGraph& found) { return cause_steps(found.graph); }

namespace {

// The study's fallback when one pair is not feasible: a random order of all columns, here seeded.
Diagnosis infeasible_order(const StudyView& view, const StudyMatrix& table,
                           const RunContext& context, std::size_t pairs) {
    std::vector<double> scores(table.columns.size());
    for (std::size_t k = 0; k < scores.size(); ++k) scores[k] = static_cast<double>(k);
    Random random(derive_seed(context.seed, "granger"));
    random.shuffle(scores);
    return degenerate(fmt::format("{} pairs of columns allow no Granger test (a lagged column is "
                                  "constant): random order, as in the reference",
                                  pairs),
                      rank_columns(view, table, scores));
}

}  // namespace

Result<std::variant<GrangerGraph, Diagnosis>> granger_search(const StudyView& view,
                                                             const StudyMatrix& table,
                                                             const RunContext& context,
                                                             const MethodInfo& info,
                                                             bool empty_counts) {
    auto found = granger_graph(table, context, context.option(info, "alpha"));
    if (!found && found.error().code == ErrorCode::too_few_samples)
        return degenerate(found.error().message);
    if (!found) return tl::unexpected<Error>(found.error());
    if (context.variant == Variant::reference && found->infeasible_pairs > 0)
        return infeasible_order(view, table, context, found->infeasible_pairs);
    if (!empty_counts && found->graph.num_edges() == 0)
        return degenerate("no pair passes the Granger test: column order",
                          columns_in_order(view, table));
    return *std::move(found);
}

}  // namespace culprit
