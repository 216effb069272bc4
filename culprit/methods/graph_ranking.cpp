#include "culprit/methods/graph_ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "culprit/graph/random_walk.h"
#include "culprit/methods/column_scores.h"

namespace culprit {
namespace {

// What the papers leave open: enough steps that more would not change the order, and the
// probability weight of going back (MonitorRank's 0.5 lies above, MicroCause's 0.2 is the later
// choice).
constexpr std::size_t walk_steps = 10000;
constexpr double walk_rho = 0.2;

Matrix steps(const MixedGraph& graph, bool circle_arrow_to_cause) {
    const std::size_t n = graph.num_nodes();
    Matrix result(n, n);
    for (std::size_t a = 0; a < n; ++a)
        for (const std::size_t b : graph.neighbours(a)) {
            const Mark here = graph.mark_at(a, b);
            const Mark there = graph.mark_at(b, a);
            const bool is_effect = here == Mark::arrow && there == Mark::tail;
            const bool maybe_effect = here == Mark::arrow && there == Mark::circle;
            const bool maybe_cause = here == Mark::circle && there == Mark::arrow;
            const bool directionless = here == there;
            if (directionless || is_effect || (circle_arrow_to_cause ? maybe_effect : maybe_cause))
                result(a, b) = 1.0;
        }
    return result;
}

}  // namespace

Matrix cause_steps(const MixedGraph& graph) { return steps(graph, true); }
Matrix study_steps(const MixedGraph& graph) { return steps(graph, false); }

Ranking rank_columns(const StudyView& view, const StudyMatrix& table,
                     std::span<const double> scores) {
    std::vector<Suspect> suspects;
    for (std::size_t k = 0; k < table.columns.size(); ++k)
        suspects.push_back(
            {table.names[k], view.service(table.columns[k]), finite_score(scores[k])});
    return Ranking::from(std::move(suspects));
}

Ranking columns_in_order(const StudyView& view, const StudyMatrix& table) {
    return rank_columns(view, table, std::vector<double>(table.columns.size(), 0.0));
}

Ranking study_walk(const StudyView& view, const StudyMatrix& table) {
    if (table.columns.empty()) return {};
    return rank_columns(view, table,
                        uniform_walk_from_seed_zero(table.columns.size(), view.num_node()));
}

std::size_t symptom_column(const StudyView& view, const StudyMatrix& table,
                           const Incident& incident) {
    const auto find = [&](const auto& matches) -> std::optional<std::size_t> {
        for (std::size_t k = 0; k < table.columns.size(); ++k)
            if (matches(k)) return k;
        return std::nullopt;
    };
    if (incident.symptom) {
        const auto named = find([&](std::size_t k) {
            const std::size_t source = view.source_column(table.columns[k]);
            return table.names[k] == *incident.symptom ||
                   incident.metrics.column(source).name == *incident.symptom;
        });
        if (named) return *named;
    }
    return find([&](std::size_t k) {
               return table.names[k].find("latency") != std::string::npos ||
                      table.names[k].find("_lat_") != std::string::npos;
           })
        .value_or(0);
}

Result<Ranking> published_walk(const StudyView& view, const StudyMatrix& table,
                               const MixedGraph& graph, MatrixView correlations,
                               const Incident& incident) {
    const std::size_t start = symptom_column(view, table, incident);
    std::vector<double> scores(table.columns.size());
    for (std::size_t k = 0; k < scores.size(); ++k) scores[k] = std::abs(correlations(k, start));
    const Matrix weights = cause_walk_weights(cause_steps(graph), scores, walk_rho);
    CULPRIT_TRY(const std::vector<double> visits, expected_visits(weights, start, walk_steps));
    return rank_columns(view, table, visits);
}

Diagnosis degenerate(std::string reason, Ranking ranking) {
    Diagnosis diagnosis;
    diagnosis.status = DiagnosisStatus::degenerate;
    diagnosis.reason = std::move(reason);
    diagnosis.ranking = std::move(ranking);
    return diagnosis;
}

Result<Diagnosis> walk_from_symptom(const StudyView& view, const StudyMatrix& table,
                                    const MixedGraph& graph, MatrixView correlations,
                                    const Incident& incident, Variant variant,
                                    std::string_view search) {
    Diagnosis diagnosis;
    if (variant == Variant::reference) {
        diagnosis.ranking = study_walk(view, table);
        return diagnosis;
    }
    if (graph.num_edges() == 0)
        return degenerate(fmt::format("{} found no edge: column order", search),
                          columns_in_order(view, table));
    CULPRIT_TRY(diagnosis.ranking, published_walk(view, table, graph, correlations, incident));
    return diagnosis;
}

std::string fragility_note(const MixedGraph& graph, const TestCounts& counts) {
    std::string note = fmt::format(
        "graph: {} edges from {} tests, {:.1f} % of them with p within a factor of two of alpha",
        graph.num_edges(), counts.tests, 100.0 * counts.fragile_share());
    if (counts.degenerate > 0)
        note += fmt::format("; {} tests on collinear columns or too few rows", counts.degenerate);
    return note;
}

std::vector<OptionInfo> search_options() {
    return {{.name = "alpha",
             .default_value = 0.05,
             .minimum = 1e-12,
             .maximum = 0.4,
             .help = "level of the independence tests"},
            {.name = "conditioning_max",
             .default_value = 1000,
             .minimum = 0,
             .maximum = 1000,
             .help = "largest conditioning set; a smaller one bounds the time on dense graphs"},
            {.name = "tests_max",
             .default_value = 3e8,
             .minimum = 1,
             .maximum = 1e15,
             .help = "independence tests to spend; larger conditioning sets that would exceed them "
                     "are left out, and the answer says so"}};
}

std::uint64_t tests_max(const RunContext& context, const MethodInfo& info) {
    return static_cast<std::uint64_t>(context.option(info, "tests_max"));
}

std::uint64_t dsep_tests_max(const RunContext& context, const MethodInfo& info) {
    return tests_max(context, info) / 50;
}

Divergence study_walk_divergence() {
    return {.reference =
                "all node scores start at 0, so every step is a uniform draw from a "
                "generator that always starts from seed 0: the answer is a function of "
                "the number of columns alone and ignores the data",
            .published =
                "steps along the graph, weighted by |correlation with the symptom|; "
                "expected visits instead of one simulated walk"};
}

void add_search_notes(Diagnosis& diagnosis, const MixedGraph& graph, const TestCounts& counts,
                      bool truncated) {
    diagnosis.notes.push_back(fragility_note(graph, counts));
    if (truncated)
        diagnosis.notes.push_back(
            "search cut short: the largest conditioning sets were left out (conditioning_max, "
            "tests_max)");
}

std::size_t conditioning_max(const RunContext& context, const MethodInfo& info) {
    return static_cast<std::size_t>(context.option(info, "conditioning_max"));
}

}  // namespace culprit
