#include "culprit/report/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "culprit/base/check.h"

namespace culprit {
namespace {

struct Character {
    std::size_t bytes = 1;
    std::size_t columns = 1;
};

struct CodeRange {
    char32_t first;
    char32_t last;
};

// Unicode 15, EastAsianWidth.txt (W and F) and the general categories Mn and Cf, to whole blocks.
constexpr CodeRange wide[] = {{0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},
                              {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},
                              {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
                              {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
                              {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
constexpr CodeRange invisible[] = {{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF},
                                   {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};

template <std::size_t N>
bool is_in(char32_t code, const CodeRange (&ranges)[N]) {
    return std::any_of(std::begin(ranges), std::end(ranges),
                       [&](const CodeRange& r) { return code >= r.first && code <= r.last; });
}

// The character that begins at `at`; a byte that begins none stands for itself.
Character character_at(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::size_t bytes = byte(at) >= 0xF0U   ? 4
                              : byte(at) >= 0xE0U ? 3
                              : byte(at) >= 0xC0U ? 2
                                                  : 1;
    if (bytes == 1 || at + bytes > text.size()) return {};
    char32_t code = byte(at) & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) return {};
        code = (code << 6U) | (byte(at + i) & 0x3FU);
    }
    return {bytes, is_in(code, invisible) ? 0U : is_in(code, wide) ? 2U : 1U};
}

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
        const Character character = character_at(text, i);
        width += character.columns;
        i += character.bytes;
    }
    return width;
}

std::string shorten(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    std::size_t columns = 0;
    std::size_t i = 0;
    while (i < text.size()) {
        const Character character = character_at(text, i);
        if (columns + character.columns + 1 > width) break;
        columns += character.columns;
        i += character.bytes;
    }
    return std::string(text.substr(0, i)) + "…";
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
    constexpr std::size_t columns_min = 20;
    if (width < indent + columns_min) return std::string(text);
    std::string lines;
    std::size_t used = indent;  // the first line begins behind a label as wide
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        const std::size_t columns = display_width(word);
        const bool is_first = begin == 0;
        if (!is_first && used + 1 + columns > width) {
            lines += '\n' + std::string(indent, ' ');
            used = indent;
        } else if (!is_first) {
            lines += ' ';
            ++used;
        }
        lines += word;
        used += columns;
        begin = end + 1;
    }
    return lines;
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
