#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace culprit {

/// A set of small numbers 0..size-1 as bits: unions and intersections 64 members at a time.
class BitSet {
public:
    BitSet() = default;
    explicit BitSet(std::size_t size) : size_(size), words_((size + 63) / 64, 0) {}

    std::size_t size() const { return size_; }
    bool test(std::size_t i) const { return (words_[i / 64] >> (i % 64) & 1U) != 0; }
    void set(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
    void reset(std::size_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }
    std::size_t count() const {
        std::size_t members = 0;
        for (const std::uint64_t word : words_)
            members += static_cast<std::size_t>(std::popcount(word));
        return members;
    }
    bool any() const {
        for (const std::uint64_t word : words_)
            if (word != 0) return true;
        return false;
    }
    /// True iff the sets share a member. Same size.
    bool intersects(const BitSet& other) const {
        for (std::size_t w = 0; w < words_.size(); ++w)
            if ((words_[w] & other.words_[w]) != 0) return true;
        return false;
    }
    /// True iff this set has a member that `other` lacks. Same size.
    bool exceeds(const BitSet& other) const {
        for (std::size_t w = 0; w < words_.size(); ++w)
            if ((words_[w] & ~other.words_[w]) != 0) return true;
        return false;
    }
    BitSet& operator|=(const BitSet& other) {
        for (std::size_t w = 0; w < words_.size(); ++w) words_[w] |= other.words_[w];
        return *this;
    }
    BitSet& operator&=(const BitSet& other) {
        for (std::size_t w = 0; w < words_.size(); ++w) words_[w] &= other.words_[w];
        return *this;
    }
    /// Takes the members of `other` out.
    BitSet& operator-=(const BitSet& other) {
        for (std::size_t w = 0; w < words_.size(); ++w) words_[w] &= ~other.words_[w];
        return *this;
    }
    friend BitSet operator&(BitSet a, const BitSet& b) { return a &= b; }
    friend bool operator==(const BitSet&, const BitSet&) = default;

    /// Members, ascending.
    std::vector<std::size_t> members() const {
        std::vector<std::size_t> result;
        for (std::size_t w = 0; w < words_.size(); ++w)
            for (std::uint64_t word = words_[w]; word != 0; word &= word - 1)
                result.push_back(w * 64 + static_cast<std::size_t>(std::countr_zero(word)));
        return result;
    }

private:
    std::size_t size_ = 0;
    std::vector<std::uint64_t> words_;
};

}  // namespace culprit
