#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "culprit/base/random.h"
#include "culprit/methods/column_scores.h"
#include "culprit/methods/graph_search.h"
#include "culprit/stats/deviation.h"
#include "culprit/stats/least_squares.h"

namespace culprit {
namespace {

std::vector<OptionInfo> options_of_attribution() {
    std::vector<OptionInfo> options = search_options();
    options.push_back({.name = "orders",
                       .default_value = 100,
                       .minimum = 1,
                       .maximum = 100000,
                       .help = "random orders over which Shapley values are averaged"});
    options.push_back({.name = "draws",
                       .default_value = 500,
                       .minimum = 10,
                       .maximum = 100000,
                       .help = "draws of the noise terms that give each probability"});
    return options;
}

class NoiseAttribution : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "noise_attribution",
        .summary =
            "Fits a linear causal model to the time before the alert and divides how unlikely the "
            "symptom's worst value is among the noise terms that lead to it, by Shapley values. "
            "Chosen because DoWhy-GCM offers it and PetShop's authors compare against it; the "
            "papers are given the graph, here PC learns it.",
        .family = MethodFamily::metric,
        .citation =
            "Budhathoki, Minorics, Bloebaum, Janzing, Causal structure-based root cause analysis "
            "of outliers, ICML 2022; Bloebaum, Goetz, Budhathoki, Mastakouri, Janzing, DoWhy-GCM, "
            "JMLR 2024",
        .reads = "metrics",
        .ranks = "metric columns upstream of the symptom, itself included",
        .cost = "PC, then O(k orders draws) for k columns upstream",
        .variants = {Variant::published},
        .options = options_of_attribution(),
        .uses_randomness = true};
};

constexpr std::size_t normal_rows_min = 8;

// The kept columns on the rows before the alert, without those that do not move there.
StudyMatrix normal_part(const StudyMatrix& table, std::size_t num_normal) {
    StudyMatrix part;
    std::vector<std::size_t> kept;
    for (std::size_t k = 0; k < table.columns.size(); ++k)
        if (varies(table.values.column(k).first(num_normal))) kept.push_back(k);
    part.values = Matrix(num_normal, kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        std::copy_n(table.values.column(kept[i]).begin(), num_normal,
                    part.values.column(i).begin());
        part.columns.push_back(table.columns[kept[i]]);
        part.names.push_back(table.names[kept[i]]);
    }
    return part;
}

// What raised the alarm: the incident's symptom, else the latency that deviates most, else the
// column that does.
std::size_t target_of(const StudyView& view, const StudyMatrix& table, const Incident& incident) {
    std::size_t best = 0;
    std::pair<bool, double> best_rank = {false, -1.0};
    for (std::size_t k = 0; k < table.columns.size(); ++k) {
        const std::size_t c = table.columns[k];
        if (incident.symptom &&
            (table.names[k] == *incident.symptom ||
             incident.metrics.column(view.source_column(c)).name == *incident.symptom))
            return k;
        const bool is_latency = table.names[k].find("latency") != std::string::npos ||
                                table.names[k].find("_lat_") != std::string::npos;
        const double away = stats::standard_deviations_away(view.normal(c), view.anomalous(c),
                                                            deviation_options(Variant::published));
        if (std::pair(is_latency, away) > best_rank) {
            best_rank = {is_latency, away};
            best = k;
        }
    }
    return best;
}

// The target and its causes, each after its own causes. An edge without a direction leads to the
// target's side; a cycle is cut where it closes.
struct Upstream {
    const MixedGraph& graph;
    std::vector<std::size_t> order = {};
    std::vector<std::vector<std::size_t>> causes = {};  // per node of the graph
    std::vector<char> state = {};                       // 0 new, 1 open, 2 done

    explicit Upstream(const MixedGraph& g, std::size_t target)
        : graph(g), causes(g.num_nodes()), state(g.num_nodes(), 0) {
        visit(target);
    }

private:
    void visit(std::size_t node) {
        state[node] = 1;
        for (const std::size_t other : graph.neighbours(node)) {
            if (state[other] == 1 ||
                (!graph.is_directed(other, node) && !graph.is_undirected(other, node)))
                continue;
            if (state[other] == 0) visit(other);
            causes[node].push_back(other);
        }
        state[node] = 2;
        order.push_back(node);
    }
};

// One noise term: its effect on the target times its values.
struct NoiseTerm {
    std::size_t node = 0;
    std::vector<double> normal;  // before the alert, mean 0
    double observed = 0.0;       // in the row to explain
};

class LinearModel {
public:
    // `row`: of the view, to explain.
    LinearModel(const StudyView& view, const StudyMatrix& table, const Upstream& upstream,
                std::size_t row)
        : view_(view), table_(table), row_(row) {
        std::vector<double> effect(table.columns.size(), 0.0);
        effect[upstream.order.back()] = 1.0;
        for (std::size_t i = upstream.order.size(); i-- > 0;) {
            const std::size_t node = upstream.order[i];
            terms_.push_back(term_of(node, upstream.causes[node], effect));
        }
    }
    std::vector<NoiseTerm> take() && { return std::move(terms_); }

private:
    // The node's noise; adds the node's effect to those of its causes.
    NoiseTerm term_of(std::size_t node, std::vector<std::size_t> causes,
                      std::vector<double>& effect) const {
        // A fit without spare rows explains everything and says nothing.
        if (table_.values.num_rows() < causes.size() + 3) causes.clear();
        Matrix x(table_.values.num_rows(), causes.size());
        for (std::size_t k = 0; k < causes.size(); ++k)
            std::ranges::copy(table_.values.column(causes[k]), x.column(k).begin());
        const auto y = table_.values.column(node);
        const stats::LinearFit fit = stats::fit_least_squares(x, y);
        NoiseTerm term{.node = node, .normal = stats::residuals(fit, x, y)};
        term.observed = view_.column(table_.columns[node])[row_] - fit.intercept;
        for (std::size_t k = 0; k < causes.size(); ++k) {
            term.observed -= fit.weights[k] * view_.column(table_.columns[causes[k]])[row_];
            effect[causes[k]] += fit.weights[k] * effect[node];
        }
        for (double& v : term.normal) v *= effect[node];
        term.observed *= effect[node];
        return term;
    }

    const StudyView& view_;
    const StudyMatrix& table_;
    std::size_t row_;
    std::vector<NoiseTerm> terms_;
};

// Shapley values of log P(the target is as far off as observed | some terms as observed, the others
// drawn as before the alert): from nothing observed (-S, the outlier score) to all of it (0).
Result<std::vector<double>> shapley_values(const std::vector<NoiseTerm>& terms,
                                           std::size_t num_orders, std::size_t num_draws,
                                           Random& random, const Stop& stop) {
    double observed = 0.0;
    std::vector<double> start(num_draws, 0.0);
    std::vector<std::vector<double>> step(terms.size(), std::vector<double>(num_draws));
    for (std::size_t j = 0; j < terms.size(); ++j) {
        observed += terms[j].observed;
        for (std::size_t m = 0; m < num_draws; ++m) {
            const double drawn = terms[j].normal[random.below(terms[j].normal.size())];
            start[m] += drawn;
            step[j][m] = terms[j].observed - drawn;
        }
    }
    const double bound = std::abs(observed) * (1.0 - 1e-9);
    const auto log_share = [&](const std::vector<double>& sums) {
        const auto beyond =
            std::ranges::count_if(sums, [&](double v) { return std::abs(v) >= bound; });
        return std::log((1.0 + static_cast<double>(beyond)) /
                        (1.0 + static_cast<double>(num_draws)));
    };
    std::vector<double> values(terms.size(), 0.0);
    std::vector<std::size_t> order(terms.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::vector<double> sums;
    for (std::size_t round = 0; round < num_orders; ++round) {
        CULPRIT_TRY_STATUS(stop.check());
        random.shuffle(order);
        sums = start;
        double before = log_share(sums);
        for (const std::size_t j : order) {
            for (std::size_t m = 0; m < num_draws; ++m) sums[m] += step[j][m];
            const double after = log_share(sums);
            values[j] += (after - before) / static_cast<double>(num_orders);
            before = after;
        }
    }
    return values;
}

Result<Diagnosis> NoiseAttribution::diagnose(const Incident& incident,
                                             const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    CULPRIT_TRY_STATUS(check_both_sides(view, info_.name));
    if (view.num_normal() < normal_rows_min)
        return degenerate(fmt::format("noise_attribution needs {} rows before the alert, got {}",
                                      normal_rows_min, view.num_normal()));
    const StudyMatrix table = normal_part(preprocess(view), view.num_normal());
    if (table.columns.empty()) return degenerate("no column varies before the alert");
    CULPRIT_TRY(const auto search, search_with_pc(table, context, info_));
    const std::size_t target = target_of(view, table, incident);
    const auto after = view.anomalous(table.columns[target]);
    const auto before = table.values.column(target);
    const double mean =
        std::accumulate(before.begin(), before.end(), 0.0) / static_cast<double>(before.size());
    const auto worst =
        std::ranges::max_element(after, {}, [mean](double v) { return std::abs(v - mean); });
    const std::size_t row = view.num_normal() + static_cast<std::size_t>(worst - after.begin());
    const Upstream upstream(search.found.graph, target);
    const std::vector<NoiseTerm> terms = LinearModel(view, table, upstream, row).take();
    Random random(derive_seed(context.seed, info_.name));
    CULPRIT_TRY(const std::vector<double> values,
                shapley_values(terms, static_cast<std::size_t>(context.option(info_, "orders")),
                               static_cast<std::size_t>(context.option(info_, "draws")), random,
                               context.stop));
    std::vector<Suspect> suspects;
    for (std::size_t j = 0; j < terms.size(); ++j)
        suspects.push_back({table.names[terms[j].node], view.service(table.columns[terms[j].node]),
                            finite_score(values[j])});
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(std::move(suspects));
    diagnosis.notes.push_back(fmt::format(
        "symptom: {}; its outlier score {:.2f} is divided among {} noise terms",
        table.names[target], std::accumulate(values.begin(), values.end(), 0.0), terms.size()));
    add_search_notes(diagnosis, search.found.graph, search.found.counts, search.found.truncated);
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_noise_attribution() { return std::make_unique<NoiseAttribution>(); }

}  // namespace culprit
