#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace culprit {

/// The text, or its first `bytes_max` bytes, less what would split a UTF-8 character, and "…".
inline std::string cut(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return std::string(text);
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return std::string(text.substr(0, end)) + "…";
}

}  // namespace culprit
