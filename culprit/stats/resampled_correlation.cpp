#include "culprit/stats/resampled_correlation.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "culprit/base/check.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"

namespace culprit::stats {
namespace {

// Rows are resamples.
template <class Number>
using Rows = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Resamples `begin` to `end`, each centred and of length 1; zeros where it is constant.
template <class Number>
void draw(std::span<const double> values, const Resamples& resamples, std::size_t begin,
          std::size_t end, Rows<Number>& table) {
    std::vector<double> drawn(values.size());
    for (std::size_t i = begin; i < end; ++i) {
        const auto rows = resamples.rows(i);
        for (std::size_t t = 0; t < rows.size(); ++t) drawn[t] = values[rows[t]];
        const double center = mean(drawn);
        for (double& v : drawn) v -= center;
        const double length = std::sqrt(inner_product(drawn, drawn));
        const double scale = length > 0.0 ? 1.0 / length : 0.0;
        Number* const row = table.row(static_cast<Eigen::Index>(i)).data();
        for (std::size_t t = 0; t < drawn.size(); ++t)
            row[t] = static_cast<Number>(drawn[t] * scale);
    }
}

bool exceeds_in_double(double statistic, std::span<const double> values, const Resamples& resamples,
                       double q) {
    const auto count = static_cast<Eigen::Index>(resamples.count());
    Rows<double> table(count, static_cast<Eigen::Index>(values.size()));
    draw(values, resamples, 0, resamples.count(), table);
    std::vector<double> pairs;
    for (Eigen::Index i = 1; i < count; ++i)
        for (Eigen::Index j = 0; j < i; ++j) {
            const double r = table.row(i).dot(table.row(j));
            pairs.push_back(r * r);
        }
    std::vector<double> scratch;
    return statistic > quantile(pairs, q, scratch);
}

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
    Rows<float> table(static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(values.size()));
    Rows<float> product;
    Above above;
    for (std::size_t begin = 0; begin < count; begin += block) {
        const std::size_t end = std::min(begin + block, count);
        draw(values, resamples, begin, end, table);
        const auto first = static_cast<Eigen::Index>(begin);
        const auto rows = static_cast<Eigen::Index>(end - begin);
        product.noalias() = table.middleRows(first, rows) * table.topRows(first + rows).transpose();
        for (Eigen::Index i = 0; i < rows; ++i)
            for (Eigen::Index j = 0; j < first + i; ++j) {
                const float r = std::abs(product(i, j));
                above.surely += r >= surely_above ? 1 : 0;
                above.perhaps += r >= perhaps_above ? 1 : 0;
            }
        if (above.surely >= num_pairs - below) return false;
    }
    if (above.perhaps + 1 < num_pairs - below) return true;
    return exceeds_in_double(statistic, values, resamples, q);
}

}  // namespace culprit::stats
