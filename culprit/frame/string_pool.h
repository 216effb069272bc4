#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace culprit {

/// Distinct strings numbered 0, 1, 2 in the order of their first appearance. Views stay valid for
/// the pool's life. Not thread safe while strings are added.
class StringPool {
public:
    StringPool() = default;
    StringPool(StringPool&&) = default;
    StringPool& operator=(StringPool&&) = default;
    StringPool(const StringPool& other) { *this = other; }
    StringPool& operator=(const StringPool& other);

    std::uint32_t intern(std::string_view text);
    std::optional<std::uint32_t> find(std::string_view text) const;
    std::string_view operator[](std::uint32_t id) const { return strings_[id]; }
    std::size_t size() const { return strings_.size(); }

private:
    std::deque<std::string> strings_;  // a deque never moves its strings: the index keeps views
    std::unordered_map<std::string_view, std::uint32_t> index_;
};

}  // namespace culprit
