#include "culprit/graph/enumeration.h"

#include <numeric>
#include <span>
#include <utility>

#include "culprit/base/check.h"
#include "culprit/graph/separation.h"

namespace culprit {
namespace {

struct Ends {
    Mark first, second;
};
constexpr Ends kinds[] = {{Mark::none, Mark::none},
                          {Mark::tail, Mark::arrow},
                          {Mark::arrow, Mark::tail},
                          {Mark::arrow, Mark::arrow},
                          {Mark::tail, Mark::tail}};

// Every assignment of the first `num_kinds` kinds of edge to the pairs.
void for_each_graph(std::size_t n, std::size_t num_kinds,
                    const std::function<void(const MixedGraph&)>& body) {
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = a + 1; b < n; ++b) pairs.emplace_back(a, b);
    std::vector<std::size_t> kind(pairs.size(), 0);
    MixedGraph graph(n);
    while (true) {
        body(graph);
        std::size_t i = 0;
        for (; i < pairs.size(); ++i) {
            kind[i] = (kind[i] + 1) % num_kinds;
            const auto [a, b] = pairs[i];
            if (kind[i] == 0)
                graph.remove_edge(a, b);
            else
                graph.set_edge(a, kinds[kind[i]].first, b, kinds[kind[i]].second);
            if (kind[i] != 0) break;
        }
        if (i == pairs.size()) return;
    }
}

bool is_ancestral(const MixedGraph& graph) {
    const std::size_t n = graph.num_nodes();
    if (topological_order(graph).size() < n) return false;
    for (std::size_t a = 0; a < n; ++a) {
        const std::size_t self[] = {a};
        const BitSet ancestors = ancestors_of(graph, self);
        bool has_line = false;
        bool has_arrow = false;
        for (const std::size_t b : graph.neighbours(a)) {
            if (graph.is_bidirected(a, b) && ancestors.test(b)) return false;
            has_line = has_line || graph.is_undirected(a, b);
            has_arrow = has_arrow || graph.mark_at(a, b) == Mark::arrow;
        }
        if (has_line && has_arrow) return false;
    }
    return true;
}

template <class Body>
void for_each_set(std::size_t n, std::size_t x, std::size_t y, const Body& body) {
    std::vector<std::size_t> others;
    for (std::size_t v = 0; v < n; ++v)
        if (v != x && v != y) others.push_back(v);
    for (std::size_t bits = 0; bits < (std::size_t{1} << others.size()); ++bits) {
        std::vector<std::size_t> given;
        for (std::size_t i = 0; i < others.size(); ++i)
            if ((bits >> i & 1U) != 0) given.push_back(others[i]);
        body(given);
    }
}

bool is_maximal(const MixedGraph& graph) {
    const std::size_t n = graph.num_nodes();
    for (std::size_t x = 0; x < n; ++x)
        for (std::size_t y = x + 1; y < n; ++y) {
            bool separable = graph.adjacent(x, y);
            for_each_set(n, x, y, [&](const std::vector<std::size_t>& given) {
                separable = separable || separated(graph, x, y, given);
            });
            if (!separable) return false;
        }
    return true;
}

}  // namespace

void for_each_dag(std::size_t num_nodes, const std::function<void(const MixedGraph&)>& body) {
    for_each_graph(num_nodes, 3, [&](const MixedGraph& graph) {
        if (topological_order(graph).size() == num_nodes) body(graph);
    });
}

void for_each_mag(std::size_t num_nodes, bool selection,
                  const std::function<void(const MixedGraph&)>& body) {
    for_each_graph(num_nodes, selection ? 5 : 4, [&](const MixedGraph& graph) {
        if (is_ancestral(graph) && is_maximal(graph)) body(graph);
    });
}

std::vector<bool> separations_of(const MixedGraph& graph) {
    const std::size_t n = graph.num_nodes();
    std::vector<bool> result;
    for (std::size_t x = 0; x < n; ++x)
        for (std::size_t y = x + 1; y < n; ++y)
            for_each_set(n, x, y, [&](const std::vector<std::size_t>& given) {
                result.push_back(separated(graph, x, y, given));
            });
    return result;
}

MixedGraph common_marks(std::span<const MixedGraph> graphs) {
    CULPRIT_CHECK(!graphs.empty());
    MixedGraph result = graphs[0];
    for (const MixedGraph& graph : graphs)
        for (std::size_t a = 0; a < graph.num_nodes(); ++a)
            for (const std::size_t b : graph.neighbours(a))
                if (graph.mark_at(a, b) != result.mark_at(a, b))
                    result.set_mark(a, b, Mark::circle);
    return result;
}

MixedGraph random_dag(std::size_t num_nodes, double density, Random& random) {
    std::vector<std::size_t> order(num_nodes);
    std::iota(order.begin(), order.end(), std::size_t{0});
    random.shuffle(order);
    MixedGraph graph(num_nodes);
    for (std::size_t i = 0; i < num_nodes; ++i)
        for (std::size_t j = i + 1; j < num_nodes; ++j)
            if (random.uniform() < density) graph.set_directed(order[i], order[j]);
    return graph;
}

std::vector<std::size_t> topological_order(const MixedGraph& graph) {
    const std::size_t n = graph.num_nodes();
    std::vector<std::size_t> waiting(n, 0);
    for (std::size_t a = 0; a < n; ++a)
        for (const std::size_t b : graph.neighbours(a))
            waiting[b] += graph.is_directed(a, b) ? 1 : 0;
    std::vector<std::size_t> order;
    for (std::size_t a = 0; a < n; ++a)
        if (waiting[a] == 0) order.push_back(a);
    for (std::size_t next = 0; next < order.size(); ++next)
        for (const std::size_t b : graph.neighbours(order[next]))
            if (graph.is_directed(order[next], b) && --waiting[b] == 0) order.push_back(b);
    return order;
}

}  // namespace culprit
