#include "culprit/logs/token_mask.h"

#include <array>
#include <cstdint>

namespace culprit {
namespace {

enum CharClass : std::uint8_t {
    other = 0,
    digit = 1,
    hex_letter = 2,
    letter = 4,
    joint = 8,
    space = 16,
};

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned c = '0'; c <= '9'; ++c) classes[c] = digit;
    for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = c <= 'f' ? hex_letter : letter;
    for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = c <= 'F' ? hex_letter : letter;
    for (const char c : {'.', ':', '-', '/', '_', '+', ','})
        classes[static_cast<unsigned char>(c)] = joint;
    for (const char c : {' ', '\t', '\n', '\v', '\f', '\r'})
        classes[static_cast<unsigned char>(c)] = space;
    return classes;
}

constexpr std::array<std::uint8_t, 256> classes = make_classes();

std::uint8_t class_of(char c) { return classes[static_cast<unsigned char>(c)]; }

// A maximal run of letters and digits.
struct Word {
    std::size_t length = 0;
    std::size_t num_leading_digits = 0;
    bool is_hex = true;
    bool has_digit = false;
};

Word read_word(std::string_view text) {
    Word word;
    for (const char c : text) {
        const std::uint8_t kind = class_of(c);
        if ((kind & (digit | hex_letter | letter)) == 0) break;
        if (kind == digit) {
            word.has_digit = true;
            if (word.num_leading_digits == word.length) ++word.num_leading_digits;
        } else if (kind == letter) {
            word.is_hex = false;
        }
        ++word.length;
    }
    return word;
}

// 8-4-4-4-12 hexadecimal digits, the form of RFC 4122.
bool is_uuid(std::string_view text) {
    constexpr std::size_t length = 36;
    if (text.size() < length) return false;
    for (std::size_t i = 0; i < length; ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : (class_of(text[i]) & (digit | hex_letter)) == 0) return false;
    }
    return text.size() == length || (class_of(text[length]) & (digit | hex_letter | letter)) == 0;
}

bool stands_alone(std::string_view message, std::size_t begin, std::size_t end) {
    return (begin == 0 || class_of(message[begin - 1]) == space) &&
           (end == message.size() || class_of(message[end]) == space);
}

// Appends the mask; when only joints lie between it and a mask before it, the two become one.
void append_mask(std::string& masked, std::string_view mask, std::size_t& mask_end) {
    std::size_t from = masked.size();
    while (from > mask_end && class_of(masked[from - 1]) == joint) --from;
    if (mask_end != 0 && from == mask_end && masked.size() > mask_end) {
        masked.resize(mask_end);
        return;
    }
    masked += mask;
    mask_end = masked.size();
}

}  // namespace

void mask_numbers(std::string_view message, std::string& masked) {
    masked.clear();
    std::size_t mask_end = 0;  // end of the last mask in `masked`; 0 = none
    std::size_t at = 0;
    while (at < message.size()) {
        const Word word = read_word(message.substr(at));
        if (word.length == 0) {
            masked += message[at++];
            continue;
        }
        if (word.length == 8 && word.is_hex && is_uuid(message.substr(at))) {
            append_mask(masked, "<id>", mask_end);
            at += 36;
            continue;
        }
        const std::string_view text = message.substr(at, word.length);
        const std::size_t begin = at;
        at += word.length;
        if (!word.has_digit) {
            masked += text;
            continue;
        }
        const bool is_number = word.num_leading_digits == word.length;
        const bool is_id = (word.is_hex && word.length >= (is_number ? 16U : 8U)) ||
                           (text.size() > 2 && text[0] == '0' && (text[1] | 32) == 'x');
        const bool is_status = is_number && word.length == 3 && text[0] >= '1' && text[0] <= '5' &&
                               stands_alone(message, begin, at);
        if (is_id) {
            append_mask(masked, "<id>", mask_end);
        } else if (word.num_leading_digits > 0 && !is_status) {
            append_mask(masked, "<num>", mask_end);
            masked += text.substr(word.num_leading_digits);
        } else {
            masked += text;
        }
    }
}

}  // namespace culprit
