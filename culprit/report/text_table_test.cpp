#include "culprit/report/text_table.h"

#include <gtest/gtest.h>

#include "culprit/report/shell_word.h"

namespace culprit {
namespace {

TEST(TextTable, AlignsByCharactersNotBytes) {
    TextTable table({{"name"}, {"score", Align::right}});
    table.add_row({"größe", "1.5"});
    table.add_row({"a", "10.25"});
    EXPECT_EQ(table.to_text(), "name   score\ngröße    1.5\na      10.25\n");
}

TEST(TextTable, LeavesEmphasisOutOfTheWidth) {
    const Style style(true, 80);
    EXPECT_EQ(display_width(style.red("abc")), 3U);
    TextTable table({{"x"}, {"y"}});
    table.add_row({style.bold("ab"), "c"});
    EXPECT_EQ(table.to_text(), "x   y\n\x1b[1mab\x1b[0m  c\n");
}

TEST(TextTable, EscapesBarsInMarkdown) {
    TextTable table({{"a"}, {"b", Align::right}});
    table.add_row({"x|y"});
    EXPECT_EQ(table.to_markdown(), "| a | b |\n|---|---:|\n| x\\|y |  |\n");
}

TEST(TextTable, ShortensAtCharacters) {
    EXPECT_EQ(shorten("größe", 5), "größe");
    EXPECT_EQ(shorten("größer", 4), "grö…");
}

TEST(TextTable, WideCharactersTakeTwoColumnsAndMarksNone) {
    EXPECT_EQ(display_width("推論"), 4U);
    EXPECT_EQ(display_width("e\xCC\x81"), 1U);  // e and a combining accent
    EXPECT_EQ(display_width("🔥"), 2U);
    EXPECT_EQ(display_width("\xE6\x8E"), 2U);  // cut short: each byte stands for itself
    EXPECT_EQ(shorten("推論サービス", 6), "推論…");
    EXPECT_EQ(display_width(shorten("推論サービス", 6)), 5U);
    TextTable table({{"name"}, {"score"}});
    table.add_row({"推論", "1"});
    table.add_row({"abc", "2"});
    EXPECT_EQ(table.to_text(), "name  score\n推論  1\nabc   2\n");
}

TEST(TextTable, WrapsAtSpacesBehindTheLabel) {
    EXPECT_EQ(wrapped("one two three four five six", 26, 4), "one two three four\n    five six");
    EXPECT_EQ(wrapped("one two", 0, 4), "one two");
    EXPECT_EQ(wrapped("one two", 10, 4), "one two");  // no room: left as it is
    EXPECT_EQ(wrapped("a " + std::string(40, 'x') + " b", 30, 2),
              "a\n  " + std::string(40, 'x') + "\n  b");
    EXPECT_EQ(wrapped("", 40, 2), "");
}

TEST(TextTable, PrintableHidesTerminalCommands) {
    EXPECT_EQ(printable("a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
}

TEST(ShellWord, QuotesOnlyWhatAShellWouldTouch) {
    EXPECT_EQ(shell_word("cases/web_cpu/3"), "cases/web_cpu/3");
    EXPECT_EQ(shell_word("größe"), "größe");
    EXPECT_EQ(shell_word("a b$(x)"), "'a b$(x)'");
    EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_word("a\nb'c"), "$'a\\x0Ab\\'c'");
    EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace culprit
