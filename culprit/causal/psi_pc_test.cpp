#include "culprit/causal/psi_pc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "culprit/base/random.h"
#include "culprit/causal/golden_case.h"
#include "culprit/stats/kmeans_bins.h"

namespace culprit {
namespace {

using testing::ElementsAre;

// The permutations of numpy's legacy generator: MT19937, masked rejection, Fisher-Yates from the
// end.
Permute legacy_numpy(std::uint32_t seed) {
    auto engine = std::make_shared<std::mt19937>(seed);
    return [engine](std::vector<std::size_t>& values) {
        for (std::size_t i = values.size(); i-- > 1;) {
            std::uint32_t mask = static_cast<std::uint32_t>(i);
            for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
            std::uint32_t draw = 0;
            do {
                draw = static_cast<std::uint32_t>((*engine)()) & mask;
            } while (draw > i);
            std::swap(values[i], values[draw]);
        }
    };
}

Permute seeded(std::uint64_t seed) {
    auto random = std::make_shared<Random>(seed);
    return [random](std::vector<std::size_t>& values) { random->shuffle(values); };
}

struct RegimeTable {
    std::vector<std::string> names;
    stats::CodeTable codes;
    std::size_t f_node = 0;
};

RegimeTable golden_table(const std::string& name) {
    const GoldenTable normal = golden_csv("rcd/" + name + "_normal.csv");
    const GoldenTable anomalous = golden_csv("rcd/" + name + "_anomalous.csv");
    RegimeTable table;
    table.names = normal.names;
    const std::size_t num_normal = normal.values.num_rows();
    const std::size_t num_anomalous = anomalous.values.num_rows();
    for (std::size_t c = 0; c < table.names.size(); ++c) {
        const auto before = normal.values.column(c);
        const auto after = anomalous.values.column(c);
        std::vector<double> values(before.begin(), before.end());
        values.insert(values.end(), after.begin(), after.end());
        const auto edges = stats::kmeans_bin_edges(values, 5);
        table.codes.codes.push_back(stats::bins_of(values, edges));
        table.codes.cardinality.push_back(edges.size() - 1);
    }
    std::vector<std::uint8_t> f(num_normal, 0);
    f.resize(num_normal + num_anomalous, 1);
    table.f_node = table.codes.codes.size();
    table.codes.codes.push_back(std::move(f));
    table.codes.cardinality.push_back(2);
    return table;
}

TEST(RcdGolden, BinsAndChiSquareEqualScikitLearnAndCausalLearn) {
    for (const std::string name : {"small_cpu", "small_gpu"}) {
        const auto golden = golden_json("rcd/" + name + ".json");
        const RegimeTable table = golden_table(name);
        for (std::size_t c = 0; c < table.names.size(); ++c) {
            std::string bins;
            for (const auto bin : table.codes.codes[c]) bins += static_cast<char>('0' + bin);
            EXPECT_EQ(bins, golden["discretized"][table.names[c]]) << name << ' ' << table.names[c];
            const double p = stats::chi_square(table.codes, table.f_node, c, {}).p_value;
            const double expected = golden["p_fnode_marginal"][table.names[c]];
            EXPECT_NEAR(p, expected, 1e-9 * expected) << table.names[c];
        }
        for (const auto& row : golden["p_fnode_given_one_first8"]) {
            const std::vector<std::size_t> given = {row[1].get<std::size_t>()};
            const double p =
                stats::chi_square(table.codes, table.f_node, row[0].get<std::size_t>(), given)
                    .p_value;
            EXPECT_NEAR(p, row[2].get<double>(), 1e-9) << row;
        }
    }
}

// With numpy's own permutations the whole search must give the reference's list, in its order.
TEST(RcdGolden, SameSeedSameRanking) {
    for (const std::string name : {"small_cpu", "small_gpu"}) {
        const RegimeTable table = golden_table(name);
        const auto golden = golden_json("rcd/" + name + ".json");
        for (const auto& run : golden["runs"]) {
            const auto found =
                hierarchical_psi_pc(table.codes, table.f_node, {.rule = EnoughRule::exactly},
                                    legacy_numpy(run["seed"].get<std::uint32_t>()), Stop())
                    .value();
            std::vector<std::string> ranks;
            ranks.reserve(found.ranked.size());
            for (const std::size_t v : found.ranked) ranks.push_back(table.names[v]);
            EXPECT_EQ(ranks, run["ranks"].get<std::vector<std::string>>())
                << name << " seed " << run["seed"];
        }
    }
}

// F -> 0 -> 1 and 2 unrelated: only 0 changes by itself.
RegimeTable chain(std::size_t num_rows, std::uint64_t seed) {
    Random random(seed);
    RegimeTable table;
    table.codes.codes.assign(4, std::vector<std::uint8_t>(num_rows));
    table.codes.cardinality = {3, 3, 3, 2};
    table.f_node = 3;
    for (std::size_t i = 0; i < num_rows; ++i) {
        const bool is_suspect = i >= num_rows / 2;
        const auto root = random.uniform() < (is_suspect ? 0.7 : 0.2) ? 2U : random.below(2);
        const auto child = random.uniform() < 0.6 ? root : random.below(3);
        table.codes.codes[0][i] = static_cast<std::uint8_t>(root);
        table.codes.codes[1][i] = static_cast<std::uint8_t>(child);
        table.codes.codes[2][i] = static_cast<std::uint8_t>(random.below(3));
        table.codes.codes[3][i] = is_suspect ? 1 : 0;
    }
    return table;
}

TEST(PsiPc, FindsTheVariableWhoseMechanismChanged) {
    TestCounts counts;
    int num_right = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const RegimeTable table = chain(4000, seed);
        const auto found =
            psi_pc(table.codes, 3, {0, 1, 2}, {.alpha_start = 0.001}, seeded(seed), Stop(), counts)
                .value();
        num_right += found == std::vector<std::size_t>{0} ? 1 : 0;
    }
    EXPECT_GE(counts.tests, 20U * 3U) << "each variable's marginal test at least";
    EXPECT_LE(counts.fragile, counts.tests);
    EXPECT_GE(num_right, 19) << "two false positives at alpha 0.001 in 20 runs would be odd";
}

TEST(ChiSquare, RejectsIndependentDataAtAboutAlpha) {
    Random random(1);
    int num_rejected = 0;
    constexpr int num_trials = 2000;
    for (int trial = 0; trial < num_trials; ++trial) {
        stats::CodeTable table;
        table.codes.assign(3, std::vector<std::uint8_t>(400));
        table.cardinality = {2, 3, 2};
        for (std::size_t v = 0; v < 3; ++v)
            for (auto& code : table.codes[v])
                code = static_cast<std::uint8_t>(random.below(table.cardinality[v]));
        const std::vector<std::size_t> given = {2};
        num_rejected += stats::chi_square(table, 0, 1, given).p_value < 0.05 ? 1 : 0;
    }
    EXPECT_NEAR(num_rejected, 100, 30) << "three standard deviations of a binomial(2000, 0.05)";
}

TEST(ChiSquare, HandComputedTable) {
    // 10 20 / 30 40: expected 12 18 / 28 42, statistic 4/12 + 4/18 + 4/28 + 4/42 = 0.79365.
    stats::CodeTable table;
    table.cardinality = {2, 2};
    table.codes.resize(2);
    const int counts[2][2] = {{10, 20}, {30, 40}};
    for (std::uint8_t a = 0; a < 2; ++a)
        for (std::uint8_t b = 0; b < 2; ++b)
            for (int k = 0; k < counts[a][b]; ++k) {
                table.codes[0].push_back(a);
                table.codes[1].push_back(b);
            }
    const auto finding = stats::chi_square(table, 0, 1, {});
    EXPECT_NEAR(finding.statistic, 4.0 / 12 + 4.0 / 18 + 4.0 / 28 + 4.0 / 42, 1e-12);
    EXPECT_EQ(finding.degrees_of_freedom, 1U);
    EXPECT_NEAR(finding.p_value, std::erfc(std::sqrt(finding.statistic / 2.0)), 1e-12);
}

TEST(KMeansBins, CutsBetweenClustersAndHandlesFewValues) {
    EXPECT_THAT(stats::kmeans_bin_edges(std::vector<double>{3.0, 3.0}, 5), ElementsAre(3.0, 3.0));
    const std::vector<double> two = {0.0, 0.0, 1.0, 1.0};
    const auto edges = stats::kmeans_bin_edges(two, 2);
    EXPECT_THAT(edges, ElementsAre(0.0, 0.5, 1.0));
    EXPECT_THAT(stats::bins_of(two, edges), ElementsAre(0, 0, 1, 1));
    const auto many = stats::kmeans_bin_edges(std::vector<double>{1e-9, 2e-9, 3e-9, 4e-9}, 5);
    EXPECT_EQ(many.size(), 2U) << "edges nearer than 1e-8 collapse";
}

TEST(HierarchicalPsiPc, EmptyAndStopped) {
    stats::CodeTable table;
    table.codes = {{0, 1}};
    table.cardinality = {2};
    EXPECT_TRUE(hierarchical_psi_pc(table, 0, {}, seeded(0), Stop()).value().ranked.empty());
    const RegimeTable full = chain(100, 0);
    std::stop_source source;
    source.request_stop();
    EXPECT_EQ(
        hierarchical_psi_pc(full.codes, 3, {}, seeded(0), Stop(source.get_token())).error().code,
        ErrorCode::cancelled);
}

}  // namespace
}  // namespace culprit
