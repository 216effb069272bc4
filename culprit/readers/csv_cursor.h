#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace culprit {

/// Walks the records of a CSV text one after the other (RFC 4180: fields in quotes may hold commas,
/// doubled quotes and line ends; records end with LF or CRLF; blank lines are skipped). Fields are
/// views into the text, or into a scratch that lives until the next record.
///
/// Cost: O(bytes), one pass, memory of one record.
class CsvCursor {
public:
    /// `first_line`: number of the text's first line, for messages.
    explicit CsvCursor(std::string_view text, std::uint64_t first_line = 1)
        : text_(text), next_line_(first_line) {}

    /// Moves to the next record; false at the end of the text.
    bool next();

    const std::vector<std::string_view>& fields() const { return fields_; }
    /// Line on which the record begins.
    std::uint64_t line() const { return line_; }
    /// The record has a quote that is never closed, or text after a closing quote. Its fields are
    /// then what could be made out.
    bool malformed() const { return malformed_; }
    /// First byte after the record, and its line.
    std::size_t offset() const { return at_; }
    std::uint64_t next_line() const { return next_line_; }

private:
    std::string_view read_quoted();

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint64_t line_ = 0;
    std::uint64_t next_line_;
    bool malformed_ = false;
    std::vector<std::string_view> fields_;
    std::deque<std::string> scratch_;  // unescaped fields; a deque does not move them
};

}  // namespace culprit
