#include "culprit/causal/psi_pc.h"

#include <algorithm>
#include <map>
#include <utility>

#include "culprit/base/check.h"
#include "culprit/causal/subsets.h"

namespace culprit {
namespace {

// The chi-square p-values of (F, column | set); sets as sorted positions within the searched
// columns.
class RegimeTests {
public:
    RegimeTests(const stats::CodeTable& table, std::size_t f_node,
                const std::vector<std::size_t>& columns, TestCounts& counts)
        : table_(table), f_node_(f_node), columns_(columns), counts_(counts) {}

    double p_value(std::size_t y, const std::vector<std::size_t>& given, double alpha) {
        const auto known = cache_.find({y, given});
        if (known != cache_.end()) return known->second;
        std::vector<std::size_t> variables;
        variables.reserve(given.size());
        for (const std::size_t s : given) variables.push_back(columns_[s]);
        const double p = stats::chi_square(table_, f_node_, columns_[y], variables).p_value;
        ++counts_.tests;
        counts_.fragile += p > alpha / 2.0 && p < alpha * 2.0 ? 1 : 0;
        if (cache_.size() < cached_tests_max) cache_.emplace(std::pair(y, given), p);
        return p;
    }

private:
    static constexpr std::size_t cached_tests_max = 1U << 20;  // some 100 MB
    const stats::CodeTable& table_;
    std::size_t f_node_;
    const std::vector<std::size_t>& columns_;
    TestCounts& counts_;
    std::map<std::pair<std::size_t, std::vector<std::size_t>>, double> cache_;
};

struct RegimeSkeleton {
    std::vector<std::size_t> neighbours;        // of F, ascending positions
    std::vector<std::vector<double>> p_values;  // per position, tests that found dependence
};

Result<RegimeSkeleton> skeleton(RegimeTests& tests, std::size_t num, double alpha,
                                const Permute& permute, const Stop& stop) {
    RegimeSkeleton result;
    result.p_values.resize(num);
    std::vector<bool> linked(num, true);
    const auto count_linked = [&] {
        return static_cast<std::size_t>(std::count(linked.begin(), linked.end(), true));
    };
    // The largest degree of the whole graph: columns stay adjacent to each other throughout.
    const auto degree_max = [&] { return count_linked() > 0 ? num : num - 1; };
    for (std::size_t d = 0; degree_max() > d; ++d) {
        std::vector<std::size_t> order;
        for (std::size_t y = 0; y < num; ++y)
            if (linked[y]) order.push_back(y);
        permute(order);
        for (const std::size_t y : order) {
            CULPRIT_TRY_STATUS(stop.check());
            std::vector<std::size_t> pool;
            if (d > 0)
                for (std::size_t s = 0; s < num; ++s)
                    if (s != y && linked[s]) pool.push_back(s);
            for_subsets(pool, d, [&](const std::vector<std::size_t>& given) {
                if (stop.requested()) return true;
                const double p = tests.p_value(y, given, alpha);
                if (p > alpha) {
                    linked[y] = false;
                    return true;
                }
                result.p_values[y].push_back(p);
                return false;
            });
        }
    }
    CULPRIT_TRY_STATUS(stop.check());
    for (std::size_t y = 0; y < num; ++y)
        if (linked[y]) result.neighbours.push_back(y);
    return result;
}

// Takes the largest list out (the first of equals) and puts it in front, until none is left: the
// smallest ends first and equal ones come out reversed.
std::vector<std::size_t> order_by_p(std::vector<std::size_t> fresh, const RegimeSkeleton& found) {
    std::vector<std::size_t> ordered;
    while (!fresh.empty()) {
        auto largest = fresh.begin();
        for (auto it = fresh.begin(); it != fresh.end(); ++it)
            if (found.p_values[*largest] < found.p_values[*it]) largest = it;
        ordered.insert(ordered.begin(), *largest);
        fresh.erase(largest);
    }
    return ordered;
}

}  // namespace

Result<std::vector<std::size_t>> psi_pc(const stats::CodeTable& table, std::size_t f_node,
                                        const std::vector<std::size_t>& columns,
                                        const PsiPcOptions& options, const Permute& permute,
                                        const Stop& stop, TestCounts& counts) {
    CULPRIT_CHECK(options.alpha_step > 0.0);
    std::vector<std::size_t> found;
    if (columns.empty()) return found;
    RegimeTests tests(table, f_node, columns, counts);
    for (int step = 0;; ++step) {
        const double alpha = options.alpha_start + step * options.alpha_step;
        if (!(alpha < options.alpha_max)) break;
        CULPRIT_TRY(const RegimeSkeleton graph,
                    skeleton(tests, columns.size(), alpha, permute, stop));
        std::vector<std::size_t> fresh;
        for (const std::size_t y : graph.neighbours)
            if (std::find(found.begin(), found.end(), y) == found.end()) fresh.push_back(y);
        if (fresh.empty()) continue;
        for (const std::size_t y : order_by_p(std::move(fresh), graph)) found.push_back(y);
        if (options.rule == EnoughRule::exactly ? found.size() == options.enough
                                                : found.size() >= options.enough)
            break;
    }
    for (std::size_t& y : found) y = columns[y];
    return found;
}

Result<HierarchicalFinding> hierarchical_psi_pc(const stats::CodeTable& table, std::size_t f_node,
                                                const HierarchicalOptions& options,
                                                const Permute& permute, const Stop& stop) {
    CULPRIT_CHECK(options.chunk_size > 0);
    HierarchicalFinding finding;
    for (std::size_t v = 0; v < table.codes.size(); ++v)
        if (v != f_node) finding.candidates.push_back(v);
    while (!finding.candidates.empty()) {
        std::vector<std::size_t> shuffled = finding.candidates;
        permute(shuffled);
        std::vector<std::size_t> survivors;
        for (std::size_t first = 0; first < shuffled.size(); first += options.chunk_size) {
            const std::size_t last = std::min(first + options.chunk_size, shuffled.size());
            const std::vector<std::size_t> chunk(shuffled.begin() + static_cast<long>(first),
                                                 shuffled.begin() + static_cast<long>(last));
            const PsiPcOptions local = {.alpha_start = options.local_alpha, .rule = options.rule};
            CULPRIT_TRY(const auto found,
                        psi_pc(table, f_node, chunk, local, permute, stop, finding.counts));
            survivors.insert(survivors.end(), found.begin(), found.end());
        }
        ++finding.num_levels;
        const bool is_last =
            survivors.size() <= options.chunk_size || survivors.size() == finding.candidates.size();
        finding.candidates = std::move(survivors);
        if (is_last) break;
    }
    const PsiPcOptions global = {.alpha_start = options.start_alpha,
                                 .enough = finding.candidates.size(),
                                 .rule = options.rule};
    CULPRIT_TRY(finding.ranked,
                psi_pc(table, f_node, finding.candidates, global, permute, stop, finding.counts));
    return finding;
}

}  // namespace culprit
