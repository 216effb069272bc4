#include "culprit/evaluation/accuracy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "culprit/evaluation/bootstrap.h"
#include "culprit/evaluation/chance.h"

namespace culprit {
namespace {

using testing::ElementsAre;

TEST(Accuracy, ScoresARankByHand) {
    EXPECT_THAT(score_at(3).hit, ElementsAre(0, 0, 1, 1, 1));
    EXPECT_DOUBLE_EQ(score_at(3).average_at_5(), 0.6);
    EXPECT_DOUBLE_EQ(score_at(4).reciprocal_rank, 0.25);
    EXPECT_DOUBLE_EQ(score_at(8).average_at_5(), 0.0);
    EXPECT_DOUBLE_EQ(score_at(8).reciprocal_rank, 0.125);
    EXPECT_EQ(score_at(std::nullopt), Score{});
}

Ranking ranking_of(std::vector<std::string> names) { return Ranking::in_order(names); }

TEST(Accuracy, CountsServicesAtTheirFirstAppearance) {
    const Ranking ranking = ranking_of({"a_cpu", "a_mem", "b_cpu", "a_net", "c-db_cpu", "d_cpu"});
    EXPECT_EQ(rank_of_service(ranking, std::vector<std::string>{"b"}), 2U);
    EXPECT_EQ(rank_of_service(ranking, std::vector<std::string>{"c"}), 3U);
    EXPECT_EQ(rank_of_service(ranking, std::vector<std::string>{"c-db"}), 3U);
    EXPECT_EQ(rank_of_service(ranking, std::vector<std::string>{"d", "b"}), 2U);
    EXPECT_EQ(rank_of_service(ranking, std::vector<std::string>{"e"}), std::nullopt);
}

TEST(Accuracy, ComparesColumnsAsTheStudyNamesThem) {
    const Ranking ranking = ranking_of({"a_cpu", "a_latency", "b_cpu"});
    EXPECT_EQ(rank_of_metric(ranking, std::vector<std::string>{"a_latency-90"}), 2U);
    EXPECT_EQ(rank_of_metric(ranking, std::vector<std::string>{"c_cpu"}), std::nullopt);
}

// All orders of the columns, each reduced to services: the definition itself.
Score chance_by_enumeration(std::vector<int> service_of_column, int truth) {
    std::vector<std::size_t> order(service_of_column.size());
    std::iota(order.begin(), order.end(), 0U);
    Score sum;
    double orders = 0.0;
    do {
        std::vector<int> seen;
        for (const std::size_t column : order)
            if (std::find(seen.begin(), seen.end(), service_of_column[column]) == seen.end())
                seen.push_back(service_of_column[column]);
        const auto at = std::find(seen.begin(), seen.end(), truth) - seen.begin();
        const Score score = score_at(static_cast<std::size_t>(at) + 1);
        for (std::size_t k = 0; k < Score::k_max; ++k) sum.hit[k] += score.hit[k];
        sum.reciprocal_rank += score.reciprocal_rank;
        orders += 1.0;
    } while (std::next_permutation(order.begin(), order.end()));
    for (double& hit : sum.hit) hit /= orders;
    sum.reciprocal_rank /= orders;
    return sum;
}

TEST(Chance, EqualsTheMeanOverAllOrders) {
    // Columns per service 1, 2, 3, 1 and 1: 8! = 40320 orders.
    const std::vector<int> columns = {0, 1, 1, 2, 2, 2, 3, 4};
    const std::vector<std::size_t> counts = {1, 2, 3, 1, 1};
    for (int truth = 0; truth < 5; ++truth) {
        std::vector<std::size_t> others = counts;
        others.erase(others.begin() + truth);
        const Score exact = chance_of_service(counts[static_cast<std::size_t>(truth)], others);
        const Score counted = chance_by_enumeration(columns, truth);
        for (std::size_t k = 0; k < Score::k_max; ++k)
            EXPECT_NEAR(exact.hit[k], counted.hit[k], 1e-12) << truth << " " << k;
        EXPECT_NEAR(exact.reciprocal_rank, counted.reciprocal_rank, 1e-12);
    }
}

TEST(Chance, HasTheClosedFormOfTheFirstPlace) {
    // The first column of all is one of the root cause's n with probability n / N.
    const std::vector<std::size_t> others(41, 7);
    EXPECT_NEAR(chance_of_service(9, others).hit[0], 9.0 / (9 + 41 * 7), 1e-12);
    const std::vector<std::size_t> many(400, 25);
    EXPECT_NEAR(chance_of_service(25, many).hit[4], 5.0 / 401, 1e-9);
    EXPECT_EQ(chance_of_service(0, others), Score{});
}

TEST(Chance, OfAMetricIsHypergeometric) {
    const Score one = chance_of_metric(1, 10);
    EXPECT_NEAR(one.hit[2], 0.3, 1e-12);
    EXPECT_NEAR(
        one.reciprocal_rank,
        (1 + 1 / 2. + 1 / 3. + 1 / 4. + 1 / 5. + 1 / 6. + 1 / 7. + 1 / 8. + 1 / 9. + 1 / 10.) / 10,
        1e-12);
    EXPECT_NEAR(chance_of_metric(2, 5).hit[1], 1.0 - 3.0 / 10.0, 1e-12);  // 1 - C(3,2) / C(5,2)
    EXPECT_NEAR(chance_of_metric(2, 3).hit[4], 1.0, 1e-12);
}

TEST(Bootstrap, CoversTheMeanAndRepeatsItself) {
    Matrix scores(100, 2);
    for (std::size_t r = 0; r < 100; ++r) {
        scores(r, 0) = r < 30 ? 1.0 : 0.0;
        scores(r, 1) = 0.25;
    }
    const auto first = bootstrap_means(scores, {.seed = 7});
    const auto second = bootstrap_means(scores, {.seed = 7});
    // Binomial(100, 0.3): standard error 0.0458, 1.96 of them make 0.09.
    EXPECT_NEAR(first[0].low, 0.21, 0.02);
    EXPECT_NEAR(first[0].high, 0.39, 0.02);
    EXPECT_DOUBLE_EQ(first[1].low, 0.25);
    EXPECT_DOUBLE_EQ(first[1].high, 0.25);
    EXPECT_EQ(first[0].low, second[0].low);
    EXPECT_EQ(bootstrap_means(Matrix(0, 1), {})[0].high, 0.0);
}

}  // namespace
}  // namespace culprit
