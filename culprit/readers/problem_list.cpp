#include "culprit/readers/problem_list.h"

#include <fmt/format.h>

#include <algorithm>

namespace culprit {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// Length of the UTF-8 sequence at the start of `text`; 0 if it is not one (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    std::size_t length = 0;
    if (first >= 0xC2 && first <= 0xDF) length = 2;
    if (first >= 0xE0 && first <= 0xEF) length = 3;
    if (first >= 0xF0 && first <= 0xF4) length = 4;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0U) != 0x80) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return length;
}

// C0, DEL and the two-byte C1 controls: what a terminal may act on.
bool is_control(std::string_view text, std::size_t length) {
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 1) return first < 0x20 || first == 0x7F;
    return length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
}

}  // namespace

std::string ProblemList::place(CellPosition at) const {
    if (at.line == 0) return file_;
    if (at.field == 0) return fmt::format("{}:{}", file_, at.line);
    return fmt::format("{}:{}:{}", file_, at.line, at.field);
}

Status ProblemList::note(std::string_view kind, CellPosition at, std::string message,
                         std::uint64_t count) {
    if (strict_) return refuse(at, std::move(message));
    auto it = index_.find(std::string(kind));
    if (it == index_.end() && problems_.size() >= kinds_max) {
        kind = "";
        it = index_.find("");
        message = "more problems of other kinds";
        at = {};
    }
    if (it != index_.end()) {
        problems_[it->second].count += count;
        return {};
    }
    index_.emplace(kind, problems_.size());
    problems_.push_back({place(at), std::move(message), count});
    return {};
}

tl::unexpected<Error> ProblemList::refuse(CellPosition at, std::string message,
                                          ErrorCode code) const {
    return fail(code, fmt::format("{}: {}", place(at), message));
}

void ProblemList::move_to(std::vector<DataProblem>& target) {
    for (DataProblem& problem : problems_) target.push_back(std::move(problem));
    problems_.clear();
    index_.clear();
}

std::string quote_for_message(std::string_view text, std::size_t length_max) {
    const bool cut = text.size() > length_max;
    return fmt::format("\"{}{}\"", path_for_message(text.substr(0, length_max)),
                       cut ? "\u2026" : "");
}

std::string path_for_message(std::string_view path) {
    std::string shown;
    while (!path.empty()) {
        const std::size_t length = sequence_length(path);
        if (length == 0 || is_control(path, length)) {
            shown += fmt::format("\\x{:02X}", static_cast<unsigned char>(path[0]));
            path.remove_prefix(1);
            continue;
        }
        shown += path.substr(0, length);
        path.remove_prefix(length);
    }
    return shown;
}

namespace {

template <class IsBad>
bool replace_bad(std::string& text, IsBad is_bad) {
    std::string_view rest = text;
    const auto next = [&] {
        const std::size_t length = sequence_length(rest);
        return std::pair(length == 0 || is_bad(rest, length), std::max<std::size_t>(length, 1));
    };
    while (!rest.empty()) {
        const auto [bad, length] = next();
        if (bad) break;
        rest.remove_prefix(length);
    }
    if (rest.empty()) return false;
    std::string clean(text, 0, text.size() - rest.size());
    while (!rest.empty()) {
        const auto [bad, length] = next();
        clean += bad ? replacement : rest.substr(0, length);
        rest.remove_prefix(length);
    }
    text = std::move(clean);
    return true;
}

}  // namespace

bool make_printable(std::string& text) { return replace_bad(text, is_control); }

bool make_valid_utf8(std::string& text) {
    return replace_bad(text, [](std::string_view, std::size_t) { return false; });
}

std::size_t make_printable(StringPool& pool,
                           std::initializer_list<std::vector<std::uint32_t>*> indices) {
    StringPool clean;
    std::vector<std::uint32_t> renumbered;
    std::size_t num_changed = 0;
    for (std::uint32_t i = 0; i < pool.size(); ++i) {
        std::string name(pool[i]);
        num_changed += make_printable(name) ? 1 : 0;
        renumbered.push_back(clean.intern(name));
    }
    if (num_changed == 0) return 0;
    for (std::vector<std::uint32_t>* list : indices)
        for (std::uint32_t& index : *list) index = renumbered[index];
    pool = std::move(clean);
    return num_changed;
}

}  // namespace culprit
