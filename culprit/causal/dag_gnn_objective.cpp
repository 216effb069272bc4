#include "culprit/causal/dag_gnn_objective.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "culprit/base/check.h"
#include "culprit/causal/small_product.h"

namespace culprit {
namespace {

constexpr double diagonal_penalty = 100.0;

std::size_t round_up_to_four(std::size_t n) { return (n + 3) / 4 * 4; }

// What a + b lost to rounding (Knuth's two-sum).
double lost_in_sum(double a, double b, double sum) {
    const double part = sum - a;
    return (a - (sum - part)) + (b - part);
}

// sinh within a few 2^-53: its series up to y^19 is exact to rounding on [-1, 1].
void sinh_of(const double* y, double* out, std::size_t n) {
    constexpr double c[] = {1.0 / 6.0,
                            1.0 / 120.0,
                            1.0 / 5040.0,
                            1.0 / 362880.0,
                            1.0 / 39916800.0,
                            1.0 / 6227020800.0,
                            1.0 / 1307674368000.0,
                            1.0 / 355687428096000.0,
                            1.0 / 121645100408832000.0};
    double largest = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        const double u = y[i] * y[i];
        double tail = c[8];
        for (int k = 7; k >= 0; --k) tail = tail * u + c[k];
        out[i] = y[i] + y[i] * (u * tail);
        largest = u > largest ? u : largest;
    }
    if (largest <= 1.0) return;
    for (std::size_t i = 0; i < n; ++i)
        if (std::abs(y[i]) > 1.0) out[i] = std::sinh(y[i]);
}

// Re-sorts an order that was right a moment ago: insertion sort by key, ties by unit.
template <class Key>
void sort_again(std::vector<std::size_t>& order, const std::vector<Key>& key) {
    for (std::size_t i = 1; i < order.size(); ++i) {
        const std::size_t unit = order[i];
        std::size_t k = i;
        for (; k > 0 && (key[unit] < key[order[k - 1]] ||
                         (key[unit] == key[order[k - 1]] && unit < order[k - 1]));
             --k)
            order[k] = order[k - 1];
        order[k] = unit;
    }
}

// The line of a network before its first corner and after each one.
void lines_of(const double* network, std::size_t num_hidden, const std::vector<std::size_t>& order,
              std::vector<double>& slope, std::vector<double>& intercept) {
    const double* weight = network;
    const double* bias = network + num_hidden;
    const double* out = network + 2 * num_hidden;
    slope[0] = 0.0;
    intercept[0] = network[3 * num_hidden];
    for (std::size_t u = 0; u < num_hidden; ++u) {
        if (!(weight[u] < 0.0)) continue;  // only falling units are active far to the left
        slope[0] += out[u] * weight[u];
        intercept[0] += out[u] * bias[u];
    }
    for (std::size_t k = 0; k < num_hidden; ++k) {
        const std::size_t u = order[k];
        const double sign = weight[u] < 0.0 ? -1.0 : 1.0;
        slope[k + 1] = slope[k] + sign * out[u] * weight[u];
        intercept[k + 1] = intercept[k] + sign * out[u] * bias[u];
    }
}

// Gradient of one network from the sums over its lines.
void network_gradient(const double* network, std::size_t num_hidden,
                      const std::vector<std::size_t>& order, const std::vector<double>& sum,
                      const std::vector<double>& moment, double scale, double* gradient) {
    double total_sum = 0.0;
    double total_moment = 0.0;
    for (std::size_t k = 0; k <= num_hidden; ++k) {
        total_sum += sum[k];
        total_moment += moment[k];
    }
    double left_sum = 0.0;
    double left_moment = 0.0;
    for (std::size_t k = 0; k < num_hidden; ++k) {
        left_sum += sum[k];
        left_moment += moment[k];
        const std::size_t u = order[k];
        const double weight = network[u];
        const double bias = network[num_hidden + u];
        const double out = network[2 * num_hidden + u];
        const bool falls = weight < 0.0;
        const double active_sum = scale * (falls ? left_sum : total_sum - left_sum);
        const double active_moment = scale * (falls ? left_moment : total_moment - left_moment);
        gradient[u] = out * active_moment;
        gradient[num_hidden + u] = out * active_sum;
        gradient[2 * num_hidden + u] = weight * active_moment + bias * active_sum;
    }
    gradient[3 * num_hidden] = scale * total_sum;
}

}  // namespace

DagGnnObjective::DagGnnObjective(MatrixView data, std::size_t num_hidden)
    : layout_{data.num_columns(), num_hidden},
      num_rows_(data.num_rows()),
      stride_(round_up_to_four(data.num_columns() + 1)),
      num_padded_(round_up_to_four(data.num_rows())),
      scale_(1.0 / static_cast<double>(data.num_rows())) {
    const std::size_t m = layout_.num_variables;
    const std::size_t num = num_rows_ * m;
    CULPRIT_CHECK(m > 0 && num_rows_ > 0 && num_hidden > 0 && num < UINT32_MAX);
    std::vector<std::uint32_t> order(num);
    std::iota(order.begin(), order.end(), 0U);
    const auto value = [&](std::uint32_t k) { return data(k / m, k % m); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return value(a) < value(b); });
    for (int k = 0; k < 2; ++k) {
        sum_high_[k].assign(num + 1, 0.0);
        sum_low_[k].assign(num + 1, 0.0);
    }
    for (std::size_t i = 0; i < num; ++i) {
        const double s = value(order[i]);
        sorted_.push_back(s);
        slot_.push_back(static_cast<std::uint32_t>(order[i] / m * stride_ + order[i] % m));
        const double terms[2] = {s, s * s};
        for (int k = 0; k < 2; ++k) {
            const double before = sum_high_[k][i];
            const double after = before + terms[k];
            sum_high_[k][i + 1] = after;
            sum_low_[k][i + 1] = sum_low_[k][i] + lost_in_sum(before, terms[k], after);
        }
    }
    for (Lines* lines : {&encoder_, &decoder_}) {
        lines->order.resize(num_hidden);
        std::iota(lines->order.begin(), lines->order.end(), std::size_t{0});
        lines->slope.resize(num_hidden + 1);
        lines->intercept.resize(num_hidden + 1);
    }
    corner_index_.assign(num_hidden, 0);
    corner_value_.assign(num_hidden, 0.0);
    corner_sorted_.assign(num_hidden, 0.0);
    for (auto* sums : {&encoder_sum_, &encoder_moment_, &decoder_sum_, &decoder_moment_})
        sums->assign(num_hidden + 1, 0.0);
    z_.assign(stride_ * num_padded_, 0.0);
    z_grad_.assign(z_.size(), 0.0);
    for (std::size_t n = 0; n < num_rows_; ++n) z_[n * stride_ + m] = 1.0;
    for (auto* square : {&a1_, &mixing_, &moments_, &product_, &base_, &power_, &scratch_})
        square->assign(stride_ * stride_, 0.0);
}

// Codes of all inputs, plus w, into z_; the lines and corners of the encoder.
void DagGnnObjective::encode(const double* network) {
    const std::size_t num = sorted_.size();
    const std::size_t hidden = layout_.num_hidden;
    for (std::size_t u = 0; u < hidden; ++u) {
        const double weight = network[u];
        const double bias = network[hidden + u];
        const bool falls = weight < 0.0;
        // Rounding is monotone, so the computed activation changes sign once along the inputs.
        const auto is_left = [&](double s) { return (weight * s + bias > 0.0) == falls; };
        std::size_t& corner = corner_index_[u];
        const bool still_right = (corner == 0 || is_left(sorted_[corner - 1])) &&
                                 (corner == num || !is_left(sorted_[corner]));
        if (!still_right)
            corner = static_cast<std::size_t>(
                std::partition_point(sorted_.begin(), sorted_.end(), is_left) - sorted_.begin());
    }
    sort_again(encoder_.order, corner_index_);
    lines_of(network, hidden, encoder_.order, encoder_.slope, encoder_.intercept);
}

void DagGnnObjective::prepare_decoder(const double* network) {
    const std::size_t hidden = layout_.num_hidden;
    for (std::size_t u = 0; u < hidden; ++u) {
        const double weight = network[u];
        const double bias = network[hidden + u];
        if (weight != 0.0)
            corner_value_[u] = -bias / weight;
        else  // active everywhere or nowhere
            corner_value_[u] = bias > 0.0 ? -std::numeric_limits<double>::infinity()
                                          : std::numeric_limits<double>::infinity();
    }
    sort_again(decoder_.order, corner_value_);
    for (std::size_t k = 0; k < hidden; ++k) corner_sorted_[k] = corner_value_[decoder_.order[k]];
    lines_of(network, hidden, decoder_.order, decoder_.slope, decoder_.intercept);
}

// Sums of the reconstruction error over the inputs [first, last), where encoder and decoder are one
// line each.
void DagGnnObjective::add_piece(std::size_t segment, std::size_t first, std::size_t last,
                                std::size_t line) {
    const auto between = [&](int k) {
        return (sum_high_[k][last] - sum_high_[k][first]) +
               (sum_low_[k][last] - sum_low_[k][first]);
    };
    const auto s0 = static_cast<double>(last - first);
    const double s1 = between(0);
    const double s2 = between(1);
    const double slope = encoder_.slope[segment];
    const double intercept = encoder_.intercept[segment];
    const double gamma = decoder_.slope[line];
    const double e1 = gamma * slope - 1.0;
    const double e0 = gamma * intercept + decoder_.intercept[line];
    const double error = e1 * s1 + e0 * s0;
    const double error_input = e1 * s2 + e0 * s1;
    reconstruction_ += e1 * error_input + e0 * error;
    decoder_sum_[line] += error;
    decoder_moment_[line] += slope * error_input + intercept * error;
    encoder_sum_[segment] += gamma * error;
    encoder_moment_[segment] += gamma * error_input;
}

// Walks the encoder's segments from left to right and cuts each where the code passes a corner of
// the decoder.
void DagGnnObjective::reconstruct() {
    const std::size_t hidden = layout_.num_hidden;
    const auto& corners = corner_sorted_;
    std::size_t line = 0;
    for (std::size_t segment = 0; segment <= hidden; ++segment) {
        std::size_t first = segment == 0 ? 0 : corner_index_[encoder_.order[segment - 1]];
        const std::size_t last =
            segment == hidden ? sorted_.size() : corner_index_[encoder_.order[segment]];
        if (first >= last) continue;
        const double slope = encoder_.slope[segment];
        const double intercept = encoder_.intercept[segment];
        const auto code = [&](double s) { return slope * s + intercept; };
        const double final_code = code(sorted_[last - 1]);
        while (first < last) {
            const double here = code(sorted_[first]);
            while (line < hidden && here > corners[line]) ++line;
            while (line > 0 && here <= corners[line - 1]) --line;
            const bool leaves_up = line < hidden && final_code > corners[line];
            const bool leaves_down = line > 0 && final_code <= corners[line - 1];
            std::size_t cut = last;
            if (leaves_up || leaves_down) {
                const auto stays = [&](double s) {
                    return leaves_up ? code(s) <= corners[line] : code(s) > corners[line - 1];
                };
                cut = static_cast<std::size_t>(
                    std::partition_point(sorted_.begin() + static_cast<long>(first) + 1,
                                         sorted_.begin() + static_cast<long>(last), stays) -
                    sorted_.begin());
            }
            add_piece(segment, first, cut, line);
            first = cut;
        }
    }
}

// The term |L|^2 / 2N: its value, its gradient in A and w, and, per encoder line, in the codes.
void DagGnnObjective::code_term(std::span<const double> parameters, std::span<double> gradient) {
    const std::size_t m = layout_.num_variables;
    const double offset = parameters[layout_.offset()];
    const std::size_t hidden = layout_.num_hidden;
    const auto range = [&](std::size_t segment) {
        return std::pair(
            segment == 0 ? 0 : corner_index_[encoder_.order[segment - 1]],
            segment == hidden ? sorted_.size() : corner_index_[encoder_.order[segment]]);
    };
    for (std::size_t segment = 0; segment <= hidden; ++segment) {
        const auto [first, last] = range(segment);
        const double slope = encoder_.slope[segment];
        const double intercept = encoder_.intercept[segment] + offset;
        for (std::size_t i = first; i < last; ++i) z_[slot_[i]] = slope * sorted_[i] + intercept;
    }
    for (std::size_t j = 0; j < m; ++j) {
        for (std::size_t i = 0; i < m; ++i)
            mixing_[j * stride_ + i] = (i == j ? 1.0 : 0.0) - a1_[j * stride_ + i];
        mixing_[j * stride_ + m] = -offset;
    }
    const std::size_t s = stride_;
    SmallProduct{s, s, num_rows_, s, s, 1}.run(z_.data(), z_.data(), moments_.data());     // Z Z'
    SmallProduct{s, s, s, s, 1, s}.run(moments_.data(), mixing_.data(), product_.data());  // Z Z' M
    SmallProduct{s, s, m, s, s, 1}.run(mixing_.data(), mixing_.data(), scratch_.data());   // M M'
    SmallProduct{s, num_padded_, s, s, 1, s}.run(scratch_.data(), z_.data(), z_grad_.data());

    double value = 0.0;
    double offset_gradient = 0.0;
    for (std::size_t j = 0; j < m; ++j) {
        const double* column = product_.data() + j * s;
        double* target = gradient.data() + layout_.adjacency() + j * m;
        for (std::size_t i = 0; i <= m; ++i) value += mixing_[j * s + i] * column[i];
        for (std::size_t i = 0; i < m; ++i) target[i] = -scale_ * column[i];
        offset_gradient -= column[m];
    }
    for (std::size_t segment = 0; segment <= hidden; ++segment) {
        const auto [first, last] = range(segment);
        double sum = 0.0;
        double moment = 0.0;
        for (std::size_t i = first; i < last; ++i) {
            const double g = z_grad_[slot_[i]];
            sum += g;
            moment += g * sorted_[i];
        }
        encoder_sum_[segment] += sum;
        encoder_moment_[segment] += moment;
        offset_gradient += sum;
    }
    gradient[layout_.offset()] = scale_ * offset_gradient;
    elbo_ = 0.5 * scale_ * value;
}

// lambda h + c h^2 / 2 + the diagonal's penalty; adds to the gradient in A1, then turns it into one
// in A: dA1 / dA = 3 cosh(3 A) = 3 sqrt(1 + A1^2).
double DagGnnObjective::acyclicity_term(double lambda, double c, std::span<double> gradient) {
    const std::size_t m = layout_.num_variables;
    const std::size_t s = stride_;
    const double inverse = 1.0 / static_cast<double>(m);
    for (std::size_t j = 0; j < m; ++j)
        for (std::size_t i = 0; i < m; ++i)
            base_[j * s + i] = (i == j ? 1.0 : 0.0) + a1_[j * s + i] * a1_[j * s + i] * inverse;
    // power = base^(m - 1), most significant bit first.
    const SmallProduct product{s, s, m, s, 1, s};
    const std::size_t exponent = m - 1;
    power_ = base_;
    if (exponent == 0) {
        std::fill(power_.begin(), power_.end(), 0.0);
        for (std::size_t i = 0; i < m; ++i) power_[i * s + i] = 1.0;
    }
    int bit = 62;
    while (bit > 0 && (exponent >> bit) == 0) --bit;
    for (int b = bit - 1; b >= 0 && exponent > 1; --b) {
        product.run(power_.data(), power_.data(), scratch_.data());
        power_.swap(scratch_);
        if (((exponent >> b) & 1U) == 0) continue;
        product.run(power_.data(), base_.data(), scratch_.data());
        power_.swap(scratch_);
    }
    double trace = 0.0;
    for (std::size_t j = 0; j < m; ++j)
        for (std::size_t i = 0; i < m; ++i) trace += power_[i * s + j] * base_[j * s + i];
    acyclicity_ = trace - static_cast<double>(m);
    const double slope = 2.0 * (lambda + c * acyclicity_);
    double diagonal = 0.0;
    for (std::size_t j = 0; j < m; ++j) {
        double* target = gradient.data() + layout_.adjacency() + j * m;
        const double* weight = a1_.data() + j * s;
        diagonal += weight[j] * weight[j];
        target[j] += 2.0 * diagonal_penalty * weight[j];
        for (std::size_t i = 0; i < m; ++i) {
            const double in_a1 = target[i] + slope * weight[i] * power_[i * s + j];
            target[i] = 3.0 * std::sqrt(1.0 + weight[i] * weight[i]) * in_a1;
        }
    }
    return lambda * acyclicity_ + 0.5 * c * acyclicity_ * acyclicity_ + diagonal_penalty * diagonal;
}

double DagGnnObjective::evaluate(std::span<const double> parameters, double lambda, double c,
                                 std::span<double> gradient) {
    CULPRIT_CHECK(parameters.size() == layout_.size() && gradient.size() == layout_.size());
    const std::size_t m = layout_.num_variables;
    const double* encoder = parameters.data() + layout_.encoder();
    const double* decoder = parameters.data() + layout_.decoder();
    for (std::size_t j = 0; j < m; ++j) {
        double* column = scratch_.data();
        for (std::size_t i = 0; i < m; ++i) column[i] = 3.0 * parameters[j * m + i];
        sinh_of(column, a1_.data() + j * stride_, m);
    }
    for (auto* sums : {&encoder_sum_, &encoder_moment_, &decoder_sum_, &decoder_moment_})
        std::fill(sums->begin(), sums->end(), 0.0);
    reconstruction_ = 0.0;
    encode(encoder);
    prepare_decoder(decoder);
    reconstruct();
    code_term(parameters, gradient);
    elbo_ += 0.5 * scale_ * reconstruction_;
    network_gradient(encoder, layout_.num_hidden, encoder_.order, encoder_sum_, encoder_moment_,
                     scale_, gradient.data() + layout_.encoder());
    network_gradient(decoder, layout_.num_hidden, decoder_.order, decoder_sum_, decoder_moment_,
                     scale_, gradient.data() + layout_.decoder());
    return elbo_ + acyclicity_term(lambda, c, gradient);
}

}  // namespace culprit
