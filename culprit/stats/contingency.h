#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace culprit::stats {

/// Discrete variables over the same samples: codes[v][i] < cardinality[v].
struct CodeTable {
    std::vector<std::vector<std::uint8_t>> codes;
    std::vector<std::size_t> cardinality;
    std::size_t num_rows() const { return codes.empty() ? 0 : codes.front().size(); }
};

struct ChiSquareFinding {
    double statistic = 0.0;
    std::size_t degrees_of_freedom = 0;
    double p_value = 1.0;
};

/// Pearson's chi-square test of X independent of Y given the discrete set S.
///
///   For every configuration of S that occurs: table O of X by Y, E = row sum * column sum / total,
///   statistic += sum (O - E)^2 / E over E > 0, df += (#rows that occur - 1)(#columns that occur -
///   1). p = P(chi2_df >= statistic); df = 0 gives p = 1.
///
/// Shapes:   table: [N] codes per variable; x, y, given are distinct variables of it.
/// Assumes:  expected counts not tiny; nothing is merged or corrected.
/// Cost:     O(N |S|), plus a sort when the configurations outnumber 4096.
/// Source:   K. Pearson, Phil. Mag. 50, 1900; conditional form as in Spirtes, Glymour, Scheines
/// 2000.
///           Parity: causal-learn 0.1.2 chisq, p 1e-9 relative.
ChiSquareFinding chi_square(const CodeTable& table, std::size_t x, std::size_t y,
                            std::span<const std::size_t> given);

/// P(chi2 with df degrees of freedom >= statistic).
double chi_square_tail(double statistic, double df);

}  // namespace culprit::stats
