#pragma once

#include <cstddef>
#include <vector>

namespace culprit {

/// The orthogonal matrix nearest to A: (A A')^(-1/2) A.
///
///   X <- A / b with b >= the largest singular value, then
///   X <- r/2 (3 X - r^2 X X' X),  r^2 = 3 / (1 + l + l^2),  l <- r/2 (3 l - r^2 l^3)
///   until X X' = I to 2^-50; l: the smallest singular value as far as the rows' lengths tell
///   (too large a guess costs steps, not digits).
///
/// Shapes:   a: p x p, column-major, in a square of stride `size_padded(p)` whose other rows and
///           columns are zero and stay so; overwritten with the answer.
/// Assumes:  finite values.
/// Cost:     two products of p x p a step; 6 to 9 steps at a spread of 100, at most 60. A matrix
///           that is singular in double precision goes through its eigenvectors instead.
/// Source:   Chen, Chow, A Stable Scaling of Newton-Schulz for Improving the Sign Function
///           Computation of a Hermitian Matrix, 2014; Higham, Functions of Matrices, ch. 8.
void replace_by_polar_factor(std::vector<double>& a, std::size_t p);

/// The next multiple of four.
constexpr std::size_t size_padded(std::size_t p) { return (p + 3) / 4 * 4; }

}  // namespace culprit
