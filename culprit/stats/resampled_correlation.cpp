#include "culprit/stats/resampled_correlation.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

#include "culprit/base/check.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

// Rows are resamples.
template <class Number>
using Rows = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Resamples `begin` to `end`, each centred and of length 1; zeros where it is constant. What lies
// between the end of a row and the next is left as it is.
template <class Number>
void draw(std::span<const double> values, const Resamples& resamples, std::size_t begin,
          std::size_t end, std::size_t stride, Number* table) {
    std::vector<double> drawn(values.size());
    for (std::size_t i = begin; i < end; ++i) {
        const auto rows = resamples.rows(i);
        for (std::size_t t = 0; t < rows.size(); ++t) drawn[t] = values[rows[t]];
        const double center = mean(drawn);
        for (double& v : drawn) v -= center;
        const double length = std::sqrt(inner_product(drawn, drawn));
        const double scale = length > 0.0 ? 1.0 / length : 0.0;
        Number* const row = table + i * stride;
        for (std::size_t t = 0; t < drawn.size(); ++t)
            row[t] = static_cast<Number>(drawn[t] * scale);
    }
}

bool exceeds_in_double(double statistic, std::span<const double> values, const Resamples& resamples,
                       double q) {
    const auto count = static_cast<Eigen::Index>(resamples.count());
    Rows<double> table(count, static_cast<Eigen::Index>(values.size()));
    draw(values, resamples, 0, resamples.count(), values.size(), table.data());
    std::vector<double> pairs;
    for (Eigen::Index i = 1; i < count; ++i)
        for (Eigen::Index j = 0; j < i; ++j) {
            const double r = table.row(i).dot(table.row(j));
            pairs.push_back(r * r);
        }
    std::vector<double> scratch;
    return statistic > quantile(pairs, q, scratch);
}

/// Products of three rows with four, all of `length`, a multiple of eight: twelve sums of eight
/// lanes side by side, as many as there are registers for.
class RowProducts {
public:
    static constexpr std::size_t rows = 3;
    static constexpr std::size_t columns = 4;
    using Sums = std::array<std::array<float, columns>, rows>;

    static Sums of(const float* a, const float* b, std::size_t stride, std::size_t length) {
        Eight sum[rows][columns] = {};
        for (std::size_t t = 0; t < length; t += 8) {
            Eight left[rows];
            for (std::size_t i = 0; i < rows; ++i) left[i] = load(a + i * stride + t);
            for (std::size_t j = 0; j < columns; ++j) {
                const Eight right = load(b + j * stride + t);
                for (std::size_t i = 0; i < rows; ++i) add(sum[i][j], left[i], right);
            }
        }
        Sums sums;
        for (std::size_t i = 0; i < rows; ++i) sums[i] = totals(sum[i]);
        return sums;
    }

private:
    using Eight = float __attribute__((vector_size(32)));

    static Eight load(const float* p) {
        Eight x;
        std::memcpy(&x, p, sizeof(x));
        return x;
    }
    static void add(Eight& sum, Eight a, Eight b) {
#if defined(__AVX2__) && defined(__FMA__)
        sum = static_cast<Eight>(_mm256_fmadd_ps(a, b, sum));
#else
        sum += a * b;
#endif
    }
    static std::array<float, columns> totals(const Eight (&x)[columns]) {
        std::array<float, columns> sums;
#if defined(__AVX2__)
        const __m256 by_lane =
            _mm256_hadd_ps(_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
        _mm_storeu_ps(sums.data(), _mm_add_ps(_mm256_castps256_ps128(by_lane),
                                              _mm256_extractf128_ps(by_lane, 1)));
#else
        for (std::size_t j = 0; j < columns; ++j) {
            sums[j] = 0.0F;
            for (std::size_t lane = 0; lane < 8; ++lane) sums[j] += x[j][lane];
        }
#endif
        return sums;
    }
};

// Pairs whose squared correlation is surely, and perhaps, at least as large as the statistic.
struct Above {
    std::size_t surely = 0;
    std::size_t perhaps = 0;
};

}  // namespace

Resamples::Resamples(std::size_t num_rows, std::size_t count, Random& random)
    : num_rows_(num_rows), rows_(num_rows * count) {
    CULPRIT_CHECK(num_rows > 0 && count > 1);
    for (std::uint32_t& row : rows_) row = static_cast<std::uint32_t>(random.below(num_rows));
}

bool exceeds_resampled_correlation(double statistic, std::span<const double> values,
                                   const Resamples& resamples, double q) {
    CULPRIT_CHECK(values.size() == resamples.num_rows());
    const std::size_t count = resamples.count();
    const std::size_t num_pairs = count * (count - 1) / 2;
    // The quantile lies between the order statistics `below` and `below + 1`.
    const auto below = static_cast<std::size_t>(std::floor(static_cast<double>(num_pairs - 1) * q));
    // Sums of N products of vectors of length 1: at most N + 2 roundings of half a unit each.
    const double error = static_cast<double>(values.size() + 2) *
                         static_cast<double>(std::numeric_limits<float>::epsilon());
    const double bound = std::sqrt(std::max(statistic, 0.0));
    const auto surely_above = static_cast<float>(bound + 2.0 * error);
    const auto perhaps_above = static_cast<float>(bound - 2.0 * error);
    constexpr std::size_t block = 24;
    static_assert(block % RowProducts::rows == 0);
    const std::size_t length = (values.size() + 7) / 8 * 8;
    std::vector<float> table;
    const auto row = [&](std::size_t i) { return table.data() + i * length; };
    Above above;
    for (std::size_t begin = 0; begin < count; begin += block) {
        const std::size_t end = std::min(begin + block, count);
        // Zeros behind the end of each row, and a few rows behind the last.
        table.resize((begin + block + RowProducts::columns) * length);
        draw(values, resamples, begin, end, length, table.data());
        for (std::size_t i = begin; i < end; i += RowProducts::rows)
            for (std::size_t j = 0; j < i + RowProducts::rows - 1; j += RowProducts::columns) {
                const auto products = RowProducts::of(row(i), row(j), length, length);
                for (std::size_t k = 0; k < RowProducts::rows; ++k)
                    for (std::size_t l = 0; l < RowProducts::columns; ++l) {
                        if (j + l >= i + k || i + k >= end) continue;
                        const float r = std::abs(products[k][l]);
                        above.surely += r >= surely_above ? 1 : 0;
                        above.perhaps += r >= perhaps_above ? 1 : 0;
                    }
            }
        if (above.surely >= num_pairs - below) return false;
    }
    if (above.perhaps + 1 < num_pairs - below) return true;
    return exceeds_in_double(statistic, values, resamples, q);
}

}  // namespace culprit::stats
