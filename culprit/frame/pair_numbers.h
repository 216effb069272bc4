#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace culprit {

/// Numbers pairs of indices from 0, in the order in which they first come.
class PairNumbers {
public:
    /// The number of (a, b), and whether it is new. Cost: O(1).
    std::pair<std::uint32_t, bool> number(std::uint32_t a, std::uint32_t b) {
        const std::uint64_t pair = (static_cast<std::uint64_t>(a) << 32U) | b;
        const auto [it, is_new] = index_.emplace(pair, static_cast<std::uint32_t>(pairs_.size()));
        if (is_new) pairs_.emplace_back(a, b);
        return {it->second, is_new};
    }
    const std::vector<std::pair<std::uint32_t, std::uint32_t>>& pairs() const { return pairs_; }

private:
    std::unordered_map<std::uint64_t, std::uint32_t> index_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs_;
};

}  // namespace culprit
