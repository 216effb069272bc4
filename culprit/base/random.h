#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

namespace culprit {

/// Random numbers that are the same on every platform: std::mt19937_64 (whose output the standard
/// fixes) under our own distributions (which the standard leaves open). Not thread safe: one each.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t next() { return engine_(); }
    /// Uniform in [0, 1), 53 bits.
    double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
    /// Uniform in [0, bound) without bias; bound > 0.
    std::size_t below(std::size_t bound);
    /// Standard normal (polar method of Marsaglia).
    double normal();
    /// Exponential with mean 1.
    double exponential();

    template <class T>
    void shuffle(std::vector<T>& values) {
        for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
    }

private:
    std::mt19937_64 engine_;
    bool has_spare_ = false;
    double spare_ = 0.0;
};

/// A seed for a named part of a run, so that adding a part does not disturb its neighbours.
std::uint64_t derive_seed(std::uint64_t seed, std::string_view part);

}  // namespace culprit
