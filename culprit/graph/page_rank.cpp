#include "culprit/graph/page_rank.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "culprit/base/check.h"

namespace culprit {
namespace {

double total(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

double distance(std::span<const double> a, std::span<const double> b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
    return sum;
}

struct Links {
    std::vector<double> out_weight;  // row sums
    Matrix shares;                   // damping * M(i, j) / out_weight(i)
};

Result<Links> links_of(MatrixView steps, double damping) {
    const std::size_t n = steps.num_rows();
    CULPRIT_CHECK(n == steps.num_columns());
    Links links{std::vector<double>(n, 0.0), Matrix(n, n)};
    for (std::size_t j = 0; j < n; ++j)
        for (std::size_t i = 0; i < n; ++i) {
            const double weight = steps(i, j);
            if (!(weight >= 0.0) || !std::isfinite(weight))
                return fail(ErrorCode::invalid_input,
                            fmt::format("PageRank needs finite weights >= 0, got {} on the step "
                                        "{} -> {}",
                                        weight, i, j));
            links.out_weight[i] += weight;
        }
    for (std::size_t j = 0; j < n; ++j)
        for (std::size_t i = 0; i < n; ++i)
            if (steps(i, j) != 0.0)
                links.shares(i, j) = damping * (steps(i, j) / links.out_weight[i]);
    return links;
}

// y = shares^T x: one dot product per column.
void follow(const Matrix& shares, std::span<const double> x, std::span<double> y) {
    for (std::size_t j = 0; j < y.size(); ++j) {
        const auto column = shares.column(j);
        double sum = 0.0;
        for (std::size_t i = 0; i < x.size(); ++i) sum += column[i] * x[i];
        y[j] = sum;
    }
}

void normalise(std::vector<double>& values) {
    const double sum = total(values);
    for (double& v : values) v /= sum;
}

}  // namespace

Result<PageRankResult> page_rank(MatrixView steps, std::span<const double> restart,
                                 const PageRankOptions& options) {
    const std::size_t n = steps.num_rows();
    PageRankResult result;
    if (n == 0) return result;
    CULPRIT_TRY(const Links links, links_of(steps, options.damping));
    std::vector<double> start(n, 1.0 / static_cast<double>(n));
    if (!restart.empty()) {
        CULPRIT_CHECK(restart.size() == n);
        start.assign(restart.begin(), restart.end());
        if (!(total(start) > 0.0) || !std::isfinite(total(start)))
            return fail(ErrorCode::invalid_input,
                        "PageRank needs a restart distribution with positive mass");
        normalise(start);
    }
    std::vector<double> x = start;
    std::vector<double> y(n);
    while (result.iterations < options.iterations_max && !result.converged) {
        follow(links.shares, x, y);
        double stranded = 0.0;
        for (std::size_t i = 0; i < n; ++i) stranded += links.out_weight[i] == 0.0 ? x[i] : 0.0;
        const double fresh = options.damping * stranded + 1.0 - options.damping;
        for (std::size_t i = 0; i < n; ++i) y[i] += fresh * start[i];
        result.converged = distance(x, y) < options.tolerance;
        x.swap(y);
        ++result.iterations;
    }
    normalise(x);
    result.scores = std::move(x);
    return result;
}

Result<PageRankResult> page_rank_scikit_network(MatrixView steps, const PageRankOptions& options) {
    const std::size_t n = steps.num_rows();
    CULPRIT_TRY(const Links links, links_of(steps, options.damping));
    if (total(links.out_weight) == 0.0)
        return fail(ErrorCode::invalid_input, "PageRank needs at least one edge, got none");
    std::vector<double> b(n);
    for (std::size_t i = 0; i < n; ++i)
        b[i] =
            (1.0 - (links.out_weight[i] != 0.0 ? options.damping : 0.0)) / static_cast<double>(n);
    PageRankResult result;
    std::vector<double> x = b;
    std::vector<double> y(n);
    while (result.iterations < options.iterations_max && !result.converged) {
        follow(links.shares, x, y);
        const double sum = total(x);
        for (std::size_t i = 0; i < n; ++i) y[i] += b[i] * sum;
        normalise(y);
        result.converged = distance(x, y) < options.tolerance;
        if (!result.converged) x.swap(y);
        ++result.iterations;
    }
    normalise(x);
    result.scores = std::move(x);
    return result;
}

}  // namespace culprit
