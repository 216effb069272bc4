#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace culprit {

/// Reads a plain decimal, "[-]digits[.digits]" of at most 19 digits, to the nearest double; false
/// when the text is not of this simple kind (exponent, more digits, words): then ask parse_cell.
///
/// The digits of up to 16 bytes are brought together past the point by one byte shuffle and become
/// an integer w by three multiply-adds. For w <= 2^53 and k <= 22 decimals w / 10^k is the quotient
/// of two exact doubles and so correctly rounded (Clinger, PLDI 1990); otherwise the product of w
/// with a 128-bit approximation of 5^-k decides (Lemire, Number parsing at a gigabyte per second,
/// SPE 2021; Mushtak and Lemire, Fast number parsing without fallback, SPE 2023, prove it exact for
/// k <= 27). Without SSE4.1 only a byte loop and from_chars are used.
///
/// `readable`: bytes that may be read from `text` on; fewer than 32 take the byte loop.
/// Parity: std::from_chars, bit for bit.
bool parse_decimal(const char* text, std::size_t length, std::size_t readable, double& value);

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
