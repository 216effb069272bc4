#include "culprit/causal/ges.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "culprit/base/check.h"
#include "culprit/causal/pc.h"
#include "culprit/causal/subsets.h"

namespace culprit {
namespace {

using NodeSet = std::vector<std::size_t>;  // ascending

constexpr double unexplained_min = 1e-12;
constexpr double gain_min = 1e-9;  // a smaller gain is rounding

// What is left of `node`'s variance given `parents`; Cholesky of the parents' correlations.
double unexplained_share(MatrixView correlation, std::size_t node,
                         std::span<const std::size_t> parents) {
    const std::size_t k = parents.size();
    std::vector<double> lower((k + 1) * (k + 1), 0.0);
    const auto at = [&](std::size_t i) { return i < k ? parents[i] : node; };
    for (std::size_t i = 0; i <= k; ++i) {
        double* row = lower.data() + i * (k + 1);
        for (std::size_t j = 0; j < i; ++j) {
            const double* other = lower.data() + j * (k + 1);
            double value = correlation(at(i), at(j));
            for (std::size_t m = 0; m < j; ++m) value -= row[m] * other[m];
            row[j] = other[j] > 0.0 ? value / other[j] : 0.0;
        }
        double rest = 1.0;
        for (std::size_t j = 0; j < i; ++j) rest -= row[j] * row[j];
        if (i == k) return std::max(rest, unexplained_min);
        row[i] = rest > unexplained_min ? std::sqrt(rest) : 0.0;  // a copy of others adds nothing
    }
    return 1.0;
}

NodeSet merged(const NodeSet& a, const NodeSet& b) {
    NodeSet result;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
    return result;
}

NodeSet without(const NodeSet& a, const NodeSet& b) {
    NodeSet result;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
    return result;
}

bool is_clique(const MixedGraph& graph, const NodeSet& nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i)
        for (std::size_t k = i + 1; k < nodes.size(); ++k)
            if (!graph.adjacent(nodes[i], nodes[k])) return false;
    return true;
}

// A DAG without new colliders that directs all edges of a PDAG: sinks are taken off one by one.
std::optional<MixedGraph> extension_of(MixedGraph rest) {
    const std::size_t n = rest.num_nodes();
    MixedGraph dag(n);
    std::vector<bool> is_gone(n, false);
    for (std::size_t round = 0; round < n; ++round) {
        std::size_t sink = n;
        for (std::size_t x = 0; x < n && sink == n; ++x) {
            if (is_gone[x]) continue;
            const NodeSet around = rest.neighbours(x);
            bool fits = true;
            for (const std::size_t y : around) {
                if (rest.is_directed(x, y)) fits = false;
                if (!fits || !rest.is_undirected(x, y)) continue;
                for (const std::size_t z : around)
                    if (z != y && !rest.adjacent(y, z)) fits = false;
            }
            if (fits) sink = x;
        }
        if (sink == n) return std::nullopt;
        for (const std::size_t y : rest.neighbours(sink)) {
            dag.set_directed(y, sink);
            rest.remove_edge(y, sink);
        }
        is_gone[sink] = true;
    }
    return dag;
}

struct Operator {
    double gain = 0.0;
    NodeSet set;      // T or H
    NodeSet blocker;  // N + T, which must meet every semi-directed path Y ~> X
};

// The state of one search: graph, cached scores, and per ordered pair the operators it allows.
class Search {
public:
    Search(std::size_t num_nodes, const LocalScore& score, const GesOptions& options)
        : num_(num_nodes), score_(score), options_(options), pairs_(num_nodes * num_nodes) {
        result_.graph = MixedGraph(num_nodes);
    }

    Result<GesResult> run() {
        CULPRIT_TRY_STATUS(sweep(true));
        for (Pair& pair : pairs_) pair = {};
        CULPRIT_TRY_STATUS(sweep(false));
        result_.num_scores = scores_.size();
        return std::move(result_);
    }

private:
    // What the operators of (X, Y) depend on, and the operators, best first.
    struct Pair {
        bool is_listed = false;
        NodeSet parents;
        NodeSet common;  // N
        NodeSet others;  // undirected neighbours of Y not adjacent to X
        std::vector<Operator> operators;
    };
    struct Choice {
        std::size_t x = 0;
        std::size_t y = 0;
        const Operator* best = nullptr;
    };

    double local(std::size_t node, const NodeSet& parents) {
        const auto key = std::pair(node, parents);
        const auto known = scores_.find(key);
        if (known != scores_.end()) return known->second;
        const double value = score_(node, parents);
        scores_.emplace(key, value);
        return value;
    }

    Status sweep(bool inserts) {
        while (true) {
            CULPRIT_TRY(const Choice choice, best_choice(inserts));
            if (choice.best == nullptr) return {};
            const Operator chosen = *choice.best;
            apply(choice.x, choice.y, chosen, inserts);
            result_.gain += chosen.gain;
            ++(inserts ? result_.num_insertions : result_.num_deletions);
        }
    }

    Result<Choice> best_choice(bool inserts) {
        Choice choice;
        for (std::size_t y = 0; y < num_; ++y) {
            CULPRIT_TRY_STATUS(options_.stop.check());
            for (std::size_t x = 0; x < num_; ++x) {
                if (x == y || result_.graph.adjacent(x, y) == inserts) continue;
                if (!inserts && result_.graph.is_directed(y, x)) continue;  // only X -> Y, X - Y
                const Pair& pair = listed(x, y, inserts);
                for (const Operator& candidate : pair.operators) {
                    if (choice.best != nullptr && candidate.gain <= choice.best->gain) break;
                    if (inserts && !blocks(y, x, candidate.blocker)) continue;
                    choice = {x, y, &candidate};
                    break;
                }
            }
        }
        return choice;
    }

    const Pair& listed(std::size_t x, std::size_t y, bool inserts) {
        const MixedGraph& graph = result_.graph;
        NodeSet parents;
        NodeSet common;
        NodeSet others;
        for (const std::size_t v : graph.neighbours(y)) {
            if (v == x) continue;
            if (graph.is_directed(v, y)) parents.push_back(v);
            if (graph.is_undirected(v, y)) (graph.adjacent(v, x) ? common : others).push_back(v);
        }
        Pair& pair = pairs_[x * num_ + y];
        // Cliques also depend on edges among the neighbours of Y; those are few: list anew whenever
        // such a neighbourhood exists.
        const bool is_same = pair.is_listed && pair.parents == parents && pair.common == common &&
                             pair.others == others && common.size() + others.size() < 2;
        if (is_same) return pair;
        pair = {true, std::move(parents), std::move(common), std::move(others), {}};
        inserts ? list_insertions(x, y, pair) : list_deletions(x, y, pair);
        std::stable_sort(pair.operators.begin(), pair.operators.end(),
                         [](const Operator& a, const Operator& b) { return a.gain > b.gain; });
        return pair;
    }

    void list_insertions(std::size_t x, std::size_t y, Pair& pair) {
        const std::size_t size_max = bounded(pair.others.size());
        for (std::size_t size = 0; size <= size_max; ++size)
            for_subsets(pair.others, size, [&](const NodeSet& t) {
                Operator candidate = {0.0, t, merged(pair.common, t)};
                if (!is_clique(result_.graph, candidate.blocker)) return false;
                const NodeSet base = merged(candidate.blocker, pair.parents);
                candidate.gain = local(y, merged(base, {x})) - local(y, base);
                if (candidate.gain > gain_min) pair.operators.push_back(std::move(candidate));
                return false;
            });
    }

    void list_deletions(std::size_t x, std::size_t y, Pair& pair) {
        const std::size_t size_max = bounded(pair.common.size());
        for (std::size_t size = 0; size <= size_max; ++size)
            for_subsets(pair.common, size, [&](const NodeSet& h) {
                const NodeSet kept = without(pair.common, h);
                if (!is_clique(result_.graph, kept)) return false;
                const NodeSet base = merged(kept, pair.parents);
                const double gain = local(y, base) - local(y, merged(base, {x}));
                if (gain > gain_min) pair.operators.push_back({gain, h, {}});
                return false;
            });
    }

    std::size_t bounded(std::size_t size) {
        result_.truncated = result_.truncated || size > options_.subset_size_max;
        return std::min(size, options_.subset_size_max);
    }

    // True iff every path from `from` to `to` along undirected edges and arrows meets `nodes`.
    bool blocks(std::size_t from, std::size_t to, const NodeSet& nodes) const {
        std::vector<bool> seen(num_, false);
        for (const std::size_t v : nodes) seen[v] = true;
        seen[from] = true;
        NodeSet open = {from};
        while (!open.empty()) {
            const std::size_t a = open.back();
            open.pop_back();
            for (const std::size_t b : result_.graph.neighbours(a)) {
                if (seen[b] || result_.graph.is_directed(b, a)) continue;
                if (b == to) return false;
                seen[b] = true;
                open.push_back(b);
            }
        }
        return true;
    }

    void apply(std::size_t x, std::size_t y, const Operator& chosen, bool inserts) {
        MixedGraph graph = result_.graph;
        if (inserts) {
            graph.set_directed(x, y);
            for (const std::size_t t : chosen.set) graph.set_directed(t, y);
        } else {
            graph.remove_edge(x, y);
            for (const std::size_t h : chosen.set) {
                if (graph.is_undirected(y, h)) graph.set_directed(y, h);
                if (graph.is_undirected(x, h)) graph.set_directed(x, h);
            }
        }
        const auto dag = extension_of(std::move(graph));
        CULPRIT_CHECK(dag.has_value());  // a valid operator always leaves an extendable graph
        result_.graph = cpdag_of(*dag);
    }

    std::size_t num_;
    const LocalScore& score_;
    GesOptions options_;
    GesResult result_;
    std::map<std::pair<std::size_t, NodeSet>, double> scores_;
    std::vector<Pair> pairs_;
};

}  // namespace

LocalScore gaussian_bic(MatrixView correlation, std::size_t num_samples, double penalty) {
    const auto n = static_cast<double>(num_samples);
    return [correlation, n, penalty](std::size_t node, std::span<const std::size_t> parents) {
        return -0.5 * n * std::log(unexplained_share(correlation, node, parents)) -
               0.5 * penalty * static_cast<double>(parents.size()) * std::log(n);
    };
}

MixedGraph cpdag_of(const MixedGraph& dag) {
    MixedGraph graph = dag;
    graph.mark_all(Mark::tail);
    for (std::size_t z = 0; z < dag.num_nodes(); ++z) {
        const NodeSet around = dag.neighbours(z);
        for (std::size_t i = 0; i < around.size(); ++i)
            for (std::size_t k = i + 1; k < around.size(); ++k) {
                const std::size_t x = around[i];
                const std::size_t y = around[k];
                if (!dag.is_directed(x, z) || !dag.is_directed(y, z) || dag.adjacent(x, y))
                    continue;
                graph.set_directed(x, z);
                graph.set_directed(y, z);
            }
    }
    apply_meek_rules(graph);
    return graph;
}

Result<GesResult> ges(std::size_t num_nodes, const LocalScore& score, const GesOptions& options) {
    return Search(num_nodes, score, options).run();
}

}  // namespace culprit
