#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/frame/string_pool.h"
#include "culprit/rca/case.h"

namespace culprit {

/// Where in a table something was found: 1-based line of the file and field of the row; 0 = the
/// whole file, or the whole line.
struct CellPosition {
    std::uint64_t line = 0;
    std::uint64_t field = 0;
};

/// The problems found in one file. Problems of one kind are counted on the first of them; after
/// `kinds_max` kinds the rest is counted together. With `strict` each is an error instead.
class ProblemList {
public:
    static constexpr std::size_t kinds_max = 200;

    ProblemList(std::string file, bool strict) : file_(std::move(file)), strict_(strict) {}

    /// Notes a problem of the kind `kind`; `message` says what was expected, then what was found.
    /// Fails (malformed_data, "file:line:field: message") when strict.
    Status note(std::string_view kind, CellPosition at, std::string message,
                std::uint64_t count = 1);
    /// The same problem as an error: "file:line:field: message".
    tl::unexpected<Error> refuse(CellPosition at, std::string message,
                                 ErrorCode code = ErrorCode::malformed_data) const;
    /// Moves the problems to the end of `target`.
    void move_to(std::vector<DataProblem>& target);

    bool strict() const { return strict_; }
    const std::string& file() const { return file_; }
    std::size_t size() const { return problems_.size(); }

private:
    std::string place(CellPosition at) const;

    std::string file_;
    bool strict_;
    std::vector<DataProblem> problems_;
    std::unordered_map<std::string, std::size_t> index_;  // kind -> problem
};

/// `text` fit for a message: at most `length_max` bytes, valid UTF-8, control characters escaped.
std::string quote_for_message(std::string_view text, std::size_t length_max = 60);

/// `path` fit for the beginning of a message: as quote_for_message, whole and without quotes.
std::string path_for_message(std::string_view path);

/// `text` fit for a name that people and terminals see: every invalid UTF-8 byte and every control
/// character replaced by U+FFFD. Returns whether something was replaced.
bool make_printable(std::string& text);

/// Replaces every invalid UTF-8 byte by U+FFFD; control characters stay (log lines have colours
/// and tabs). Returns whether something was replaced.
bool make_valid_utf8(std::string& text);

/// make_printable for every name of a pool; `indices` into it follow where names become equal.
/// Returns how many names were changed.
std::size_t make_printable(StringPool& pool,
                           std::initializer_list<std::vector<std::uint32_t>*> indices);

}  // namespace culprit
