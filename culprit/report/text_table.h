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

/// Columns that UTF-8 `text` takes on a terminal, emphasis left out: East Asian wide characters and
/// most pictograms take two, combining marks and joiners none.
std::size_t display_width(std::string_view text);

/// At most `width` columns, cut at the end and marked with "…".
std::string shorten(std::string_view text, std::size_t width);

/// `text` broken at spaces into lines of at most `width` columns, those after the first behind
/// `indent` spaces (which count); a word that is too long gets a line of its own and is not cut.
/// With `width` 0, or when fewer than 20 columns would be left, the text stays one line.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

/// Control characters (a name or a log line may hold terminal commands) as "\x1b".
std::string printable(std::string_view text);

}  // namespace culprit
