#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "culprit/causal/golden_case.h"
#include "culprit/causal/ica_lingam.h"
#include "culprit/causal/pcmci.h"

namespace culprit {
namespace {

// From the unmixing matrix on, LiNGAM is deterministic; FastICA itself starts unseeded.
TEST(LingamGolden, OrderAndEffectsFromTheUnmixingMatrix) {
    for (const std::string name : {"sem8", "small_cpu"}) {
        const auto golden = golden_json(name + "/lingam.json");
        const auto model = order_from_unmixing(golden_matrix(golden["W_ica"]));
        EXPECT_EQ(model.order, golden["causal_order"].get<std::vector<std::size_t>>()) << name;
        const Matrix b = golden_matrix(golden["B_estimate"]);
        for (std::size_t i = 0; i < b.num_rows(); ++i)
            for (std::size_t j = 0; j < b.num_rows(); ++j)
                EXPECT_NEAR(model.raw_effects(i, j), b(i, j), 1e-10 * (1.0 + std::abs(b(i, j))));
        const auto data = golden_csv(name + "/input.csv");
        const Matrix effects = effects_along_order(data.values, model.order, Stop()).value();
        const Matrix expected = golden_matrix(golden["adjacency"]);
        for (std::size_t i = 0; i < b.num_rows(); ++i)
            for (std::size_t j = 0; j < b.num_rows(); ++j) {
                EXPECT_EQ(effects(i, j) != 0.0, expected(i, j) != 0.0) << name << i << ' ' << j;
                EXPECT_NEAR(effects(i, j), expected(i, j), 1e-7 * (1.0 + std::abs(expected(i, j))));
            }
    }
}

TEST(PcmciGolden, ParentsPValuesAndGraphEqualTigramite) {
    for (const std::string name : {"sem8", "small_cpu"}) {
        const auto golden = golden_json(name + "/pcmci.json");
        const auto data = golden_csv(name + "/input.csv");
        const PcmciFinding finding = pcmci(data.values, {}, Stop()).value();
        const std::size_t p = data.names.size();
        for (std::size_t j = 0; j < p; ++j) {
            const auto& parents = golden["parents"][std::to_string(j)];
            ASSERT_EQ(finding.parents[j].size(), parents.size()) << name << ' ' << j;
            for (std::size_t k = 0; k < parents.size(); ++k) {
                EXPECT_EQ(finding.parents[j][k].variable, parents[k][0].get<std::size_t>());
                EXPECT_EQ(finding.parents[j][k].lag,
                          static_cast<std::size_t>(-parents[k][1].get<int>()));
            }
        }
        const auto& values = golden["p_first_targets"];
        for (std::size_t i = 0; i < p; ++i)
            for (std::size_t j = 0; j < values[i].size(); ++j)
                for (std::size_t lag = 0; lag <= 10; ++lag) {
                    if (!values[i][j][lag].is_number()) continue;
                    if (i == j && lag == 0) continue;
                    const double expected = values[i][j][lag];
                    EXPECT_NEAR(finding.p_values[finding.slot(i, j, lag)], expected, 1e-9)
                        << name << i << ' ' << j << ' ' << lag;
                }
        std::size_t num_links = 0;
        for (std::size_t i = 0; i < p; ++i)
            for (std::size_t j = 0; j < p; ++j)
                for (std::size_t lag = 0; lag <= 10; ++lag)
                    num_links += finding.link(i, j, lag) != LagLink::none ? 1 : 0;
        EXPECT_EQ(num_links, golden["links"].size()) << name;
        for (const auto& link : golden["links"]) {
            const std::string mark = link[3];
            const LagLink expected = mark == "-->"   ? LagLink::causes
                                     : mark == "<--" ? LagLink::is_caused
                                                     : LagLink::undirected;
            EXPECT_EQ(finding.link(link[0].get<std::size_t>(), link[1].get<std::size_t>(),
                                   link[2].get<std::size_t>()),
                      expected)
                << name << link;
        }
    }
}

}  // namespace
}  // namespace culprit
