#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/report/style.h"

namespace culprit {

enum class Align : std::uint8_t { left, right };

/// A table of short texts, for a terminal or as Markdown. Widths count characters, not bytes, and
/// leave terminal emphasis out.
class TextTable {
public:
    struct Heading {
        std::string text;
        Align align = Align::left;
    };

    explicit TextTable(std::vector<Heading> headings) : headings_(std::move(headings)) {}
    /// Missing cells at the end are empty; more cells than headings are a bug.
    void add_row(std::vector<std::string> cells);
    std::size_t num_rows() const { return rows_.size(); }

    /// Aligned columns, two spaces between, headings dimmed; no trailing spaces.
    std::string to_text(const Style& style = {}, std::string_view indent = "") const;
    std::string to_markdown() const;

private:
    std::vector<Heading> headings_;
    std::vector<std::vector<std::string>> rows_;
};

/// Characters of UTF-8 `text` on a terminal, emphasis left out; every character counts one.
std::size_t display_width(std::string_view text);

/// At most `width` characters, cut at the end and marked with "…".
std::string shorten(std::string_view text, std::size_t width);

/// Control characters (a name or a log line may hold terminal commands) as "\x1b".
std::string printable(std::string_view text);

}  // namespace culprit
