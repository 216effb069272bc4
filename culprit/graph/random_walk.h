#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"

namespace culprit {

/// The study's "random walk": because its node scores start at 0, every step is a uniform draw from
/// all nodes, and the generator always starts from seed 0. The graph has no influence; the answer
/// is a function of n and the number of steps alone. Returns visits / steps per node.
///
/// Cost: O(num_steps log n).   Parity: exact, draw by draw (numpy default_rng(0),
/// Generator.choice).
std::vector<double> uniform_walk_from_seed_zero(std::size_t num_nodes, std::size_t num_steps);
/// The nodes drawn, in order.
std::vector<std::size_t> uniform_draws_from_seed_zero(std::size_t num_nodes, std::size_t num_steps);

/// Weights of the walk that the root-cause papers describe: from a node the walker goes to a cause
/// with weight s(cause), back to an effect with rho s(effect), and stays with
/// max(0, s(v) - largest weight of going elsewhere).
///
/// Shapes:   causes: [n x n], causes(v, c) != 0 iff c is a (possible) cause of v; scores: [n] >= 0,
///           usually |correlation with the symptom|. Returns [n x n] weights, rows not normalised.
/// Source:   Kim, Sumbaly, Shah, SIGMETRICS 2013 (MonitorRank); Wang et al., CCGRID 2018
///           (CloudRanger).
Matrix cause_walk_weights(MatrixView causes, std::span<const double> scores, double rho);

/// How often a walk of `num_steps` steps from `start` is expected to enter each node, divided by
/// the number of steps: the exact mean of the simulation, without chance.
///
///   visits = sum_{t=1..num_steps} e_start Q^t,  Q = rows of the weights divided by their sums; a
///   row of zeros ends the walk
///
/// Cost:     O(num_steps * number of non-zero weights).
/// Refuses:  negative or non-finite weights (invalid_input).
Result<std::vector<double>> expected_visits(MatrixView weights, std::size_t start,
                                            std::size_t num_steps);

}  // namespace culprit
