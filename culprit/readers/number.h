#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace culprit {

/// What a table cell holds.
enum class CellKind : std::uint8_t { number, missing, infinite, text };

/// Any spelling: decimals, exponents, inf; "", NaN, NA, null and None (any case) are missing.
/// `value` is NaN for all but numbers.
CellKind parse_cell(std::string_view cell, double& value);

/// The whole of `text` as a finite number.
inline std::optional<double> parse_number(std::string_view text) {
    double value = 0.0;
    if (parse_cell(text, value) != CellKind::number) return std::nullopt;
    return value;
}

}  // namespace culprit
