#pragma once

#include <cstddef>
#include <cstdint>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

struct DagGnnOptions {
    std::size_t num_hidden = 64;
    int epochs_per_round = 500;
    int rounds_max = 100;          ///< of the augmented Lagrangian
    double acyclicity_max = 1e-8;  ///< ends when h is at most this
    double penalty_max = 1e20;     ///< bound of c
    double weight_min = 0.3;       ///< smaller weights are no edges
    std::uint64_t seed = 0;
};

struct DagGnnFinding {
    Matrix weights;  ///< m x m; weights(i, j) != 0: i -> j
    std::size_t num_epochs = 0;
    double acyclicity = 0.0;  ///< h of the last epoch; 0 for an acyclic graph
    double elbo = 0.0;        ///< the negative evidence bound of the last epoch
};

/// Learns a weighted acyclic graph by the auto-encoder of DAG-GNN, as CausalRCA trains it.
///
///   A1 = sinh(3 A);  x = f(X) per scalar;  L = (I - A1') (x + w) - w;  Y = g(x);
///   loss = |L|^2 / 2N + |Y - X|^2 / 2N + lambda h + c h^2 / 2 + 100 sum_i A1_ii^2,
///   h = tr (I + A1.A1 / m)^m - m;  f, g: 1 -> 64 -> 1 with ReLU.  Adam on A, w, f, g;
///   the outer loop raises c tenfold while h falls by less than a factor of four.
///   dag_gnn_objective.h says how one epoch avoids the network.
///
/// Shapes:   data: N x m, finite, columns of order one.
/// Assumes:  x = A1' x + noise; the decoder's argument equals the encoder's value (the published
///           model multiplies by a matrix and its inverse in between).
/// Cost:     500 epochs per round, some 20 rounds; O(N m^2 + m^3 log m + N m) each.
/// Refuses:  fewer than two variables or one sample (too_few_samples); a loss that is not finite
///           (numerical); a stop request.
/// Source:   Yu, Chen, Gao, Yu, ICML 2019; Xin, Chen, Zhao, J. Syst. Softw. 203, 2023.
///           Parity: PyTorch's run depends on its seed; loss and gradient equal the textbook form
///           to 1e-9, the number of epochs and the final bound are of the recorded run's size.
Result<DagGnnFinding> dag_gnn(MatrixView data, const DagGnnOptions& options, const Stop& stop);

}  // namespace culprit
