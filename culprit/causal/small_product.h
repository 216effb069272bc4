#pragma once

#include <cstddef>
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

namespace culprit {

/// C = A B for the few dozen rows of a causal graph, where a general product spends its time
/// packing. A: rows x depth, column-major; C: rows x columns, column-major, same row stride as A;
/// rows and columns multiples of four. B(k, j) lies at b[k * b_row + j * b_column]. Fixed order of
/// summation; 12 x 4 blocks in registers.
struct SmallProduct {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t depth = 0;
    std::size_t stride = 0;  ///< of A and C
    std::size_t b_row = 0;
    std::size_t b_column = 0;

    void run(const double* a, const double* b, double* c) const {
        for (std::size_t j = 0; j < columns; j += 4) {
            std::size_t i = 0;
            for (; i + 12 <= rows; i += 12) block<3>(a + i, b + j * b_column, c + i + j * stride);
            if (i + 8 <= rows) {
                block<2>(a + i, b + j * b_column, c + i + j * stride);
                i += 8;
            }
            if (i < rows) block<1>(a + i, b + j * b_column, c + i + j * stride);
        }
    }

private:
    template <int V>
    void block(const double* a, const double* b, double* c) const {
        using Four = double __attribute__((vector_size(32)));
        using FourAnywhere = double __attribute__((vector_size(32), aligned(8)));
        Four sum[V][4] = {};
        for (std::size_t k = 0; k < depth; ++k) {
            const double* left = a + k * stride;
            const double* right = b + k * b_row;
            for (int j = 0; j < 4; ++j) {
                const double value = right[static_cast<std::size_t>(j) * b_column];
                const Four factor = {value, value, value, value};
                for (std::ptrdiff_t v = 0; v < V; ++v) {
                    const Four row = *reinterpret_cast<const FourAnywhere*>(left + 4 * v);
#if defined(__AVX2__) && defined(__FMA__)
                    sum[v][j] = static_cast<Four>(_mm256_fmadd_pd(row, factor, sum[v][j]));
#else
                    sum[v][j] += row * factor;
#endif
                }
            }
        }
        for (int j = 0; j < 4; ++j)
            for (std::ptrdiff_t v = 0; v < V; ++v)
                *reinterpret_cast<FourAnywhere*>(c + static_cast<std::size_t>(j) * stride + 4 * v) =
                    sum[v][j];
    }
};

}  // namespace culprit
