#include "culprit/causal/skeleton.h"

#include <algorithm>
#include <iterator>

#include "culprit/base/parallel.h"

namespace culprit {

bool SeparatingSets::contains(std::size_t a, std::size_t b, std::size_t node) const {
    const auto& set = find(a, b);
    return set && std::binary_search(set->begin(), set->end(), node);
}

namespace {

struct NodeFindings {
    std::vector<std::size_t> neighbours;
    Result<SeparationResult> separated;
    TestCounts counts;
};

void record(SeparatingSets& sets, std::size_t x, std::size_t y,
            const std::vector<std::size_t>& found, SepsetRule rule) {
    const auto& known = sets.find(x, y);
    if (!known) {
        sets.store(x, y, found);
    } else if (rule == SepsetRule::union_of_all) {
        std::vector<std::size_t> both;
        std::set_union(known->begin(), known->end(), found.begin(), found.end(),
                       std::back_inserter(both));
        sets.store(x, y, std::move(both));
    }
}

// Tests all edges at one size on the graph as it stands, then removes what was separated.
Status search(const IndependenceTest& test, std::size_t size, const SkeletonOptions& options,
              Skeleton& skeleton) {
    const std::size_t n = skeleton.graph.num_nodes();
    std::vector<NodeFindings> findings(n);
    const auto body = [&](std::size_t begin, std::size_t end) {
        for (std::size_t x = begin; x < end; ++x) {
            NodeFindings& f = findings[x];
            f.neighbours = skeleton.graph.neighbours(x);
            f.separated =
                test.separate(x, f.neighbours, size, options.rule, options.stop, f.counts);
        }
    };
    parallel_for(n, options.num_threads, body);
    for (std::size_t x = 0; x < n; ++x) {
        const NodeFindings& f = findings[x];
        skeleton.counts += f.counts;
        if (!f.separated) return tl::unexpected<Error>(f.separated.error());
        for (std::size_t k = 0; k < f.neighbours.size(); ++k)
            if ((*f.separated)[k]) {
                record(skeleton.sepsets, x, f.neighbours[k], *(*f.separated)[k], options.rule);
                skeleton.graph.remove_edge(x, f.neighbours[k]);
            }
    }
    return {};
}

// Upper bound of the tests that one more size takes: every set for every pair, no early end.
double tests_of_size(const MixedGraph& graph, std::size_t size) {
    double tests = 0.0;
    for (std::size_t x = 0; x < graph.num_nodes(); ++x) {
        const std::size_t degree = graph.degree(x);
        if (degree <= size) continue;
        double sets = static_cast<double>(degree);
        for (std::size_t k = 0; k < size; ++k)
            sets *= static_cast<double>(degree - 1 - k) / static_cast<double>(k + 1);
        tests += sets;
    }
    return tests;
}

}  // namespace

Result<Skeleton> find_skeleton(const IndependenceTest& test, const SkeletonOptions& options) {
    const std::size_t n = test.num_variables();
    Skeleton skeleton{MixedGraph::complete(n, Mark::tail), SeparatingSets(n), {}, false};
    for (std::size_t size = 0; skeleton.graph.degree_max() > size; ++size) {
        skeleton.truncated =
            size > options.size_max ||
            static_cast<double>(skeleton.counts.tests) + tests_of_size(skeleton.graph, size) >
                static_cast<double>(options.tests_max);
        if (skeleton.truncated) break;
        CULPRIT_TRY_STATUS(search(test, size, options, skeleton));
    }
    return skeleton;
}

}  // namespace culprit
