#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "culprit/base/random.h"

namespace culprit::stats {

/// How far two samples are from one distribution: the energy coefficient of inhomogeneity.
///
///   H = (2 E|X - Y| - E|X - X'| - E|Y - Y'|) / (2 E|X - Y|)
///
/// Shapes:   x: [N], y: [M], finite.   Units: none; H in [0, 1], 0 only for equal distributions.
/// Cost:     O((N + M) log(N + M)), by sorting: in one dimension the numerator is
///           2 integral (F_x - F_y)^2 and every mean distance a sum over gaps.
/// Refuses:  nothing; 0 for an empty sample or when all values are equal.
/// Source:   G. J. Szekely, M. L. Rizzo, Energy statistics, J. Stat. Plan. Inference 143, 2013.
double energy_inhomogeneity(std::span<const double> x, std::span<const double> y);

/// `count` random divisions of N + M rows into N and M, drawn once for all series over these rows.
/// Divisions stand side by side, `lanes` to a block, so that one pass over a series serves a block.
class RandomDivisions {
public:
    static constexpr std::size_t lanes = 16;

    /// Needs n > 0, m > 0, count > 0.
    RandomDivisions(std::size_t n, std::size_t m, std::size_t count, Random& random);

    std::size_t n() const { return n_; }
    std::size_t m() const { return m_; }
    std::size_t count() const { return count_; }
    std::size_t num_blocks() const { return (count_ + lanes - 1) / lanes; }
    /// For the divisions of one block: 1 where they put `row` into the first sample, 0 where into
    /// the second. The block's last lanes repeat a division if need be.
    const std::array<std::uint8_t, lanes>& at(std::size_t block, std::size_t row) const {
        return is_first_[block * (n_ + m_) + row];
    }

private:
    std::size_t n_;
    std::size_t m_;
    std::size_t count_;
    std::vector<std::array<std::uint8_t, lanes>> is_first_;
};

/// The same with the share of the divisions whose H is at least as large, the observed one counted.
/// Once that share must come out above `significance` the rest is left out (Besag and Clifford,
/// Sequential Monte Carlo p-values, Biometrika 78(2), 1991): `p_value` is then a lower bound that
/// is above `significance`.
///
/// Shapes: x: [divisions.n()], y: [divisions.m()], finite.
/// Cost:   O((N + M) (log(N + M) + count)): the values are sorted once. Divisions are compared in
///         single precision with a bound of its rounding, and in double where that leaves one open.
struct EnergyFinding {
    double inhomogeneity = 0.0;
    double p_value = 1.0;
};
EnergyFinding energy_permutation(std::span<const double> x, std::span<const double> y,
                                 const RandomDivisions& divisions, double significance = 1.0);

}  // namespace culprit::stats
