#include "culprit/base/nearest_word.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace culprit {
namespace {

TEST(EditDistance, CountsLetters) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("fromat", "format"), 1U);  // two neighbours swapped
    EXPECT_EQ(edit_distance("abc", "abc"), 0U);
}

TEST(NearestWord, FindsWhatWasMeantAndNothingElse) {
    const std::vector<std::string> words = {"baro", "mmbaro", "nsigma", "mean_shift"};
    EXPECT_EQ(nearest_word("barro", words), "baro");
    EXPECT_EQ(nearest_word("mean-shift", words), "mean_shift");
    EXPECT_EQ(nearest_word("NSIGMA", words), "nsigma");
    EXPECT_EQ(nearest_word("pagerank", words), "");
    EXPECT_EQ(nearest_word("xy", words), "");
    EXPECT_EQ(nearest_word(std::string(100'000, 'b'), words), "");
}

TEST(DidYouMean, SaysNothingWhereNothingIsNear) {
    const std::vector<std::string> words = {"--format"};
    EXPECT_EQ(did_you_mean("--fromat", words), "; did you mean \"--format\"?");
    EXPECT_EQ(did_you_mean("--output", words), "");
}

}  // namespace
}  // namespace culprit
