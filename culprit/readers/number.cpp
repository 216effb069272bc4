#include "culprit/readers/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "culprit/readers/decimal.h"

namespace culprit {
namespace decimal {

bool parse_bytewise(const char* text, std::size_t length, bool negative, double& value) {
    if (length == 0 || length > 20) return false;
    std::uint64_t w = 0;
    std::size_t num_digits = 0;
    std::size_t point = length;
    for (std::size_t i = 0; i < length; ++i) {
        if (text[i] == '.' && point == length) {
            point = i;
            continue;
        }
        const auto digit = static_cast<unsigned char>(text[i] - '0');
        if (digit > 9) return false;
        w = w * 10 + digit;
        ++num_digits;
    }
    if (num_digits == 0 || num_digits > 19) return false;
    return finish(w, point == length ? 0 : length - 1 - point, negative, value);
}

}  // namespace decimal

namespace {

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
    return a.size() == lower.size() &&
           std::equal(a.begin(), a.end(), lower.begin(),
                      [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

// Whether a decimal number, well formed and far from 1, lies between -1 and 1: by the place of its
// first digit that is not 0 and its exponent.
bool is_below_one(std::string_view number) {
    const std::size_t exponent_mark = std::min(number.find_first_of("eE"), number.size());
    const std::string_view digits = number.substr(0, exponent_mark);
    const std::size_t point = std::min(digits.find('.'), digits.size());
    const std::size_t first = digits.find_first_of("123456789");
    if (first == std::string_view::npos) return true;
    std::string_view exponent_text = number.substr(std::min(exponent_mark + 1, number.size()));
    if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
    int exponent = 0;
    const auto [rest, code] = std::from_chars(
        exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
    if (code == std::errc::result_out_of_range) return exponent_text.starts_with('-');
    const auto place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
    return place + exponent <= 0;
}

}  // namespace

CellKind parse_cell(std::string_view cell, double& value) {
    cell = trim(cell);
    value = std::numeric_limits<double>::quiet_NaN();
    if (cell.empty()) return CellKind::missing;
    if (cell.front() == '+') cell.remove_prefix(1);
    const auto [rest, code] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (rest == cell.data() + cell.size()) {
        if (code == std::errc::result_out_of_range) {
            // Underflow is 0 to every reader of such a file; overflow is infinite.
            const bool tiny = is_below_one(cell);
            value = tiny ? 0.0 : std::numeric_limits<double>::quiet_NaN();
            return tiny ? CellKind::number : CellKind::infinite;
        }
        if (code == std::errc()) {
            if (std::isfinite(value)) return CellKind::number;
            const bool missing = std::isnan(value);
            value = std::numeric_limits<double>::quiet_NaN();
            return missing ? CellKind::missing : CellKind::infinite;
        }
    }
    value = std::numeric_limits<double>::quiet_NaN();
    constexpr std::array<std::string_view, 5> missing = {"na", "nan", "null", "none", "<na>"};
    const bool is_missing = std::any_of(missing.begin(), missing.end(), [&](std::string_view word) {
        return equals_ignoring_case(cell, word);
    });
    return is_missing ? CellKind::missing : CellKind::text;
}

}  // namespace culprit
