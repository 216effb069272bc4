#include "culprit/report/text_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "culprit/base/check.h"

namespace culprit {
namespace {

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

// The byte after the emphasis sequence that begins at `at`, or `at` when none does.
std::size_t after_emphasis(std::string_view text, std::size_t at) {
    if (text[at] != '\x1b') return at;
    const std::size_t end = text.find('m', at);
    return end == std::string_view::npos ? text.size() : end + 1;
}

void append_padded(std::string& line, std::string_view cell, std::size_t width, Align align) {
    const std::size_t used = display_width(cell);
    const std::string pad(width > used ? width - used : 0, ' ');
    if (align == Align::right) line += pad;
    line += cell;
    if (align == Align::left) line += pad;
}

std::string without_trailing_spaces(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

std::string markdown_cell(std::string_view text) {
    std::string cell;
    for (const char c : text) {
        if (c == '|') cell += '\\';
        cell += c == '\n' ? ' ' : c;
    }
    return cell;
}

}  // namespace

void TextTable::add_row(std::vector<std::string> cells) {
    CULPRIT_CHECK(cells.size() <= headings_.size());
    cells.resize(headings_.size());
    rows_.push_back(std::move(cells));
}

std::string TextTable::to_text(const Style& style, std::string_view indent) const {
    std::vector<std::size_t> widths;
    for (const Heading& heading : headings_) widths.push_back(display_width(heading.text));
    for (const auto& row : rows_)
        for (std::size_t c = 0; c < row.size(); ++c)
            widths[c] = std::max(widths[c], display_width(row[c]));

    std::string text;
    const auto add_line = [&](const auto& cell_of, bool is_heading) {
        std::string line;
        for (std::size_t c = 0; c < headings_.size(); ++c) {
            if (c > 0) line += "  ";
            append_padded(line, cell_of(c), widths[c], headings_[c].align);
        }
        line = without_trailing_spaces(std::move(line));
        text += indent;
        text += is_heading ? style.dim(line) : line;
        text += '\n';
    };
    add_line([&](std::size_t c) { return std::string_view(headings_[c].text); }, true);
    for (const auto& row : rows_)
        add_line([&](std::size_t c) { return std::string_view(row[c]); }, false);
    return text;
}

std::string TextTable::to_markdown() const {
    std::string text = "|";
    for (const Heading& heading : headings_) text += " " + markdown_cell(heading.text) + " |";
    text += "\n|";
    for (const Heading& heading : headings_)
        text += heading.align == Align::right ? "---:|" : "---|";
    text += "\n";
    for (const auto& row : rows_) {
        text += "|";
        for (const std::string& cell : row) text += " " + markdown_cell(cell) + " |";
        text += "\n";
    }
    return text;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t next = after_emphasis(text, i);
        if (next != i) {
            i = next;
            continue;
        }
        width += starts_character(text[i]) ? 1 : 0;
        ++i;
    }
    return width;
}

std::string shorten(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    std::size_t characters = 0;
    std::size_t i = 0;
    for (; i < text.size(); ++i) {
        if (!starts_character(text[i])) continue;
        if (characters + 1 >= width) break;
        ++characters;
    }
    return std::string(text.substr(0, i)) + "…";
}

std::string printable(std::string_view text) {
    std::string safe;
    safe.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F)
            safe += fmt::format("\\x{:02x}", byte);
        else
            safe += c;
    }
    return safe;
}

}  // namespace culprit
