#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace culprit {

/// Where in a text a byte stands, as editors count: lines and, in bytes, columns from 1.
struct TextPosition {
    std::uint64_t line = 1;
    std::uint64_t column = 1;
};

/// The position of `text[offset]`; of the text's end where it has no such byte. Cost: O(offset).
inline TextPosition position_in(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, std::min(offset, text.size()));
    const auto num_lines = std::count(before.begin(), before.end(), '\n');
    const std::size_t line_begin = before.rfind('\n') + 1;  // 0 where there is none
    return {static_cast<std::uint64_t>(num_lines) + 1, before.size() - line_begin + 1};
}

}  // namespace culprit
