#pragma once

#include <algorithm>
#include <ctime>
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

namespace culprit {

inline double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Multiplications and additions that one core does per second of its time in registers, in the
/// instructions that the kernels are compiled to: the best of five tries, measured once.
inline double peak_operations_per_second() {
    using Four = double __attribute__((vector_size(32)));
    static const double peak = [] {
        constexpr int rounds = 2'000'000;
        constexpr int chains = 8;  // two at a time for a latency of four cycles
        double best = 0.0;
        for (int attempt = 0; attempt < 5; ++attempt) {
            Four x0{}, x1{}, x2{}, x3{}, x4{}, x5{}, x6{}, x7{};
            const Four factor = {0.999, 0.998, 0.997, 0.996};
            const auto advance = [&factor](Four& v) {
#if defined(__AVX2__) && defined(__FMA__)
                v = static_cast<Four>(_mm256_fmadd_pd(v, factor, factor));
#else
                v = v * factor + factor;
#endif
                asm volatile("" : "+x"(v));  // neither left out nor moved
            };
            const double begin = thread_seconds();
            for (int r = 0; r < rounds; ++r) {
                advance(x0);
                advance(x1);
                advance(x2);
                advance(x3);
                advance(x4);
                advance(x5);
                advance(x6);
                advance(x7);
            }
            best = std::max(best, 8.0 * chains * rounds / (thread_seconds() - begin));
        }
        return best;
    }();
    return peak;
}

}  // namespace culprit
