#include "culprit/report/shell_word.h"

#include <fmt/format.h>

#include <algorithm>

namespace culprit {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool is_plain(char c) {
    constexpr std::string_view others = "_@%+=:,./-";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           static_cast<unsigned char>(c) >= 0x80 || others.find(c) != std::string_view::npos;
}

}  // namespace

std::string shell_word(std::string_view text) {
    if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
    const bool has_controls = std::any_of(text.begin(), text.end(), is_control);
    std::string word = has_controls ? "$'" : "'";
    for (const char c : text) {
        if (is_control(c))
            word += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
        else if (has_controls && (c == '\'' || c == '\\'))
            word += fmt::format("\\{}", c);
        else if (c == '\'')
            word += "'\\''";
        else
            word += c;
    }
    return word + "'";
}

}  // namespace culprit
