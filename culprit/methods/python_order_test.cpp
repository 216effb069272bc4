#include "culprit/methods/python_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace culprit {
namespace {

using testing::ElementsAre;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(PythonOrder, IsStableAndFallingWithoutNan) {
    const std::vector<double> values = {1, 3, 2, 3, 1};
    EXPECT_THAT(python_falling_order(values), ElementsAre(1, 3, 2, 0, 4));
    EXPECT_TRUE(python_falling_order({}).empty());
}

// What CPython 3.11.7 answered.
TEST(PythonOrder, RepeatsWhatNanDoesToTheSort) {
    const std::vector<double> few = {0.3, nan, 0.9, 0.1, nan, 0.5, 0.9, nan, 0.2};
    EXPECT_THAT(python_falling_order(few), ElementsAre(1, 2, 4, 6, 5, 0, 3, 7, 8));

    std::vector<double> many;  // long enough for runs, merges and galloping
    many.reserve(300);
    for (int i = 0; i < 300; ++i) many.push_back((i * 31) % 17 == 0 ? nan : (i * 7919) % 101);
    const auto order = python_falling_order(many);
    std::size_t checksum = 0;
    for (std::size_t k = 0; k < order.size(); ++k) checksum += (k + 1) * order[k];
    EXPECT_EQ(checksum, 8924220U);
    EXPECT_EQ(order.front(), 0U);
    EXPECT_EQ(order.back(), 271U);
}

}  // namespace
}  // namespace culprit
