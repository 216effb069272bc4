#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace culprit {

/// What one pass over a text tells before it is cut into pieces.
struct LineCount {
    std::size_t num_newlines = 0;
    bool has_quotes = false;
};
LineCount count_lines(std::string_view text);

/// Writes the offsets of every comma and newline in `text` to `offsets`, which has room for
/// text.size() + 8 entries; returns how many there are. text.size() < 2^32.
///
/// 64 bytes at a time become one bit mask (AVX2 where compiled in), whose bits are then taken one
/// by one without a branch per byte, as simdjson finds its structure (Langdale and Lemire, Parsing
/// gigabytes of JSON per second, VLDB Journal 2019). Quotes are not looked at.
std::size_t find_separators(std::string_view text, std::uint32_t* offsets);

}  // namespace culprit
