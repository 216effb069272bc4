#include "culprit/base/random.h"

#include <cmath>

#include "culprit/base/check.h"

namespace culprit {

std::size_t Random::below(std::size_t bound) {
    CULPRIT_CHECK(bound > 0);
    const std::uint64_t range = bound;
    std::uint64_t value = engine_();
    // From the last whole multiple of `range` on a value would bias. It is looked for only where
    // there can be such values: a division saved in all but 1 of 2^64 / range draws.
    while (value > UINT64_MAX - range && value >= UINT64_MAX - UINT64_MAX % range)
        value = engine_();
    return static_cast<std::size_t>(value % range);
}

double Random::normal() {
    if (has_spare_) {
        has_spare_ = false;
        return spare_;
    }
    double u = 0.0;
    double v = 0.0;
    double s = 0.0;
    do {
        u = 2.0 * uniform() - 1.0;
        v = 2.0 * uniform() - 1.0;
        s = u * u + v * v;
    } while (s >= 1.0 || s == 0.0);
    const double factor = std::sqrt(-2.0 * std::log(s) / s);
    spare_ = v * factor;
    has_spare_ = true;
    return u * factor;
}

double Random::exponential() { return -std::log1p(-uniform()); }

std::uint64_t derive_seed(std::uint64_t seed, std::string_view part) {
    // FNV-1a over the name, then the finaliser of splitmix64 (Steele, Lea, Flood 2014).
    std::uint64_t hash = 0xcbf29ce484222325ULL ^ seed;
    for (const char c : part) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3ULL;
    }
    hash += 0x9e3779b97f4a7c15ULL;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
    return hash ^ (hash >> 31);
}

}  // namespace culprit
