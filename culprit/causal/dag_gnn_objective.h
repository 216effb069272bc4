#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit {

/// Where each parameter of the auto-encoder lies in one flat vector.
struct DagGnnLayout {
    std::size_t num_variables = 0;
    std::size_t num_hidden = 0;

    std::size_t adjacency() const { return 0; }                           // A(i, j) at j * m + i
    std::size_t offset() const { return num_variables * num_variables; }  // w
    std::size_t encoder() const { return offset() + 1; }
    std::size_t decoder() const { return encoder() + network_size(); }
    std::size_t size() const { return decoder() + network_size(); }
    /// One network: input weights [k], input biases [k], output weights [k], output bias.
    std::size_t network_size() const { return 3 * num_hidden + 1; }
};

/// Loss and gradient of the DAG-GNN auto-encoder on fixed data; dag_gnn.h states the loss.
///
/// The exact mathematics without the work of a network:
/// * Each network maps one scalar to one scalar through ReLUs, so it is piecewise linear with at
/// most
///   num_hidden corners. The inputs of the encoder never change: sorted once, a corner is an index.
/// * Encoder, decoder and input are all piecewise linear in the input, so on each piece the
///   reconstruction error is a line, and its sums follow from running sums of 1, s and s^2. The
///   reconstruction term costs O(corners) instead of O(N m num_hidden).
/// * The bound's term is quadratic in the codes: with z = (x + w, 1) and M = (I - A1; -w 1'),
///   L = M'z, so value and gradient in M need only Z'Z, and the gradient in the codes is M M'Z.
/// * (I + T)^(m-1) by repeated squaring gives h and its gradient at once.
///
/// Not thread safe; one object per run.   Memory: O(N m + m^2).
class DagGnnObjective {
public:
    DagGnnObjective(MatrixView data, std::size_t num_hidden);

    const DagGnnLayout& layout() const { return layout_; }
    /// The loss at `parameters`; writes its gradient. Both spans have layout().size() entries.
    double evaluate(std::span<const double> parameters, double lambda, double c,
                    std::span<double> gradient);
    /// Of the last evaluation: |L|^2 / 2N + |Y - X|^2 / 2N, h, and A1(i, j).
    double elbo() const { return elbo_; }
    double acyclicity() const { return acyclicity_; }
    double weight(std::size_t i, std::size_t j) const { return a1_[j * stride_ + i]; }

private:
    void encode(const double* network);
    void code_term(std::span<const double> parameters, std::span<double> gradient);
    void prepare_decoder(const double* network);
    void reconstruct();
    void add_piece(std::size_t segment, std::size_t first, std::size_t last, std::size_t line);
    double acyclicity_term(double lambda, double c, std::span<double> gradient);

    DagGnnLayout layout_;
    std::size_t num_rows_;
    std::size_t stride_;      // variables + 1, rounded up to a multiple of four
    std::size_t num_padded_;  // rows rounded up to a multiple of four
    double scale_;            // 1 / N

    std::vector<double> sorted_;       // all inputs, ascending
    std::vector<std::uint32_t> slot_;  // where each lies in z_
    std::vector<double> sum_high_[2];  // running sums of s and s^2 ...
    std::vector<double> sum_low_[2];   // ... and what rounding took from them

    // A piecewise linear network: corners in order, and the line after each number of corners.
    struct Lines {
        std::vector<std::size_t> order;  // units by corner
        std::vector<double> slope;
        std::vector<double> intercept;
    };
    Lines encoder_;
    Lines decoder_;
    std::vector<std::size_t> corner_index_;  // per encoder unit: first index beyond its corner
    std::vector<double> corner_value_;       // per decoder unit
    std::vector<double> corner_sorted_;      // decoder corners in order

    // Sums over the lines of upstream gradients, and of gradients times input.
    std::vector<double> encoder_sum_;
    std::vector<double> encoder_moment_;
    std::vector<double> decoder_sum_;
    std::vector<double> decoder_moment_;

    std::vector<double> z_;  // stride x padded rows
    std::vector<double> z_grad_;
    std::vector<double> a1_;       // stride x stride, as all below
    std::vector<double> mixing_;   // M
    std::vector<double> moments_;  // Z Z'
    std::vector<double> product_;
    std::vector<double> base_;
    std::vector<double> power_;
    std::vector<double> scratch_;

    double elbo_ = 0.0;
    double reconstruction_ = 0.0;
    double acyclicity_ = 0.0;
};

}  // namespace culprit
