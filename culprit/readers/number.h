#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace culprit {

/// Decimal text to the nearest double.
///
/// Up to 19 significant digits are gathered eight at a time in an integer w (Lemire, Number parsing
/// at a gigabyte per second, SPE 2021); for w <= 2^53 and a power of ten within 10^+-22 the product
/// or quotient of two exact doubles is the correctly rounded result (Clinger, PLDI 1990). All else
/// goes to std::from_chars, which is exact.
namespace number_detail {

constexpr double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

inline std::uint64_t load8(const char* p) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, p, 8);
    return bytes;
}
inline bool is_eight_digits(std::uint64_t bytes) {
    return ((bytes & 0xF0F0F0F0F0F0F0F0) |
            (((bytes + 0x0606060606060606) & 0xF0F0F0F0F0F0F0F0) >> 4U)) == 0x3333333333333333;
}
inline std::uint64_t eight_digits(std::uint64_t bytes) {
    bytes -= 0x3030303030303030;
    bytes = (bytes * 10) + (bytes >> 8U);
    return (((bytes & 0x000000FF000000FF) * 0x000F424000000064) +
            (((bytes >> 16U) & 0x000000FF000000FF) * 0x0000271000000001)) >>
           32U;
}
inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

}  // namespace number_detail

/// Reads a plain decimal ("-12.5") at `p`; moves `p` behind it. False, `p` anywhere, when the
/// number is not of this simple kind (exponent, many digits, text): ask parse_number. May read up
/// to `end`.
inline bool parse_simple_decimal(const char*& p, const char* end, double& value) {
    using namespace number_detail;  // NOLINT(google-build-using-namespace): this header's own
    const bool negative = p != end && *p == '-';
    p += negative ? 1 : 0;
    const char* const first = p;
    std::uint64_t w = 0;
    if (end - p >= 8 && is_eight_digits(load8(p))) {
        w = eight_digits(load8(p));
        p += 8;
    }
    while (p != end && is_digit(*p)) w = w * 10 + static_cast<std::uint64_t>(*p++ - '0');
    std::ptrdiff_t num_digits = p - first;
    if (num_digits == 0) return false;
    std::ptrdiff_t num_decimals = 0;
    if (p != end && *p == '.') {
        const char* const decimals = ++p;
        if (end - p >= 8 && is_eight_digits(load8(p))) {
            w = w * 100000000 + eight_digits(load8(p));
            p += 8;
        }
        while (p != end && is_digit(*p)) w = w * 10 + static_cast<std::uint64_t>(*p++ - '0');
        num_decimals = p - decimals;
        num_digits += num_decimals;
    }
    if (num_digits > 19 || w > (std::uint64_t{1} << 53U) || num_decimals > 22) return false;
    value = static_cast<double>(w) / powers_of_ten[num_decimals];
    if (negative) value = -value;
    return true;
}

/// What a table cell holds.
enum class CellKind : std::uint8_t { number, missing, infinite, text };

/// Any spelling: decimals, exponents, inf; "", NaN, NA, null and None (any case) are missing.
CellKind parse_cell(std::string_view cell, double& value);

/// The whole of `text` as a finite number.
inline std::optional<double> parse_number(std::string_view text) {
    double value = 0.0;
    if (parse_cell(text, value) != CellKind::number) return std::nullopt;
    return value;
}

}  // namespace culprit
