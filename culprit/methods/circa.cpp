#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "culprit/methods/column_scores.h"
#include "culprit/methods/graph_search.h"
#include "culprit/stats/deviation.h"
#include "culprit/stats/least_squares.h"

namespace culprit {
namespace {

class Circa : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "circa",
        .summary =
            "Learns a causal graph with PC, predicts each metric from its causes and ranks "
            "the metrics by how far they leave the prediction after the alert.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Li, Li, Yin, Nie, Zhang, Sui, Pei, Causal Inference-Based Root Cause Analysis "
            "for Online Service Systems with Intervention Recognition, KDD 2022",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "PC, then O(p N k^2) for k causes per metric",
        .options = search_options(),
        .divergences = {
            {.reference =
                 "the graph is reversed before the causes are read from it: each metric is "
                 "regressed on its effects",
             .published = "regressed on its directed causes; an undirected edge gives none"},
            {.reference = "only 10 seconds are tested, 291 to 300 s after the alert: usually after "
                          "the end of the data, where they all repeat the last value",
             .published = "every row after the alert is tested, every row before it trains"},
            {.reference = "a node is the first two parts of a column's name: with a_ctn_cpu only "
                          "the latency columns can be ranked",
             .published = "a node is a column; all columns are ranked"},
            {.reference = "scores are not adjusted for descendants",
             .published = "a node that deviates by 3 or more adds the largest score among its "
                          "deviating descendants, as the paper's second step does"}}};
};

// What a node is tested on: rows that train and rows that follow.
struct NodeSeries {
    std::string name;
    std::string service;
    std::vector<double> values;  // [training, then testing]; empty when there is none
};

struct Windows {
    std::size_t train = 0;  // first rows
    std::size_t test = 0;   // last rows
};

double score_of(const std::vector<NodeSeries>& nodes, std::size_t node,
                const std::vector<std::size_t>& parents, const Windows& windows) {
    std::vector<std::size_t> used;
    for (const std::size_t parent : parents)
        if (!nodes[parent].values.empty()) used.push_back(parent);
    const auto part = [&](std::size_t first, std::size_t count) {
        Matrix x(count, used.size());
        for (std::size_t k = 0; k < used.size(); ++k)
            std::copy_n(nodes[used[k]].values.begin() + static_cast<std::ptrdiff_t>(first), count,
                        x.column(k).begin());
        return x;
    };
    const std::span<const double> y(nodes[node].values);
    const auto y_train = y.first(windows.train);
    const auto y_test = y.last(windows.test);
    const stats::DeviationOptions deviation = {.floor = stats::ScaleFloor::one,
                                               .sides = stats::Sides::both};
    if (used.empty()) return stats::standard_deviations_away(y_train, y_test, deviation);
    const Matrix x_train = part(0, windows.train);
    const Matrix x_test = part(y.size() - windows.test, windows.test);
    const stats::LinearFit fit = stats::fit_least_squares(x_train, y_train);
    return stats::standard_deviations_away(stats::residuals(fit, x_train, y_train),
                                           stats::residuals(fit, x_test, y_test), deviation);
}

// --- The study's reading of columns, time and direction ---

constexpr std::int64_t seconds_before = 120;
constexpr std::int64_t seconds_after = 300;
constexpr Windows study_windows = {.train = 111, .test = 10};

std::int64_t whole_seconds(TimePoint t) {
    return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}

// One value per second from 120 s before to 300 s after the alert: means of the samples of a
// second, straight lines between, the nearest sample beyond the ends. Empty without two distinct
// values.
std::vector<double> resample(const StudyView& view, TimePoint alert,
                             std::span<const double> values) {
    const std::int64_t start = whole_seconds(alert) - seconds_before;
    const auto length = static_cast<std::size_t>(seconds_before + seconds_after + 1);
    std::vector<double> sum(length, 0.0);
    std::vector<std::size_t> count(length, 0);
    for (std::size_t row = 0; row < values.size(); ++row) {
        const std::int64_t second = whole_seconds(view.times()[row]) - start;
        if (second < 0 || second >= static_cast<std::int64_t>(length)) continue;
        sum[static_cast<std::size_t>(second)] += values[row];
        ++count[static_cast<std::size_t>(second)];
    }
    std::vector<double> grid(length);
    std::optional<std::size_t> last;
    for (std::size_t i = 0; i < length; ++i) {
        if (count[i] == 0) continue;
        grid[i] = sum[i] / static_cast<double>(count[i]);
        for (std::size_t k = last ? *last + 1 : 0; k < i; ++k) {
            const double share =
                last ? static_cast<double>(k - *last) / static_cast<double>(i - *last) : 1.0;
            grid[k] = last ? grid[*last] + share * (grid[i] - grid[*last]) : grid[i];
        }
        last = i;
    }
    if (!last) return {};
    std::fill(grid.begin() + static_cast<std::ptrdiff_t>(*last), grid.end(), grid[*last]);
    return varies(grid) ? grid : std::vector<double>{};
}

// The first two parts of a name, joined: where a column of just that name exists, the node has
// data.
std::string node_name(const std::string& column) {
    const std::size_t first = column.find('_');
    if (first == std::string::npos) return column;
    return column.substr(0, column.find('_', first + 1));
}

Ranking study_ranking(const StudyView& view, const StudyMatrix& table, const MixedGraph& graph,
                      TimePoint alert) {
    std::vector<NodeSeries> nodes;
    std::vector<std::size_t> node_of(table.columns.size());
    for (std::size_t k = 0; k < table.columns.size(); ++k) {
        const std::string name = node_name(table.names[k]);
        const auto known = std::find_if(nodes.begin(), nodes.end(),
                                        [&](const NodeSeries& n) { return n.name == name; });
        node_of[k] = static_cast<std::size_t>(known - nodes.begin());
        if (known == nodes.end()) nodes.push_back({name, view.service(table.columns[k]), {}});
        if (name == table.names[k])
            nodes[node_of[k]].values = resample(view, alert, table.values.column(k));
    }
    std::vector<std::vector<std::size_t>> effects(nodes.size());
    std::vector<bool> connected(nodes.size(), false);
    for (std::size_t a = 0; a < graph.num_nodes(); ++a)
        for (const std::size_t b : graph.neighbours(a)) {
            connected[node_of[a]] = true;
            if (!graph.is_directed(a, b) && !graph.is_undirected(a, b)) continue;
            auto& list = effects[node_of[a]];
            if (std::find(list.begin(), list.end(), node_of[b]) == list.end())
                list.push_back(node_of[b]);
        }
    std::vector<Suspect> suspects;
    for (std::size_t n = 0; n < nodes.size(); ++n) {
        if (!connected[n] || nodes[n].values.empty()) continue;
        suspects.push_back({nodes[n].name, nodes[n].service,
                            finite_score(score_of(nodes, n, effects[n], study_windows))});
    }
    return Ranking::from(std::move(suspects));
}

// --- The paper's method on columns ---

constexpr double deviates = 3.0;  // the paper's threshold, in standard deviations

// The largest score among the descendants that deviate, looking through those that do not. Cycles
// (a sign of wrong tests) are cut where they close.
class DescendantAdjustment {
public:
    DescendantAdjustment(const MixedGraph& graph, std::span<const double> scores)
        : graph_(graph), scores_(scores), state_(scores.size(), 0), below_(scores.size(), 0.0) {}

    double adjusted(std::size_t node) {
        return scores_[node] >= deviates ? scores_[node] + below(node) : scores_[node];
    }

private:
    double below(std::size_t node) {
        if (state_[node] != 0) return below_[node];
        state_[node] = 1;
        double largest = 0.0;
        for (const std::size_t child : graph_.neighbours(node)) {
            if (!graph_.is_directed(node, child)) continue;
            largest = std::max(largest, scores_[child] >= deviates ? scores_[child] : below(child));
        }
        return below_[node] = largest;
    }

    const MixedGraph& graph_;
    std::span<const double> scores_;
    std::vector<char> state_;
    std::vector<double> below_;
};

Ranking published_ranking(const StudyView& view, const StudyMatrix& table,
                          const MixedGraph& graph) {
    std::vector<NodeSeries> nodes;
    for (std::size_t k = 0; k < table.columns.size(); ++k) {
        const auto values = table.values.column(k);
        nodes.push_back({table.names[k], {}, {values.begin(), values.end()}});
    }
    const Windows windows = {.train = view.num_normal(),
                             .test = view.num_rows() - view.num_normal()};
    std::vector<double> scores(nodes.size());
    for (std::size_t v = 0; v < nodes.size(); ++v) {
        std::vector<std::size_t> causes;
        for (const std::size_t c : graph.neighbours(v))
            if (graph.is_directed(c, v)) causes.push_back(c);
        // A fit without spare rows explains everything and says nothing.
        if (windows.train < causes.size() + 3) causes.clear();
        scores[v] = score_of(nodes, v, causes, windows);
    }
    DescendantAdjustment adjustment(graph, scores);
    std::vector<double> adjusted(scores.size());
    for (std::size_t v = 0; v < scores.size(); ++v) adjusted[v] = adjustment.adjusted(v);
    return rank_columns(view, table, adjusted);
}

Result<Diagnosis> Circa::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const StudyMatrix table = preprocess(view);
    if (table.columns.empty()) return degenerate("no column varies");
    const bool reference = context.variant == Variant::reference;
    if (!reference && (view.num_normal() < 2 || view.num_normal() == view.num_rows()))
        return degenerate("circa needs two rows before the alert and one after it",
                          columns_in_order(view, table));
    CULPRIT_TRY(const auto search, search_with_pc(table, context, info_));
    const auto& found = search.found;
    Diagnosis diagnosis;
    diagnosis.ranking = reference ? study_ranking(view, table, found.graph, incident.alert)
                                  : published_ranking(view, table, found.graph);
    if (diagnosis.ranking.empty())
        diagnosis = degenerate("no column with a two-part name has an edge and data");
    add_search_notes(diagnosis, found.graph, found.counts, found.truncated);
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_circa() { return std::make_unique<Circa>(); }

}  // namespace culprit
