#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <numeric>

#include "culprit/base/check.h"
#include "culprit/base/cut.h"
#include "culprit/base/json_text.h"
#include "culprit/base/parallel.h"
#include "culprit/base/random.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/base/time.h"

namespace culprit {
namespace {

Result<int> half(int value) {
    if (value % 2 != 0) return fail(ErrorCode::invalid_input, "expected an even number, got 3");
    return value / 2;
}

Result<int> quarter(int value) {
    CULPRIT_TRY(const int once, half(value));
    return half(once);
}

TEST(Result, TryPassesValuesAndErrorsUp) {
    EXPECT_EQ(quarter(8).value(), 2);
    ASSERT_FALSE(quarter(6));
    EXPECT_EQ(quarter(6).error().code, ErrorCode::invalid_input);
}

TEST(Check, ThrowsInternalErrorThatNamesTheCondition) {
    EXPECT_THROW(CULPRIT_CHECK(1 > 2), InternalError);
    try {
        CULPRIT_CHECK(1 > 2);
    } catch (const InternalError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("1 > 2"));
    }
}

TEST(Stop, KnowsDeadlineAndRequest) {
    EXPECT_FALSE(Stop().requested());
    EXPECT_EQ(Stop::after(std::chrono::nanoseconds(-1)).check().error().code,
              ErrorCode::deadline_exceeded);
    std::stop_source source;
    const Stop stop(source.get_token());
    EXPECT_TRUE(stop.check());
    source.request_stop();
    EXPECT_EQ(stop.check().error().code, ErrorCode::cancelled);
}

TEST(Random, IsTheSameEverywhere) {
    // The 10000th output of mt19937_64 with its default seed is fixed by the C++ standard.
    Random random(5489);
    std::uint64_t value = 0;
    for (int i = 0; i < 10000; ++i) value = random.next();
    EXPECT_EQ(value, 9981545732273789042ULL);
}

TEST(Random, DistributionsHaveTheirMoments) {
    Random random(1);
    double sum = 0.0;
    double squares = 0.0;
    double exponentials = 0.0;
    std::vector<int> counts(3, 0);
    constexpr int n = 100000;
    for (int i = 0; i < n; ++i) {
        const double z = random.normal();
        sum += z;
        squares += z * z;
        exponentials += random.exponential();
        ++counts[random.below(3)];
    }
    EXPECT_NEAR(sum / n, 0.0, 0.015);
    EXPECT_NEAR(squares / n, 1.0, 0.02);
    EXPECT_NEAR(exponentials / n, 1.0, 0.015);
    for (const int count : counts) EXPECT_NEAR(count, n / 3.0, 800);
    EXPECT_NE(derive_seed(1, "a"), derive_seed(1, "b"));
    EXPECT_NE(derive_seed(1, "a"), derive_seed(2, "a"));
}

TEST(ParallelFor, CoversEveryIndexOnceForAnyThreadCount) {
    for (const unsigned threads : {0U, 1U, 2U, 7U}) {
        std::vector<std::atomic<int>> hits(1000);
        parallel_for(hits.size(), threads, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) ++hits[i];
        });
        for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
    }
    EXPECT_THROW(parallel_for(10, 2, [](std::size_t, std::size_t) { CULPRIT_CHECK(false); }),
                 InternalError);
}

TEST(Time, ReadsTheFormsThatFilesUse) {
    const TimePoint expected = time_from_ns(1770900285LL * 1'000'000'000);
    for (const char* text : {"1770900285", "1770900285.0", "1770900285000", "1770900285000000",
                             "1770900285000000000", "2026-02-12 12:44:45", "2026-02-12T12:44:45Z",
                             "2026-02-12T14:44:45+02:00", "1770900285\n"}) {
        const auto parsed = parse_time(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
        EXPECT_EQ(*parsed, expected) << text;
    }
    EXPECT_EQ(*parse_time("2026-02-12 12:40:00.133027368"), time_from_ns(1770900000133027368));
    EXPECT_EQ(*parse_time("1770900000.25"), time_from_ns(1770900000250000000));
    for (const char* text :
         {"", "yesterday", "2026-13-40 00:00:00", "12:00", "nan", "1e9", "99999999999999999999",
          "2026-02-12T12:44:45Zzz", "-5", "2023-11-1$T22:13:45Z", "9023-11-14T22:13:30Z",
          "2023-11-14T22;:13:35Z", "2026-02-12T12:44:45+2", "2026-02-12 12:44:45."})
        EXPECT_FALSE(parse_time(text)) << text;
}

TEST(Time, FormatsWhatItReads) {
    EXPECT_EQ(format_time(time_from_ns(1770900000133027368)), "2026-02-12 12:40:00.133");
    EXPECT_EQ(format_time(time_from_ns(1770900000000000000)), "2026-02-12 12:40:00");
    EXPECT_EQ(format_clock(time_from_ns(1770900000000000000)), "12:40:00");
    EXPECT_EQ(format_rfc3339(time_from_ns(1770900000500000000)), "2026-02-12T12:40:00.5Z");
    EXPECT_EQ(format_time(time_from_ns(-1)), "1969-12-31 23:59:59.999");
    EXPECT_EQ(time_from_seconds(1.5), time_from_ns(1'500'000'000));
}

TEST(Cut, LeavesNoHalfCharacter) {
    EXPECT_EQ(cut("short", 5), "short");
    EXPECT_EQ(cut("longer", 4), "long…");
    EXPECT_EQ(cut("größer", 3), "gr…");
    EXPECT_EQ(cut("", 0), "");
}

TEST(JsonText, SaysWhereATextIsNoJson) {
    const auto fault = [](const std::string& text) {
        const auto parsed = parse_json(text);
        if (parsed) return std::string("accepted");
        const JsonFault& error = parsed.error();
        return std::to_string(error.at.line) + ":" + std::to_string(error.at.column) + " " +
               error.message;
    };
    EXPECT_EQ(fault("{\"a\": [1, 2]}"), "accepted");
    EXPECT_EQ(fault(""), "1:1 expected JSON, found the end of the text");
    EXPECT_EQ(fault("{\n\"a\":\n"), "3:1 expected JSON, found the end of the text");
    EXPECT_EQ(fault("{\n \"a\": x}"), "2:7 expected JSON, found a syntax error at \"x}\"");
    EXPECT_EQ(fault("[\"\xFF\"]"), "1:3 expected JSON, found a syntax error at \"\\ufffd\\\"]\"");
    EXPECT_EQ(fault("1e999"), "1:1 expected JSON, found a number too large for it");
    EXPECT_EQ(fault(std::string(1'000'000, '[')),
              "1:1000001 expected JSON, found the end of the text");
}

TEST(JsonText, AMessageShowsAnyValueInAFewBytes) {
    const auto shown = [](const std::string& text) { return json_for_message(*parse_json(text)); };
    EXPECT_EQ(shown("1.5"), "1.5");
    EXPECT_EQ(shown("null"), "null");
    EXPECT_EQ(shown("\"a\\u001b\""), "\"a\\u001b\"");
    EXPECT_EQ(shown("[]"), "an empty list");
    EXPECT_EQ(shown("{\"a\": 1}"), "an object");
    EXPECT_EQ(shown(std::string(1'000'000, '[') + std::string(1'000'000, ']')), "a list");
    EXPECT_EQ(shown("\"" + std::string(500, 'x') + "\""), "\"" + std::string(60, 'x') + "\"...");
}

}  // namespace
}  // namespace culprit
