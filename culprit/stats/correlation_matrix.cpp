#include "culprit/stats/correlation_matrix.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "culprit/base/parallel.h"

namespace culprit::stats {
namespace {

using Table = Eigen::Map<const Eigen::MatrixXd>;

Matrix centred(MatrixView data, unsigned num_threads) {
    Matrix result(data.num_rows(), data.num_columns());
    const auto body = [&](std::size_t begin, std::size_t end) {
        for (std::size_t c = begin; c < end; ++c) {
            const auto source = data.column(c);
            const auto target = result.column(c);
            double mean = 0.0;
            for (const double v : source) mean += v;
            mean /= static_cast<double>(source.size());
            // A second pass takes out the rounding error of the first mean.
            double rest = 0.0;
            for (const double v : source) rest += v - mean;
            mean += rest / static_cast<double>(source.size());
            for (std::size_t i = 0; i < source.size(); ++i) target[i] = source[i] - mean;
        }
    };
    parallel_for(data.num_columns(), num_threads, body, 16);
    return result;
}

// Columns in blocks of fixed width: what a block computes does not depend on who computes it.
Matrix gram(const Matrix& z, unsigned num_threads) {
    constexpr std::size_t block = 48;
    const std::size_t p = z.num_columns();
    const auto n = static_cast<Eigen::Index>(z.num_rows());
    Matrix result(p, p);
    const auto body = [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b) {
            const std::size_t first = b * block;
            const auto width = static_cast<Eigen::Index>(std::min(block, p - first));
            const auto rows = static_cast<Eigen::Index>(first) + width;
            Eigen::Map<Eigen::MatrixXd, 0, Eigen::OuterStride<>> out(
                result.column(first).data(), rows, width,
                Eigen::OuterStride<>(static_cast<Eigen::Index>(p)));
            out.noalias() =
                Table(z.data(), n, rows).transpose() * Table(z.column(first).data(), n, width);
        }
    };
    parallel_for((p + block - 1) / block, num_threads, body);
    for (std::size_t c = 0; c < p; ++c)
        for (std::size_t r = c + 1; r < p; ++r) result(r, c) = result(c, r);
    return result;
}

}  // namespace

Matrix co_moment_matrix(MatrixView data, unsigned num_threads) {
    if (data.num_rows() == 0) return {data.num_columns(), data.num_columns()};
    return gram(centred(data, num_threads), num_threads);
}

Matrix correlation_matrix(MatrixView data, unsigned num_threads) {
    Matrix result = co_moment_matrix(data, num_threads);
    const std::size_t p = data.num_columns();
    std::vector<double> scale(p);
    for (std::size_t c = 0; c < p; ++c) {
        const auto column = data.column(c);
        const bool varies =
            std::any_of(column.begin(), column.end(), [&](double v) { return v != column[0]; });
        scale[c] = varies ? 1.0 / std::sqrt(result(c, c)) : 0.0;
    }
    for (std::size_t c = 0; c < p; ++c) {
        for (std::size_t r = 0; r < c; ++r) {
            const double value = std::clamp(result(r, c) * scale[r] * scale[c], -1.0, 1.0);
            result(r, c) = value;
            result(c, r) = value;
        }
        result(c, c) = 1.0;
    }
    return result;
}

}  // namespace culprit::stats
