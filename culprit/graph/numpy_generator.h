#pragma once

#include <cstdint>

namespace culprit {

/// The stream of numpy's `default_rng(0)`: PCG64 (O'Neill 2014: a 128-bit linear congruential
/// generator, output XSL-RR of the state after each step) seeded by SeedSequence(0). Needed because
/// the study's random walk is a fixed function of this very stream. For all other randomness:
/// culprit::Random.
class NumpyGenerator {
public:
    NumpyGenerator();
    std::uint64_t next();
    /// Uniform in [0, 1), 53 bits.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

private:
    __extension__ using Wide = unsigned __int128;
    Wide state_;
    Wide increment_;
};

}  // namespace culprit
