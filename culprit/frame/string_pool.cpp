#include "culprit/frame/string_pool.h"

namespace culprit {

StringPool& StringPool::operator=(const StringPool& other) {
    if (this == &other) return *this;
    strings_.clear();
    index_.clear();
    for (const std::string& text : other.strings_) intern(text);
    return *this;
}

std::uint32_t StringPool::intern(std::string_view text) {
    const auto it = index_.find(text);
    if (it != index_.end()) return it->second;
    const auto id = static_cast<std::uint32_t>(strings_.size());
    strings_.emplace_back(text);
    index_.emplace(strings_.back(), id);
    return id;
}

std::optional<std::uint32_t> StringPool::find(std::string_view text) const {
    const auto it = index_.find(text);
    if (it == index_.end()) return std::nullopt;
    return it->second;
}

}  // namespace culprit
