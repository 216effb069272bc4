#include "culprit/causal/granger.h"

#include <gtest/gtest.h>

#include <cmath>

#include "culprit/base/random.h"

namespace culprit {
namespace {

// x drives y with lag 2; z is noise.
Matrix driven(std::size_t num_rows, std::uint64_t seed) {
    Random random(seed);
    Matrix data(num_rows, 3);
    for (std::size_t t = 0; t < num_rows; ++t)
        for (std::size_t c = 0; c < 3; ++c) {
            data(t, c) = random.normal() + (t > 0 ? 0.5 * data(t - 1, c) : 0.0);
            if (c == 1 && t >= 2) data(t, c) += 0.8 * data(t - 2, 0);
        }
    return data;
}

TEST(Granger, FindsTheDriverAndItsDirection) {
    const GrangerTable table = granger(driven(300, 1)).value();
    EXPECT_LT(p_values(table.finding(1, 0, 3)).f, 1e-10);
    EXPECT_GT(p_values(table.finding(0, 1, 3)).f, 0.01);
    EXPECT_GT(p_values(table.finding(1, 2, 3)).f, 0.01);
    EXPECT_GT(p_values(table.finding(1, 0, 1)).f, p_values(table.finding(1, 0, 2)).f);
}

// One lag, five rows: RSS of the two regressions by hand on centred numbers.
TEST(Granger, EqualsItsDefinition) {
    Matrix data(12, 2);
    const double y[] = {1, 3, 2, 5, 4, 6, 8, 7, 9, 9, 12, 10};
    const double x[] = {0, 1, 0, 2, 1, 3, 1, 2, 4, 3, 5, 2};
    for (std::size_t t = 0; t < 12; ++t) data(t, 0) = y[t], data(t, 1) = x[t];
    double m[3] = {}, yy = 0, y1 = 0, yx = 0, v1 = 0, vx = 0, c1x = 0;
    for (std::size_t t = 1; t < 12; ++t)
        m[0] += y[t] / 11, m[1] += y[t - 1] / 11, m[2] += x[t - 1] / 11;
    for (std::size_t t = 1; t < 12; ++t) {
        const double a = y[t] - m[0], b = y[t - 1] - m[1], c = x[t - 1] - m[2];
        yy += a * a, y1 += a * b, yx += a * c, v1 += b * b, vx += c * c, c1x += b * c;
    }
    const double restricted = yy - y1 * y1 / v1;
    const double determinant = v1 * vx - c1x * c1x;
    const double unrestricted =
        yy - (y1 * y1 * vx - 2 * y1 * yx * c1x + yx * yx * v1) / determinant;
    const GrangerFinding found = granger(data).value().finding(0, 1, 1);
    EXPECT_EQ(found.degrees_of_freedom, 8U);
    EXPECT_NEAR(found.f(), (restricted - unrestricted) / unrestricted * 8, 1e-10);
    EXPECT_NEAR(found.likelihood_ratio(), 11 * std::log(restricted / unrestricted), 1e-10);
}

TEST(Granger, RejectsTrueHypothesesAtItsLevel) {
    std::size_t rejected = 0;
    const std::size_t runs = 800;
    for (std::size_t seed = 0; seed < runs; ++seed) {
        const GrangerTable table = granger(driven(60, 1000 + seed)).value();
        rejected += p_values(table.finding(2, 0, 3)).f < 0.05 ? 1 : 0;
    }
    const double share = static_cast<double>(rejected) / runs;
    EXPECT_NEAR(share, 0.05, 4 * std::sqrt(0.05 * 0.95 / runs));
}

TEST(Granger, IsDefinedWhereTheReferenceFails) {
    Matrix data = driven(40, 3);
    Matrix odd(40, 6);
    for (std::size_t t = 0; t < 40; ++t) {
        for (std::size_t c = 0; c < 3; ++c) odd(t, c) = data(t, c);
        odd(t, 3) = data(t, 0);              // a copy
        odd(t, 4) = t < 39 ? 1.0 : 2.0;      // moves in the last row only
        odd(t, 5) = static_cast<double>(t);  // predicted by its own past
    }
    const GrangerTable table = granger(odd).value();
    EXPECT_FALSE(table.finding(0, 4, 1).is_feasible()) << "its lag is constant";
    EXPECT_FALSE(table.finding(4, 0, 1).is_feasible());
    EXPECT_FALSE(table.finding(5, 0, 1).is_feasible()) << "nothing is left to explain";
    const GrangerFinding copy = table.finding(0, 3, 2);
    EXPECT_TRUE(copy.is_feasible());
    EXPECT_NEAR(copy.gain, 0.0, 1e-10);
    EXPECT_EQ(copy.degrees_of_freedom, 38U - 3U) << "a copy adds no regressor";
    EXPECT_TRUE(table.finding(0, 5, 3).is_feasible()) << "collinear lags lose rank";
    EXPECT_EQ(table.finding(0, 5, 3).degrees_of_freedom, 37U - 5U);
    EXPECT_EQ(granger(Matrix(10, 3)).error().code, ErrorCode::too_few_samples);
    EXPECT_EQ(granger(data, {.lag_max = 0}).error().code, ErrorCode::invalid_input);
    EXPECT_FALSE(granger(data, {.stop = Stop::after(std::chrono::nanoseconds(0))}));
}

TEST(Granger, DoesNotDependOnThreads) {
    const Matrix data = driven(100, 9);
    const GrangerTable one = granger(data).value();
    const GrangerTable two = granger(data, {.num_threads = 2}).value();
    for (std::size_t lag = 1; lag <= 3; ++lag)
        EXPECT_EQ(one.finding(1, 0, lag).gain, two.finding(1, 0, lag).gain);
}

}  // namespace
}  // namespace culprit
