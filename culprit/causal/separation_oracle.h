#pragma once

#include "culprit/causal/independence_test.h"
#include "culprit/graph/separation.h"

namespace culprit {

/// The test that is never wrong: answers from a known graph by m-separation. p is 1 or 0. The first
/// `num_observed` nodes are the variables; the rest of the graph is latent.
class SeparationOracle : public IndependenceTest {
public:
    explicit SeparationOracle(const MixedGraph& graph)
        : SeparationOracle(graph, graph.num_nodes()) {}
    SeparationOracle(MixedGraph graph, std::size_t num_observed)
        : graph_(std::move(graph)), num_observed_(num_observed) {}

    std::size_t num_variables() const override { return num_observed_; }
    double alpha() const override { return 0.25; }
    double p_value(std::size_t x, std::size_t y,
                   std::span<const std::size_t> given) const override {
        return separated(graph_, x, y, given) ? 1.0 : 0.0;
    }

private:
    MixedGraph graph_;
    std::size_t num_observed_;
};

}  // namespace culprit
