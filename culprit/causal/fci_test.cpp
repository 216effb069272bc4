#include "culprit/causal/fci.h"

#include <gtest/gtest.h>

#include <map>

#include "culprit/base/random.h"
#include "culprit/causal/fisher_z.h"
#include "culprit/causal/separation_oracle.h"
#include "culprit/graph/enumeration.h"

namespace culprit {
namespace {

using Class = std::vector<MixedGraph>;
using Truth = std::map<std::vector<bool>, MixedGraph>;

// The PAG by definition: what all maximal ancestral graphs with the same separations agree on.
Truth pags_of_mags(std::size_t n, bool selection) {
    std::map<std::vector<bool>, Class> classes;
    for_each_mag(n, selection,
                 [&](const MixedGraph& mag) { classes[separations_of(mag)].push_back(mag); });
    Truth truth;
    for (const auto& [separations, members] : classes) truth[separations] = common_marks(members);
    return truth;
}

void expect_truth_for_all_mags(std::size_t n, bool selection, std::size_t num_dags) {
    const Truth truth = pags_of_mags(n, selection);
    std::size_t seen = 0;
    for_each_mag(n, selection, [&](const MixedGraph& mag) {
        ++seen;
        const MixedGraph found = fci(SeparationOracle(mag)).value().graph;
        const MixedGraph& expected = truth.at(separations_of(mag));
        ASSERT_EQ(found, expected) << to_string(mag) << "  found " << to_string(found)
                                   << "  expected " << to_string(expected);
    });
    EXPECT_GT(seen, num_dags) << "every DAG is a maximal ancestral graph";
}

// Separations among the first `num_observed` nodes only.
std::vector<bool> observed_separations(const MixedGraph& dag, std::size_t num_observed) {
    std::vector<bool> result;
    for (std::size_t x = 0; x < num_observed; ++x)
        for (std::size_t y = x + 1; y < num_observed; ++y)
            for (std::size_t bits = 0; bits < (std::size_t{1} << num_observed); ++bits) {
                if ((bits >> x & 1U) != 0 || (bits >> y & 1U) != 0) continue;
                std::vector<std::size_t> given;
                for (std::size_t v = 0; v < num_observed; ++v)
                    if ((bits >> v & 1U) != 0) given.push_back(v);
                result.push_back(separated(dag, x, y, given));
            }
    return result;
}

void expect_truth_for_all_dags(std::size_t n, std::size_t num_latent) {
    const std::size_t observed = n - num_latent;
    const Truth truth = pags_of_mags(observed, false);
    for_each_dag(n, [&](const MixedGraph& dag) {
        const auto expected = truth.find(observed_separations(dag, observed));
        ASSERT_NE(expected, truth.end());
        ASSERT_EQ(fci(SeparationOracle(dag, observed)).value().graph, expected->second)
            << to_string(dag);
    });
}

TEST(Fci, FindsThePagOfEveryMagOnFourNodes) {
    expect_truth_for_all_mags(3, true, 25);
    expect_truth_for_all_mags(4, false, 543);
    expect_truth_for_all_mags(4, true, 543);
}

TEST(Fci, FindsThePagOfEveryDagOnFourNodes) {
    expect_truth_for_all_dags(4, 0);
    expect_truth_for_all_dags(4, 1);
    expect_truth_for_all_dags(4, 2);
}

TEST(FciLong, FindsThePagOfEveryDagOnFiveNodesWithUpToOneLatent) {
    expect_truth_for_all_dags(5, 1);
    expect_truth_for_all_dags(5, 0);
}

// Five is where Possible-D-SEP and discriminating paths of length four first matter.
TEST(FciLong, FindsThePagOfEveryMagOnFiveNodes) { expect_truth_for_all_mags(5, false, 29281); }

TEST(FciCausalLearn, FindsThePagOfEveryDagOnThreeNodes) {
    const Truth truth = pags_of_mags(3, false);
    for_each_dag(3, [&](const MixedGraph& dag) {
        EXPECT_EQ(fci_causal_learn(SeparationOracle(dag)).value().graph,
                  truth.at(separations_of(dag)))
            << to_string(dag);
    });
}

}  // namespace
}  // namespace culprit
