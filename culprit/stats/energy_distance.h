#pragma once

#include <cstddef>
#include <span>

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

/// The same with the share of `num_permutations` random divisions of all values into two samples of
/// these sizes whose H is at least as large, the observed division counted too.
///
/// Cost: O((N + M) (log(N + M) + num_permutations)): the values are sorted once.
struct EnergyFinding {
    double inhomogeneity = 0.0;
    double p_value = 1.0;
};
EnergyFinding energy_permutation(std::span<const double> x, std::span<const double> y,
                                 std::size_t num_permutations, Random& random);

}  // namespace culprit::stats
