#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <vector>

namespace culprit {

inline constexpr std::size_t no_field = std::numeric_limits<std::size_t>::max();

/// Position of the first of `names` that the header has; no_field if it has none.
inline std::size_t find_field(const std::vector<std::string_view>& header,
                              std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        const auto found = std::find(header.begin(), header.end(), name);
        if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
    }
    return no_field;
}

}  // namespace culprit
