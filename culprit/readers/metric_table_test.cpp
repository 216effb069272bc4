#include "culprit/readers/metric_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "culprit/base/random.h"
#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/decimal.h"
#include "culprit/readers/metrics_json_reader.h"
#include "culprit/readers/number.h"
#include "culprit/readers/separators.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::NanSensitiveDoubleEq;

struct ReadTable {
    Result<MetricTable> table;
    std::vector<DataProblem> problems;
};

ReadTable read(std::string_view text, unsigned num_threads = 1, bool strict = false) {
    ProblemList problems("data.csv", strict);
    ReadTable result{read_metric_table(text, problems, num_threads), {}};
    problems.move_to(result.problems);
    return result;
}

std::vector<std::string> places(const ReadTable& read_table) {
    std::vector<std::string> found;
    found.reserve(read_table.problems.size());
    for (const DataProblem& problem : read_table.problems) found.push_back(problem.place);
    return found;
}

// A decimal as files have them: up to 20 characters, with or without point and sign.
std::string random_decimal(Random& random) {
    std::string text;
    const std::size_t length = 1 + random.below(20);
    for (std::size_t i = 0; i < length; ++i)
        text += static_cast<char>('0' + (random.below(4) == 0 ? 0 : random.below(10)));
    if (random.below(3) > 0) text[random.below(length)] = '.';
    if (random.below(4) == 0 && length < 20) text = "-" + text;
    return text;
}

TEST(ParseDecimal, EqualsFromCharsBitForBit) {
    Random random(1);
    std::size_t num_accepted = 0;
    for (int i = 0; i < 100'000; ++i) {
        const std::string text = random_decimal(random);
        std::string padded = text;
        padded.append(32, 'x');
        double fast = 0.0;
        double bytewise = 0.0;
        const bool accepted = parse_decimal(padded.data(), text.size(), padded.size(), fast);
        ASSERT_EQ(accepted, parse_decimal(text.data(), text.size(), text.size(), bytewise)) << text;
        if (!accepted) continue;
        ++num_accepted;
        double exact = 0.0;
        const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), exact);
        ASSERT_TRUE(rest == text.data() + text.size() && code == std::errc()) << text;
        ASSERT_EQ(std::bit_cast<std::uint64_t>(fast), std::bit_cast<std::uint64_t>(exact)) << text;
        ASSERT_EQ(std::bit_cast<std::uint64_t>(bytewise), std::bit_cast<std::uint64_t>(exact))
            << text;
    }
    EXPECT_GT(num_accepted, 80'000U);
}

TEST(ParseDecimal, LeavesOtherSpellingsToParseCell) {
    double value = 0.0;
    for (const char* text : {"", "-", ".", "1e5", "1.2.3", "+1", " 1", "1 ", "0x10", "1,", "--1"})
        EXPECT_FALSE(parse_decimal(text, std::strlen(text), std::strlen(text), value)) << text;
    EXPECT_EQ(parse_cell(" +1e5 ", value), CellKind::number);
    EXPECT_EQ(value, 1e5);
    EXPECT_EQ(parse_cell("1e-400", value), CellKind::number) << "underflow is zero";
    EXPECT_EQ(value, 0.0);
    EXPECT_EQ(parse_cell("1e400", value), CellKind::infinite);
    EXPECT_EQ(parse_cell(std::string(400, '9'), value), CellKind::infinite);
    EXPECT_EQ(parse_cell("-" + std::string(400, '9') + ".5e-9", value), CellKind::infinite);
    EXPECT_EQ(parse_cell("0." + std::string(400, '0') + "1e+900", value), CellKind::infinite);
    EXPECT_EQ(parse_cell("0." + std::string(400, '0') + "1", value), CellKind::number);
    EXPECT_EQ(value, 0.0);
    EXPECT_EQ(parse_cell("-inf", value), CellKind::infinite);
    for (const char* text : {"", "NaN", "nan", "NA", "null", "None"})
        EXPECT_EQ(parse_cell(text, value), CellKind::missing) << text;
    EXPECT_TRUE(std::isnan(value));
    EXPECT_EQ(parse_cell("10.0.0.1", value), CellKind::text);
}

TEST(FindSeparators, EqualsALookAtEveryByte) {
    Random random(2);
    for (int round = 0; round < 200; ++round) {
        std::string text;
        const std::size_t size = random.below(300);
        const std::size_t density = 2 + random.below(10);
        for (std::size_t i = 0; i < size; ++i)
            text += random.below(density) == 0 ? (random.below(3) == 0 ? '\n' : ',') : 'x';
        std::vector<std::uint32_t> expected;
        for (std::uint32_t i = 0; i < text.size(); ++i)
            if (text[i] != 'x') expected.push_back(i);
        std::vector<std::uint32_t> found(text.size() + 8);
        found.resize(find_separators(text, found.data()));
        ASSERT_EQ(found, expected);
        EXPECT_EQ(count_lines(text).num_newlines,
                  static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
    }
}

TEST(ParseTimeText, EqualsTheSlowReader) {
    for (const char* text :
         {"1770900285", "1770900285.25", "1770900285250", "1770900285250000", "1770900285250000000",
          "2026-02-12 12:44:45", "2026-02-12 12:44:45.002594985", "2026-02-12T12:44:45Z",
          "2026-02-12T13:44:45+01:00", "2024-02-29 00:00:00"}) {
        const auto fast = parse_time_text(text);
        const auto slow = parse_time(text);
        ASSERT_TRUE(fast && slow) << text;
        EXPECT_EQ(*fast, *slow) << text;
    }
    for (const char* text : {"", "x", "2026-02-30 00:00:00", "2026-02-12 24:00:00", "-5",
                             "9999999999", "1960-01-01 00:00:00"})
        EXPECT_FALSE(parse_time_text(text)) << text;
}

TEST(CsvCursor, FollowsRfc4180) {
    CsvCursor cursor("a,\"b,\"\"c\"\"\nd\",\r\n\r\n\"\",e\n\"open,f");
    ASSERT_TRUE(cursor.next());
    EXPECT_THAT(cursor.fields(), ElementsAre("a", "b,\"c\"\nd", ""));
    EXPECT_EQ(cursor.line(), 1U);
    ASSERT_TRUE(cursor.next());
    EXPECT_THAT(cursor.fields(), ElementsAre("", "e"));
    EXPECT_EQ(cursor.line(), 4U) << "a line end in quotes and a blank line count";
    EXPECT_FALSE(cursor.malformed());
    ASSERT_TRUE(cursor.next());
    EXPECT_TRUE(cursor.malformed());
    EXPECT_FALSE(cursor.next());
}

TEST(ReadMetricTable, ReadsNumbersGapsAndTextColumns) {
    const auto found = read(
        "\xEF\xBB\xBF,time,web_cpu,web_pod_name,db_cpu\r\n"
        "0,1770900000,1.5,web-a,\r\n"
        "1,1770900005,-2e1,web-b,nan\r\n"
        "\r\n"
        "2,1770900010,3,web-b,7");
    ASSERT_TRUE(found.table) << found.table.error().message;
    const Frame& frame = found.table->frame;
    ASSERT_EQ(frame.num_columns(), 2U);
    EXPECT_THAT(frame.values(0), ElementsAre(1.5, -20.0, 3.0));
    EXPECT_THAT(frame.values(1),
                ElementsAre(NanSensitiveDoubleEq(NAN), NanSensitiveDoubleEq(NAN), 7.0));
    EXPECT_THAT(found.table->text_columns, ElementsAre("web_pod_name"));
    EXPECT_THAT(places(found), ElementsAre());
    EXPECT_EQ(frame.step(), std::chrono::seconds(5));
}

TEST(ReadMetricTable, CountsWhatItCannotUse) {
    const auto found = read(
        "time,web_cpu,db_cpu\n"
        "1770900010,1,n/a\n"  // out of order with the next
        "1770900000,2,3\n"
        "1770900005,4\n"    // ragged
        "soon,5,6\n"        // no time
        "1770900010,7,8\n"  // again
        "1770900015,inf,9\n"
        "1770900020,10,11,12\n");
    ASSERT_TRUE(found.table) << found.table.error().message;
    const Frame& frame = found.table->frame;
    ASSERT_EQ(frame.num_rows(), 3U);
    EXPECT_THAT(frame.values(0), ElementsAre(2.0, 1.0, NanSensitiveDoubleEq(NAN)));
    EXPECT_THAT(frame.values(1), ElementsAre(3.0, NanSensitiveDoubleEq(NAN), 9.0));
    EXPECT_THAT(places(found), ElementsAre("data.csv:4", "data.csv:5:1", "data.csv:3:1",
                                           "data.csv:6:1", "data.csv:7:2", "data.csv:2:3"));
    EXPECT_EQ(found.problems[0].count, 2U) << "both ragged rows";
    const auto strict = read("time,web_cpu\n1770900010,n/a\n1770900015,2\n", 1, true);
    ASSERT_FALSE(strict.table);
    EXPECT_THAT(strict.table.error().message,
                HasSubstr("data.csv:2:2: expected a number in column \"web_cpu\", found \"n/a\""));
}

TEST(ReadMetricTable, DoesNotDependOnThreadsOrQuotes) {
    Random random(3);
    std::string plain = "time,a_x,b_x,c_x,d_x,e_x,f_x,g_x\n";
    std::string quoted = plain;
    for (int row = 0; row < 30'000; ++row) {
        const std::string time = std::to_string(1'770'900'000 + row);
        plain += time;
        quoted += "\"" + time + "\"";
        for (int c = 0; c < 7; ++c) {
            const bool odd = random.below(997) == 0;
            const std::string cell = odd ? "?" : std::to_string(random.normal());
            plain += "," + cell;
            quoted += "," + (random.below(5) == 0 ? "\"" + cell + "\"" : cell);
        }
        plain += "\n";
        quoted += "\n";
    }
    ASSERT_GT(plain.size(), 4U << 18U) << "several pieces";
    const auto one = read(plain, 1);
    ASSERT_TRUE(one.table);
    EXPECT_EQ(one.table->frame.num_rows(), 30'000U);
    for (const auto& other : {read(plain, 2), read(plain, 0), read(quoted, 2)}) {
        ASSERT_TRUE(other.table);
        ASSERT_EQ(other.table->frame.num_rows(), 30'000U);
        EXPECT_EQ(places(other), places(one));
        for (std::size_t c = 0; c < 7; ++c) {
            const auto a = one.table->frame.values(c);
            const auto b = other.table->frame.values(c);
            ASSERT_EQ(std::memcmp(a.data(), b.data(), a.size_bytes()), 0);
        }
    }
}

TEST(ReadMetricTable, RefusesWhatIsNoTable) {
    EXPECT_THAT(read("").table.error().message, HasSubstr("empty file"));
    EXPECT_THAT(read("a,b\n1,2\n").table.error().message, HasSubstr("column \"time\""));
    EXPECT_THAT(read(std::string_view("\xFF\xFEt\0i\0", 6)).table.error().message,
                HasSubstr("UTF-16"));
    EXPECT_THAT(read(std::string_view("t\0i\0m\0e\0", 8)).table.error().message,
                HasSubstr("zero bytes"));
    EXPECT_THAT(read(std::string(columns_max + 1, ',') + "time").table.error().message,
                HasSubstr("at most"));
    const auto header_only = read("time,a\n");
    ASSERT_TRUE(header_only.table);
    EXPECT_EQ(header_only.table->frame.num_rows(), 0U);
    EXPECT_EQ(header_only.table->frame.num_columns(), 1U);
}

TEST(ReadMetricTable, KeepsHostileNamesApart) {
    const auto found = read("time,a,a,a.1,../../etc/passwd,x\x1b[2J," + std::string(5000, 'n') +
                            ",\xFF\n"
                            "1770900000,1,2,3,4,5,6,7\n");
    ASSERT_TRUE(found.table) << found.table.error().message;
    std::vector<std::string> names;
    names.reserve(found.table->frame.columns().size());
    for (const Column& column : found.table->frame.columns()) names.push_back(column.name);
    EXPECT_THAT(names, ElementsAre("a", "a.1", "a.1.1", "../../etc/passwd", "x\xEF\xBF\xBD[2J",
                                   "\xEF\xBF\xBD"));
}

TEST(ReadMetricsJson, AlignsSeriesOnTheirTimes) {
    ProblemList problems("metrics.json", false);
    const auto table = read_metrics_json(
        R"({"web_cpu": [[1770900000, 1], [1770900001, NaN], [1770900001, 5], ["x", 1]],
            "db_cpu": [[1770900002.5, -2.5]], "time": []})",
        problems);
    ASSERT_TRUE(table) << table.error().message;
    ASSERT_EQ(table->frame.num_rows(), 3U);
    EXPECT_THAT(table->frame.values(0),
                ElementsAre(1.0, NanSensitiveDoubleEq(NAN), NanSensitiveDoubleEq(NAN)));
    EXPECT_THAT(table->frame.values(1),
                ElementsAre(NanSensitiveDoubleEq(NAN), NanSensitiveDoubleEq(NAN), -2.5));
    EXPECT_EQ(problems.size(), 2U);
    EXPECT_FALSE(read_metrics_json("[1]", problems));
    EXPECT_FALSE(read_metrics_json("{", problems));
    EXPECT_FALSE(read_metrics_json(R"({"a_b": 5})", problems));
}

}  // namespace
}  // namespace culprit
