#include "culprit/causal/independence_test.h"

#include <algorithm>
#include <numeric>

namespace culprit {

bool next_combination(std::vector<std::size_t>& choice, std::size_t count) {
    const std::size_t size = choice.size();
    for (std::size_t i = size; i-- > 0;) {
        if (choice[i] + (size - i) >= count) continue;
        ++choice[i];
        for (std::size_t j = i + 1; j < size; ++j) choice[j] = choice[j - 1] + 1;
        return true;
    }
    return false;
}

bool IndependenceTest::independent(std::size_t x, std::size_t y, std::span<const std::size_t> given,
                                   TestCounts& counts) const {
    const double p = p_value(x, y, given);
    ++counts.tests;
    if (p >= alpha() / 2 && p <= alpha() * 2) ++counts.fragile;
    return p > alpha();
}

namespace {

std::vector<std::size_t> merged(const std::vector<std::size_t>& a,
                                const std::vector<std::size_t>& b) {
    std::vector<std::size_t> result;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
    return result;
}

}  // namespace

Result<SeparationResult> IndependenceTest::separate(std::size_t x,
                                                    std::span<const std::size_t> others,
                                                    std::size_t size, SepsetRule rule,
                                                    const Stop& stop, TestCounts& counts) const {
    SeparationResult result(others.size());
    if (size + 1 > others.size()) return result;
    std::vector<std::size_t> pool(others.size() - 1);
    std::vector<std::size_t> given(size);
    std::vector<std::size_t> choice(size);
    for (std::size_t k = 0; k < others.size(); ++k) {
        std::copy(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(k), pool.begin());
        std::copy(others.begin() + static_cast<std::ptrdiff_t>(k) + 1, others.end(),
                  pool.begin() + static_cast<std::ptrdiff_t>(k));
        std::iota(choice.begin(), choice.end(), std::size_t{0});
        do {
            if (counts.tests % 256 == 0) CULPRIT_TRY_STATUS(stop.check());
            for (std::size_t i = 0; i < size; ++i) given[i] = pool[choice[i]];
            if (!independent(x, others[k], given, counts)) continue;
            result[k] = result[k] ? merged(*result[k], given) : given;
            if (rule == SepsetRule::first) break;
        } while (next_combination(choice, pool.size()));
    }
    return result;
}

}  // namespace culprit
