#pragma once

#include <cstddef>
#include <vector>

namespace culprit {

/// Calls visit(subset) for the subsets of `pool` with `size` members, in lexicographic order of
/// positions, until it returns true.
template <class Visit>
void for_subsets(const std::vector<std::size_t>& pool, std::size_t size, const Visit& visit) {
    if (size > pool.size()) return;
    std::vector<std::size_t> position(size);
    for (std::size_t i = 0; i < size; ++i) position[i] = i;
    std::vector<std::size_t> subset(size);
    while (true) {
        for (std::size_t i = 0; i < size; ++i) subset[i] = pool[position[i]];
        if (visit(subset)) return;
        std::size_t i = size;
        while (i > 0 && position[i - 1] == pool.size() - size + i - 1) --i;
        if (i == 0) return;
        ++position[i - 1];
        for (std::size_t k = i; k < size; ++k) position[k] = position[k - 1] + 1;
    }
}

}  // namespace culprit
