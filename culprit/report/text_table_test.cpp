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
