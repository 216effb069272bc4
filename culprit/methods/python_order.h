#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace culprit {

/// The order into which CPython 3.11 and later put numbers by sorted(..., reverse=True), as
/// indices. Without NaN that is the stable order by falling value. With NaN, for which every
/// comparison is false, the order depends on the sort's every step: natural runs, binary insertion
/// up to the minimum run, and galloping merges in the order of "powersort". The study ranked by
/// such lists.
///
/// Cost:   O(n log n) comparisons.
/// Source: T. Peters' description of the list sort (listsort.txt of CPython); J. I. Munro, S. Wild,
///         Nearly-Optimal Mergesorts, ESA 2018, for the merge order.
std::vector<std::size_t> python_falling_order(std::span<const double> values);

}  // namespace culprit
