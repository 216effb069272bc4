#include "culprit/graph/numpy_generator.h"

#include <bit>

namespace culprit {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr Wide wide(std::uint64_t high, std::uint64_t low) { return Wide{high} << 64 | low; }

constexpr Wide multiplier = wide(0x2360ed051fc65da4, 0x4385df649fccf645);
// The four words that SeedSequence(0) generates.
constexpr Wide initial_state = wide(0xdb2cd7e7b0f478be, 0xabf4641a2c71ba49);
constexpr Wide initial_sequence = wide(0x20c6ed6d9d7b8d41, 0x2c4099de223c39d4);

}  // namespace

NumpyGenerator::NumpyGenerator() : state_(0), increment_(initial_sequence * 2 + 1) {
    state_ = state_ * multiplier + increment_;
    state_ += initial_state;
    state_ = state_ * multiplier + increment_;
}

std::uint64_t NumpyGenerator::next() {
    state_ = state_ * multiplier + increment_;
    const auto folded =
        static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_);
    return std::rotr(folded, static_cast<int>(state_ >> 122));
}

}  // namespace culprit
