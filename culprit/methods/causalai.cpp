#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "culprit/base/parallel.h"
#include "culprit/causal/pc.h"
#include "culprit/causal/pc_single.h"
#include "culprit/graph/mixed_graph.h"
#include "culprit/methods/graph_ranking.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"
#include "culprit/stats/correlation_matrix.h"

namespace culprit {
namespace {

class CausalAi : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "causalai",
        .summary =
            "Adds time as a variable and searches, by the PC algorithm, the metrics that it "
            "influences directly.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "Arpit, Fernandez, Feigenbaum et al., Salesforce CausalAI Library, arXiv 2301.10859, "
            "2023; the idea after Huang et al., CD-NOD, JMLR 2020, and Ikram et al., NeurIPS 2022",
        .reads = "metrics",
        .ranks = "metric columns adjacent to time; often few, possibly none",
        .cost = "O(p^2) tests when sparse, p^2 C(p, 4) at worst",
        .options = {{.name = "alpha",
                     .default_value = 0.001,
                     .minimum = 1e-12,
                     .maximum = 0.4,
                     .help = "level of the independence tests"},
                    {.name = "conditioning_max",
                     .default_value = 4,
                     .minimum = 0,
                     .maximum = 6,
                     .help = "largest conditioning set"}},
        .divergences = {
            {.reference = "the answer is a set in the order of string hashes, which changes from "
                          "process to process; here by |partial correlation| with time",
             .published = "candidates that another candidate causes come after it, then by "
                          "|partial correlation| with time"},
            {.reference = "a repair step undoes every collider's orientation, so the graph stays "
                          "undirected",
             .published = "colliders and Meek's rules orient the graph; time has no cause"}}};
};

// The columns that move, then time, and their correlations.
struct TimedTable {
    std::vector<std::size_t> columns;  // of the view
    Matrix correlations;
    std::size_t time() const { return columns.size(); }
};

TimedTable timed_table(const StudyView& view, unsigned num_threads) {
    TimedTable table;
    for (std::size_t c = 0; c < view.num_columns(); ++c)
        if (varies(view.column(c))) table.columns.push_back(c);
    Matrix values(view.num_rows(), table.columns.size() + 1);
    for (std::size_t k = 0; k < table.columns.size(); ++k) {
        const auto column = view.column(table.columns[k]);
        // A power of two takes no digit and leaves correlations as they are, but keeps the squares
        // of very large and very small values within range.
        double largest = 0.0;
        for (const double v : column) largest = std::max(largest, std::abs(v));
        const int exponent = largest > 0.0 ? std::ilogb(largest) : 0;
        std::transform(column.begin(), column.end(), values.column(k).begin(),
                       [exponent](double v) { return std::scalbn(v, -exponent); });
    }
    for (std::size_t row = 0; row < view.num_rows(); ++row)
        values(row, table.time()) = to_seconds(view.times()[row] - view.times()[0]);
    table.correlations = stats::correlation_matrix(values, num_threads);
    return table;
}

// PC-single around every column; `watch_time` asks only whether time stays a neighbour.
Result<std::vector<PcSingleFinding>> search(const TimedTable& table, std::size_t num_rows,
                                            PcSingleOptions options, bool watch_time,
                                            const RunContext& context) {
    const std::size_t p = table.columns.size();
    std::vector<PcSingleFinding> findings(p);
    if (watch_time) options.watched = table.time();
    parallel_for(p, context.num_threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t x = begin; x < end; ++x) {
            std::vector<std::size_t> candidates;
            for (std::size_t v = 0; v <= p; ++v)
                if (v != x) candidates.push_back(v);
            auto found =
                pc_single(table.correlations, num_rows, x, candidates, options, context.stop);
            if (!found) return;  // stopped: reported below
            findings[x] = *std::move(found);
        }
    });
    CULPRIT_TRY_STATUS(context.stop.check());
    return findings;
}

const PcSingleLink* link_to(const PcSingleFinding& finding, std::size_t variable) {
    const auto it = std::find_if(finding.links.begin(), finding.links.end(),
                                 [&](const auto& link) { return link.variable == variable; });
    return it == finding.links.end() ? nullptr : &*it;
}

const std::vector<std::size_t>* separator(const PcSingleFinding& finding, std::size_t variable) {
    for (const auto& link : finding.removed)
        if (link.variable == variable) return &link.separator;
    return nullptr;
}

// Skeleton by agreement of both ends, time -> x known, colliders, Meek's rules.
MixedGraph oriented_graph(const TimedTable& table, const std::vector<PcSingleFinding>& findings) {
    const std::size_t p = table.columns.size();
    MixedGraph graph(p + 1);
    for (std::size_t a = 0; a < p; ++a) {
        for (std::size_t b = a + 1; b < p; ++b)
            if (link_to(findings[a], b) != nullptr && link_to(findings[b], a) != nullptr)
                graph.set_edge(a, Mark::tail, b, Mark::tail);
        if (link_to(findings[a], p) != nullptr) graph.set_directed(p, a);
    }
    const auto separates = [&](std::size_t x, std::size_t y, std::size_t z) {
        // Time was no target; its separating sets are those of the other end.
        const auto* set = x == p ? nullptr : separator(findings[x], y);
        if (set == nullptr && y != p) set = separator(findings[y], x);
        return set != nullptr && std::find(set->begin(), set->end(), z) != set->end();
    };
    for (std::size_t z = 0; z < p; ++z) {
        const auto around = graph.neighbours(z);
        for (std::size_t i = 0; i < around.size(); ++i)
            for (std::size_t k = i + 1; k < around.size(); ++k) {
                const std::size_t x = around[i];
                const std::size_t y = around[k];
                if (graph.adjacent(x, y) || separates(x, y, z)) continue;
                if (graph.is_directed(z, x) || graph.is_directed(z, y)) continue;  // first come
                graph.set_directed(x, z);
                graph.set_directed(y, z);
            }
    }
    apply_meek_rules(graph);
    return graph;
}

// Which candidates another candidate reaches along directed edges.
std::vector<bool> caused_by_another(const MixedGraph& graph,
                                    const std::vector<std::size_t>& candidates) {
    std::vector<bool> is_caused(graph.num_nodes(), false);
    for (const std::size_t start : candidates) {
        std::vector<bool> seen(graph.num_nodes(), false);
        seen[start] = true;
        std::vector<std::size_t> open = {start};
        while (!open.empty()) {
            const std::size_t a = open.back();
            open.pop_back();
            for (const std::size_t b : graph.neighbours(a)) {
                if (!graph.is_directed(a, b) || seen[b]) continue;
                seen[b] = true;
                is_caused[b] = true;
                open.push_back(b);
            }
        }
    }
    return is_caused;
}

Result<Diagnosis> CausalAi::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    const bool reference = context.variant == Variant::reference;
    const TimedTable table = timed_table(view, context.num_threads);
    if (table.columns.empty() || view.num_rows() < 4)
        return degenerate(fmt::format("causalai needs moving columns and 4 rows, got {} and {}",
                                      table.columns.size(), view.num_rows()));
    const PcSingleOptions options = {
        .alpha = context.option(info_, "alpha"),
        .condition_size_max = static_cast<std::size_t>(context.option(info_, "conditioning_max"))};
    CULPRIT_TRY(const auto findings, search(table, view.num_rows(), options, reference, context));

    std::vector<std::size_t> candidates;
    for (std::size_t x = 0; x < findings.size(); ++x)
        if (link_to(findings[x], table.time()) != nullptr) candidates.push_back(x);
    std::vector<bool> is_caused(table.columns.size() + 1, false);
    if (!reference) is_caused = caused_by_another(oriented_graph(table, findings), candidates);
    std::vector<Suspect> suspects;
    for (const std::size_t x : candidates) {
        const double strength = std::abs(link_to(findings[x], table.time())->correlation);
        const std::size_t c = table.columns[x];
        // Strength lies in [0, 1]: one more for those that no candidate explains.
        suspects.push_back(
            {view.names()[c], view.service(c), strength + (reference || is_caused[x] ? 0.0 : 1.0)});
    }
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(std::move(suspects));
    std::size_t num_tests = 0;
    std::size_t num_near = 0;
    for (const auto& finding : findings) {
        num_tests += finding.num_tests;
        num_near += finding.num_near_alpha;
    }
    diagnosis.notes.push_back(
        fmt::format("{} tests, {:.1f} % of them with p within a factor of two of alpha", num_tests,
                    100.0 * static_cast<double>(num_near) /
                        static_cast<double>(std::max<std::size_t>(num_tests, 1))));
    if (candidates.empty()) diagnosis.notes.push_back("no column depends on time directly");
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_causalai() { return std::make_unique<CausalAi>(); }

}  // namespace culprit
