#include "culprit/stats/distributions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "culprit/base/random.h"
#include "culprit/stats/correlation_matrix.h"

namespace culprit::stats {
namespace {

void expect_relative(double found, double expected, double tolerance) {
    EXPECT_NEAR(found, expected, tolerance * std::abs(expected));
}

// Closed forms: t with 1 and 2 degrees of freedom, F(2, d), chi-squared with 2 and 1.
TEST(Distributions, MatchClosedForms) {
    for (const double x : {1e-8, 0.01, 0.7, 1.0, 3.0, 12.0, 60.0}) {
        expect_relative(student_t_two_sided(x, 1), 2 * std::atan2(1.0, x) / std::numbers::pi,
                        1e-12);
        const double t2 = x / std::sqrt(2 + x * x);
        EXPECT_NEAR(student_t_two_sided(-x, 2), 1 - t2, 1e-14);
        expect_relative(f_upper_tail(x, 2, 10), std::pow(1 + x / 5, -5), 1e-12);
        expect_relative(chi_squared_upper_tail(x, 2), std::exp(-x / 2), 1e-12);
        expect_relative(chi_squared_upper_tail(x * x, 1), normal_two_sided(x), 1e-12);
        expect_relative(f_upper_tail(x * x, 1, 7), student_t_two_sided(x, 7), 1e-11);
    }
}

TEST(Distributions, HaveTheTablesQuantiles) {
    EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
    EXPECT_NEAR(normal_two_sided(1.959963984540054), 0.05, 1e-15);

    EXPECT_NEAR(f_upper_tail(3.10, 3, 20), 0.05, 1e-4);
}

TEST(Distributions, AreDefinedAtTheEnds) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(f_upper_tail(inf, 3, 5), 0.0);
    EXPECT_EQ(f_upper_tail(-1.0, 3, 5), 1.0);
    EXPECT_EQ(chi_squared_upper_tail(inf, 3), 0.0);
    EXPECT_EQ(chi_squared_upper_tail(0.0, 3), 1.0);
    EXPECT_EQ(student_t_two_sided(inf, 3), 0.0);
    EXPECT_EQ(student_t_two_sided(0.0, 3), 1.0);
    EXPECT_TRUE(std::isnan(f_upper_tail(nan, 3, 5)));
    EXPECT_TRUE(std::isnan(chi_squared_upper_tail(nan, 3)));
}

TEST(CorrelationMatrix, IsPearsonForEveryPair) {
    Random random(3);
    Matrix data(40, 101);
    for (std::size_t c = 0; c < 101; ++c)
        for (std::size_t r = 0; r < 40; ++r)
            data(r, c) = random.normal() + (c > 0 ? 0.4 * data(r, c - 1) : 0.0) + 50.0;
    const Matrix one = correlation_matrix(data, 1);
    const Matrix two = correlation_matrix(data, 2);
    for (std::size_t a = 0; a < 101; ++a)
        for (std::size_t b = 0; b < 101; ++b) {
            double ma = 0.0, mb = 0.0, aa = 0.0, bb = 0.0, ab = 0.0;
            for (std::size_t r = 0; r < 40; ++r) ma += data(r, a) / 40, mb += data(r, b) / 40;
            for (std::size_t r = 0; r < 40; ++r) {
                aa += (data(r, a) - ma) * (data(r, a) - ma);
                bb += (data(r, b) - mb) * (data(r, b) - mb);
                ab += (data(r, a) - ma) * (data(r, b) - mb);
            }
            ASSERT_NEAR(one(a, b), ab / std::sqrt(aa * bb), 1e-12);
            ASSERT_EQ(one(a, b), one(b, a));
            ASSERT_EQ(one(a, b), two(a, b)) << "must not depend on the number of threads";
        }
}

TEST(CorrelationMatrix, IsDefinedForConstantAndTooFewRows) {
    Matrix data(5, 2, 7.0);
    for (std::size_t r = 0; r < 5; ++r) data(r, 1) = static_cast<double>(r);
    EXPECT_EQ(correlation_matrix(data)(0, 1), 0.0);
    EXPECT_EQ(correlation_matrix(data)(0, 0), 1.0);
    EXPECT_EQ(correlation_matrix(Matrix(1, 3))(0, 1), 0.0);
    EXPECT_EQ(correlation_matrix(Matrix(0, 3))(0, 1), 0.0);
}

}  // namespace
}  // namespace culprit::stats
