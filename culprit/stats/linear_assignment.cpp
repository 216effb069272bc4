#include "culprit/stats/linear_assignment.h"

#include <cmath>
#include <limits>

#include "culprit/base/check.h"

namespace culprit::stats {

std::vector<std::size_t> assign_rows(MatrixView cost) {
    const std::size_t n = cost.num_rows();
    CULPRIT_CHECK(cost.num_columns() == n);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    // Rows and columns count from 1; 0 is the root of the augmenting tree. u and v are the dual
    // prices: cost - u - v >= 0 with equality on the assignment.
    std::vector<double> u(n + 1, 0.0);
    std::vector<double> v(n + 1, 0.0);
    std::vector<std::size_t> row_of(n + 1, 0);
    std::vector<std::size_t> way(n + 1, 0);
    for (std::size_t row = 1; row <= n; ++row) {
        row_of[0] = row;
        std::size_t column = 0;
        std::vector<double> distance(n + 1, infinity);
        std::vector<bool> is_done(n + 1, false);
        while (row_of[column] != 0) {
            is_done[column] = true;
            const std::size_t from = row_of[column];
            double delta = infinity;
            std::size_t next = 0;
            for (std::size_t c = 1; c <= n; ++c) {
                if (is_done[c]) continue;
                const double reduced = cost(from - 1, c - 1) - u[from] - v[c];
                CULPRIT_CHECK(std::isfinite(reduced));
                if (reduced < distance[c]) {
                    distance[c] = reduced;
                    way[c] = column;
                }
                if (distance[c] < delta) {
                    delta = distance[c];
                    next = c;
                }
            }
            for (std::size_t c = 0; c <= n; ++c) {
                if (is_done[c]) {
                    u[row_of[c]] += delta;
                    v[c] -= delta;
                } else {
                    distance[c] -= delta;
                }
            }
            column = next;
        }
        while (column != 0) {
            row_of[column] = row_of[way[column]];
            column = way[column];
        }
    }
    std::vector<std::size_t> column_of(n, 0);
    for (std::size_t c = 1; c <= n; ++c) column_of[row_of[c] - 1] = c - 1;
    return column_of;
}

}  // namespace culprit::stats
