#include "culprit/readers/csv_cursor.h"

#include <algorithm>
#include <cstring>

namespace culprit {
namespace {

std::size_t find_byte(std::string_view text, std::size_t from, char byte) {
    const void* found = std::memchr(text.data() + from, byte, text.size() - from);
    return found == nullptr
               ? text.size()
               : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

// at_ stands on the opening quote; afterwards on the comma, the line end or the end of the text.
std::string_view CsvCursor::read_quoted() {
    const std::size_t begin = ++at_;
    std::string* unescaped = nullptr;
    std::size_t piece = begin;
    while (true) {
        const std::size_t quote = find_byte(text_, at_, '"');
        at_ = quote;
        if (quote == text_.size()) {
            malformed_ = true;
            break;
        }
        if (quote + 1 == text_.size() || text_[quote + 1] != '"') break;
        if (unescaped == nullptr) unescaped = &scratch_.emplace_back();
        unescaped->append(text_, piece, quote + 1 - piece);
        at_ = piece = quote + 2;
    }
    std::string_view field = text_.substr(begin, at_ - begin);
    if (unescaped != nullptr) {
        unescaped->append(text_, piece, at_ - piece);
        field = *unescaped;
    }
    next_line_ += static_cast<std::uint64_t>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                   text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n'));
    if (at_ < text_.size()) ++at_;  // the closing quote
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n') {
        malformed_ = malformed_ || text_[at_] != '\r';
        ++at_;
    }
    return field;
}

bool CsvCursor::next() {
    while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) {
        next_line_ += text_[at_] == '\n' ? 1 : 0;
        ++at_;
    }
    if (at_ >= text_.size()) return false;
    fields_.clear();
    if (!scratch_.empty()) scratch_.clear();
    malformed_ = false;
    line_ = next_line_;
    const char* const data = text_.data();
    const std::size_t size = text_.size();
    while (true) {
        if (at_ < size && data[at_] == '"') {
            fields_.push_back(read_quoted());
        } else {
            const std::size_t begin = at_;
            while (at_ < size && data[at_] != ',' && data[at_] != '\n') ++at_;
            std::size_t end = at_;
            if (end > begin && (at_ == size || data[at_] == '\n') && data[end - 1] == '\r') --end;
            fields_.push_back(text_.substr(begin, end - begin));
        }
        if (at_ >= size) break;
        if (data[at_++] == '\n') {
            ++next_line_;
            break;
        }
        // The comma was the text's last byte: an empty field follows.
        if (at_ == size) {
            fields_.emplace_back();
            break;
        }
    }
    return true;
}

}  // namespace culprit
