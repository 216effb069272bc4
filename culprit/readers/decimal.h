#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

namespace culprit {
namespace decimal {

inline constexpr double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
inline constexpr std::size_t exact_decimals_max = 22;
inline constexpr std::uint64_t exact_integer_max = std::uint64_t{1} << 53U;
inline constexpr std::size_t decimals_max = 27;

__extension__ using Wide = unsigned __int128;

// floor(2^(127 + z) / 5^k) + 1 with 2^z the smallest power of two >= 5^k: 5^-k, normalised.
struct Reciprocal {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
};

constexpr std::array<Reciprocal, decimals_max + 1> make_reciprocals() {
    std::array<Reciprocal, decimals_max + 1> table{};
    std::uint64_t power = 1;  // 5^27 < 2^63
    for (std::size_t k = 0; k <= decimals_max; ++k) {
        int z = 0;
        while (z < 64 && (std::uint64_t{1} << z) < power) ++z;
        // Long division of 2^(127 + z) by `power`, bit by bit; the quotient has 128 bits, or 129
        // for k = 0, where it is 2^127 exactly and z = 0.
        Wide quotient = 0;
        Wide remainder = 1;
        for (int bit = 0; bit <= 127 + z; ++bit) {
            if (bit > 0) remainder <<= 1U;
            quotient <<= 1U;
            if (remainder >= power) {
                remainder -= power;
                quotient |= 1U;
            }
        }
        if (k > 0) quotient += 1;
        table[k] = {static_cast<std::uint64_t>(quotient >> 64U),
                    static_cast<std::uint64_t>(quotient)};
        if (k < decimals_max) power *= 5;
    }
    return table;
}

inline constexpr std::array<Reciprocal, decimals_max + 1> reciprocals = make_reciprocals();

// w * 10^-k correctly rounded; w > 0, k <= decimals_max, so that the result is a normal number.
inline double scale(std::uint64_t w, std::size_t k) {
    const int leading = std::countl_zero(w);
    w <<= static_cast<unsigned>(leading);
    const Reciprocal& t = reciprocals[k];
    const Wide first = static_cast<Wide>(w) * t.high;
    auto high = static_cast<std::uint64_t>(first >> 64U);
    auto low = static_cast<std::uint64_t>(first);
    if ((high & 0x1FFU) == 0x1FFU) {
        const Wide second = static_cast<Wide>(w) * t.low;
        const auto carry = static_cast<std::uint64_t>(second >> 64U);
        low += carry;
        high += low < carry ? 1 : 0;
    }
    const auto upper = static_cast<unsigned>(high >> 63U);
    const unsigned shift = upper + 9;
    std::uint64_t mantissa = high >> shift;  // 54 bits: one more than needed
    const auto q = -static_cast<std::int64_t>(k);
    const std::int64_t power = ((217706 * q) >> 16) + 63 + upper - leading + 1023;
    // An exact tie goes to even; it can only happen while 5^k divides a 64-bit integer.
    if (low <= 1 && k <= 4 && (mantissa & 3U) == 1 && mantissa << shift == high)
        mantissa &= ~std::uint64_t{1};
    mantissa += mantissa & 1U;
    mantissa >>= 1U;
    std::uint64_t exponent = static_cast<std::uint64_t>(power);
    if (mantissa >= std::uint64_t{2} << 52U) {
        mantissa = std::uint64_t{1} << 52U;
        ++exponent;
    }
    return std::bit_cast<double>((mantissa & ~(std::uint64_t{1} << 52U)) | exponent << 52U);
}

[[gnu::always_inline]] inline bool finish(std::uint64_t w, std::size_t num_decimals, bool negative,
                                          double& value) {
    if (w <= exact_integer_max && num_decimals <= exact_decimals_max)
        value = static_cast<double>(w) / powers_of_ten[num_decimals];
    else if (num_decimals <= decimals_max)
        value = w == 0 ? 0.0 : scale(w, num_decimals);
    else
        return false;
    if (negative) value = -value;
    return true;
}

// One byte after the other: the ends of a text, and machines without SSE4.1.
bool parse_bytewise(const char* text, std::size_t length, bool negative, double& value);

#if defined(__SSE4_1__)
// shuffles[L][d] moves the L bytes of a number with its point at d (d = L: none) to the end of 16
// bytes, without the point, zeros before them.
using Shuffles = std::array<std::array<std::array<std::uint8_t, 16>, 17>, 17>;

constexpr Shuffles make_shuffles() {
    Shuffles shuffles{};
    for (std::size_t length = 0; length <= 16; ++length) {
        for (std::size_t point = 0; point <= length; ++point) {
            auto& shuffle = shuffles[length][point];
            for (std::uint8_t& byte : shuffle) byte = 0x80;
            std::size_t to = 16;
            for (std::size_t from = length; from-- > 0;)
                if (from != point) shuffle[--to] = static_cast<std::uint8_t>(from);
        }
    }
    return shuffles;
}

alignas(64) inline constexpr Shuffles shuffles = make_shuffles();

struct Digits {
    std::uint64_t value = 0;
    std::size_t point = 0;  // length when there is none
};

// The number that sixteen digits make.
inline std::uint64_t sixteen_digits(__m128i d) {
    const __m128i by_2 =
        _mm_maddubs_epi16(d, _mm_set_epi8(1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10));
    const __m128i by_4 = _mm_madd_epi16(by_2, _mm_set_epi16(1, 100, 1, 100, 1, 100, 1, 100));
    const __m128i by_8 = _mm_madd_epi16(_mm_packus_epi32(by_4, by_4),
                                        _mm_set_epi16(1, 10000, 1, 10000, 1, 10000, 1, 10000));
    const auto halves = static_cast<std::uint64_t>(_mm_cvtsi128_si64(by_8));
    return (halves & 0xFFFFFFFFU) * 100'000'000 + (halves >> 32U);
}

// The first `length` <= 16 of the 16 bytes at `text` as digits with at most one point.
inline bool read_digits(const char* text, std::size_t length, Digits& digits) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
    const __m128i numbers = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(numbers, _mm_set1_epi8(9)), numbers);
    const __m128i is_point = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'));
    const std::uint32_t wanted = (1U << length) - 1U;
    const std::uint32_t point_mask =
        static_cast<std::uint32_t>(_mm_movemask_epi8(is_point)) & wanted;
    const std::uint32_t digit_mask =
        static_cast<std::uint32_t>(_mm_movemask_epi8(is_digit)) & wanted;
    if ((digit_mask | point_mask) != wanted || (point_mask & (point_mask - 1U)) != 0) return false;
    digits.point = static_cast<std::size_t>(std::countr_zero(point_mask | (1U << length)));
    const __m128i shuffle =
        _mm_load_si128(reinterpret_cast<const __m128i*>(shuffles[length][digits.point].data()));
    digits.value = sixteen_digits(_mm_shuffle_epi8(numbers, shuffle));
    return true;
}

inline constexpr std::uint64_t integer_powers[] = {1,
                                                   10,
                                                   100,
                                                   1000,
                                                   10'000,
                                                   100'000,
                                                   1'000'000,
                                                   10'000'000,
                                                   100'000'000,
                                                   1'000'000'000,
                                                   10'000'000'000,
                                                   100'000'000'000,
                                                   1'000'000'000'000,
                                                   10'000'000'000'000,
                                                   100'000'000'000'000,
                                                   1'000'000'000'000'000,
                                                   10'000'000'000'000'000};

// moved[p] is set in the bytes up to a point at p, which move one place on; p = 16: no point.
using Moved = std::array<std::array<std::uint8_t, 16>, 17>;

constexpr Moved make_moved() {
    Moved moved{};
    for (std::size_t point = 0; point < 16; ++point)
        for (std::size_t byte = 0; byte <= point; ++byte) moved[point][byte] = 0xFF;
    return moved;
}

alignas(64) inline constexpr Moved moved = make_moved();

// The digits of 17 to 20 bytes as most long numbers have them: a few, and behind them sixteen once
// the point is taken out. False for any other text, which parse_long decides.
inline bool read_long(const char* text, std::size_t length, std::uint64_t& w,
                      std::size_t& num_decimals) {
    const char* const tail = text + length - 16;
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tail));
    const __m128i before = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tail - 1));
    const auto points =
        static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'))));
    const auto point = static_cast<std::size_t>(std::countr_zero(points | 0x10000U));
    const __m128i is_moved = _mm_load_si128(reinterpret_cast<const __m128i*>(moved[point].data()));
    const __m128i numbers =
        _mm_sub_epi8(_mm_blendv_epi8(bytes, before, is_moved), _mm_set1_epi8('0'));
    const __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(numbers, _mm_set1_epi8(9)), numbers);
    const bool ends_head = tail[-1] == '.';
    // A point in the tail has drawn in the head's last digit; one that ends the head is left out.
    const std::size_t head_length = length - 16 - (points != 0 || ends_head ? 1 : 0);
    num_decimals = points != 0 ? 15 - point : ends_head ? 16 : 0;
    std::uint32_t head = 0;
    std::memcpy(&head, text, sizeof(head));
    head =
        static_cast<std::uint32_t>(std::uint64_t{head ^ 0x30303030U} << (32U - 8U * head_length));
    if (_mm_movemask_epi8(is_digit) != 0xFFFF || head_length > 3 ||
        ((head | (head + 0x76767676U)) & 0x80808080U) != 0)
        return false;
    head = (head * 10U + (head >> 8U)) & 0x00FF00FFU;
    head = (head * 100U + (head >> 16U)) & 0xFFFFU;
    w = head * std::uint64_t{10'000'000'000'000'000} + sixteen_digits(numbers);
    return true;
}

// 17 to 20 bytes: the first few by themselves, then the last 16.
inline bool parse_long(const char* text, std::size_t length, bool negative, double& value) {
    std::uint64_t w = 0;
    std::size_t num_decimals = 0;
    if (read_long(text, length, w, num_decimals)) {
        // Most have more than 53 bits: no question asked, no branch mispredicted.
        value = w == 0 ? 0.0 : scale(w, num_decimals);
        if (negative) value = -value;
        return true;
    }
    const std::size_t head_length = length - 16;
    Digits head;
    Digits tail;
    if (!read_digits(text, head_length, head) || !read_digits(text + head_length, 16, tail))
        return false;
    const bool point_in_head = head.point != head_length;
    const bool point_in_tail = tail.point != 16;
    if (point_in_head && point_in_tail) return false;
    const std::size_t num_digits = length - (point_in_head || point_in_tail ? 1 : 0);
    if (num_digits > 19) return false;
    if (point_in_head) num_decimals = length - 1 - head.point;
    if (point_in_tail) num_decimals = 15 - tail.point;
    w = head.value * integer_powers[point_in_tail ? 15 : 16] + tail.value;
    value = w == 0 ? 0.0 : scale(w, num_decimals);
    if (negative) value = -value;
    return true;
}
#endif

}  // namespace decimal

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
/// In a header: a table spends half of its time here.
/// Parity: std::from_chars, bit for bit.
inline bool parse_decimal(const char* text, std::size_t length, std::size_t readable,
                          double& value) {
    const bool negative = length > 0 && *text == '-';
    if (negative) {
        ++text;
        --length;
        --readable;
    }
#if defined(__SSE4_1__)
    if (readable >= 32) {
        if (length > 16) return length <= 20 && decimal::parse_long(text, length, negative, value);
        decimal::Digits digits;
        if (length == 0 || !decimal::read_digits(text, length, digits)) return false;
        const std::size_t num_decimals = digits.point == length ? 0 : length - 1 - digits.point;
        if (length == 1 && digits.point == 0) return false;  // "."
        return decimal::finish(digits.value, num_decimals, negative, value);
    }
#else
    static_cast<void>(readable);
#endif
    return decimal::parse_bytewise(text, length, negative, value);
}

}  // namespace culprit
