#include "culprit/stats/contingency.h"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>

#include "culprit/base/check.h"

namespace culprit::stats {
namespace {

constexpr std::size_t dense_configurations_max = 4096;

// Number of the configuration of `given` in every row, and how many numbers there are.
struct Configurations {
    std::vector<std::uint32_t> of_row;
    std::size_t count = 1;
};

void compress(Configurations& configurations) {
    std::vector<std::uint32_t> distinct = configurations.of_row;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    for (std::uint32_t& c : configurations.of_row)
        c = static_cast<std::uint32_t>(std::lower_bound(distinct.begin(), distinct.end(), c) -
                                       distinct.begin());
    configurations.count = distinct.size();
}

Configurations configurations_of(const CodeTable& table, std::span<const std::size_t> given) {
    Configurations result;
    result.of_row.assign(table.num_rows(), 0);
    for (const std::size_t v : given) {
        const auto cardinality = static_cast<std::uint32_t>(table.cardinality[v]);
        const auto& codes = table.codes[v];
        for (std::size_t i = 0; i < codes.size(); ++i)
            result.of_row[i] = result.of_row[i] * cardinality + codes[i];
        result.count *= cardinality;
        if (result.count > dense_configurations_max) compress(result);
    }
    return result;
}

// Adds one table's statistic and degrees of freedom.
void add_table(std::span<const std::uint32_t> counts, std::size_t num_x, std::size_t num_y,
               ChiSquareFinding& finding) {
    double rows[256] = {};
    double columns[256] = {};
    double total = 0.0;
    for (std::size_t a = 0; a < num_x; ++a)
        for (std::size_t b = 0; b < num_y; ++b) {
            const double n = counts[a * num_y + b];
            rows[a] += n;
            columns[b] += n;
            total += n;
        }
    if (total == 0.0) return;
    std::size_t num_rows = 0;
    std::size_t num_columns = 0;
    for (std::size_t a = 0; a < num_x; ++a) num_rows += rows[a] > 0.0 ? 1 : 0;
    for (std::size_t b = 0; b < num_y; ++b) num_columns += columns[b] > 0.0 ? 1 : 0;
    for (std::size_t a = 0; a < num_x; ++a)
        for (std::size_t b = 0; b < num_y; ++b) {
            const double expected = rows[a] * columns[b] / total;
            if (expected == 0.0) continue;
            const double difference = counts[a * num_y + b] - expected;
            finding.statistic += difference * difference / expected;
        }
    finding.degrees_of_freedom += (num_rows - 1) * (num_columns - 1);
}

}  // namespace

double chi_square_tail(double statistic, double df) {
    return statistic <= 0.0 ? 1.0 : boost::math::gamma_q(df * 0.5, statistic * 0.5);
}

ChiSquareFinding chi_square(const CodeTable& table, std::size_t x, std::size_t y,
                            std::span<const std::size_t> given) {
    CULPRIT_CHECK(x != y && x < table.codes.size() && y < table.codes.size());
    const std::size_t num_x = table.cardinality[x];
    const std::size_t num_y = table.cardinality[y];
    CULPRIT_CHECK(num_x <= 256 && num_y <= 256);
    const Configurations configurations = configurations_of(table, given);
    const std::size_t cells = num_x * num_y;
    std::vector<std::uint32_t> counts(configurations.count * cells, 0);
    const auto& codes_x = table.codes[x];
    const auto& codes_y = table.codes[y];
    for (std::size_t i = 0; i < codes_x.size(); ++i)
        ++counts[configurations.of_row[i] * cells + codes_x[i] * num_y + codes_y[i]];
    ChiSquareFinding finding;
    for (std::size_t c = 0; c < configurations.count; ++c)
        add_table(std::span(counts).subspan(c * cells, cells), num_x, num_y, finding);
    if (finding.degrees_of_freedom > 0)
        finding.p_value =
            chi_square_tail(finding.statistic, static_cast<double>(finding.degrees_of_freedom));
    return finding;
}

}  // namespace culprit::stats
