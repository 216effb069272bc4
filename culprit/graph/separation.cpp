#include "culprit/graph/separation.h"

#include <utility>
#include <vector>

namespace culprit {

BitSet ancestors_of(const MixedGraph& graph, std::span<const std::size_t> nodes) {
    BitSet found(graph.num_nodes());
    std::vector<std::size_t> open(nodes.begin(), nodes.end());
    for (const std::size_t node : nodes) found.set(node);
    while (!open.empty()) {
        const std::size_t node = open.back();
        open.pop_back();
        for (const std::size_t parent : graph.neighbours(node))
            if (graph.is_directed(parent, node) && !found.test(parent)) {
                found.set(parent);
                open.push_back(parent);
            }
    }
    return found;
}

bool separated(const MixedGraph& graph, std::size_t x, std::size_t y,
               std::span<const std::size_t> given) {
    const std::size_t n = graph.num_nodes();
    const BitSet opening = ancestors_of(graph, given);
    BitSet known(n);
    for (const std::size_t node : given) known.set(node);
    // States: (node, whether the edge we came by has its arrow there).
    std::vector<bool> seen(2 * n, false);
    std::vector<std::pair<std::size_t, bool>> open;
    const auto visit = [&](std::size_t from, std::size_t to) {
        const bool by_arrow = graph.mark_at(to, from) == Mark::arrow;
        if (seen[2 * to + (by_arrow ? 1 : 0)]) return;
        seen[2 * to + (by_arrow ? 1 : 0)] = true;
        open.emplace_back(to, by_arrow);
    };
    for (const std::size_t next : graph.neighbours(x)) visit(x, next);
    while (!open.empty()) {
        const auto [node, by_arrow] = open.back();
        open.pop_back();
        if (node == y) return false;
        for (const std::size_t next : graph.neighbours(node)) {
            const bool collider = by_arrow && graph.mark_at(node, next) == Mark::arrow;
            if (collider ? opening.test(node) : !known.test(node)) visit(node, next);
        }
    }
    return true;
}

}  // namespace culprit
