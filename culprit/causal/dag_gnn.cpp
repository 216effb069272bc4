#include "culprit/causal/dag_gnn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "culprit/base/random.h"
#include "culprit/causal/dag_gnn_objective.h"

namespace culprit {
namespace {

constexpr double learning_rate = 1e-3;
constexpr double learning_rate_min = 1e-4;
constexpr double learning_rate_max = 1e-2;

// Kingma and Ba, ICLR 2015, with the constants of the reference (0.9, 0.999, 1e-8).
class Adam {
public:
    explicit Adam(std::size_t size) : mean_(size, 0.0), square_(size, 0.0) {}

    void step(std::vector<double>& parameters, const std::vector<double>& gradient, double rate) {
        mean_decay_ *= 0.9;
        square_decay_ *= 0.999;
        const double step_size = rate / (1.0 - mean_decay_);
        const double root = std::sqrt(1.0 - square_decay_);
        double* value = parameters.data();
        const double* g = gradient.data();
        double* mean = mean_.data();
        double* square = square_.data();
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            mean[i] = 0.9 * mean[i] + 0.1 * g[i];
            square[i] = 0.999 * square[i] + 0.001 * (g[i] * g[i]);
            value[i] -= step_size * mean[i] / (std::sqrt(square[i]) / root + 1e-8);
        }
    }

private:
    std::vector<double> mean_;
    std::vector<double> square_;
    double mean_decay_ = 1.0;
    double square_decay_ = 1.0;
};

// The reference draws in single precision.
double single(double value) { return static_cast<double>(static_cast<float>(value)); }

std::vector<double> initial_parameters(const DagGnnLayout& layout, std::uint64_t seed) {
    std::vector<double> parameters(layout.size(), 0.0);
    Random random(seed);
    const auto hidden = static_cast<double>(layout.num_hidden);
    const double xavier = std::sqrt(2.0 / (1.0 + hidden));
    const auto uniform = [&](double bound) {
        return single(bound * (2.0 * random.uniform() - 1.0));
    };
    for (const std::size_t start : {layout.encoder(), layout.decoder()}) {
        const bool has_biases = start == layout.encoder();  // the decoder's start at zero
        double* network = parameters.data() + start;
        for (std::size_t u = 0; u < layout.num_hidden; ++u) {
            network[u] = single(xavier * random.normal());
            network[layout.num_hidden + u] = has_biases ? uniform(1.0) : 0.0;
            network[2 * layout.num_hidden + u] = single(xavier * random.normal());
        }
        network[3 * layout.num_hidden] = has_biases ? uniform(1.0 / std::sqrt(hidden)) : 0.0;
    }
    return parameters;
}

// One run: parameters, optimiser and the augmented Lagrangian's state.
class Training {
public:
    Training(MatrixView data, const DagGnnOptions& options)
        : options_(options),
          objective_(data, options.num_hidden),
          parameters_(initial_parameters(objective_.layout(), options.seed)),
          gradient_(parameters_.size()),
          adam_(parameters_.size()) {}

    Status run(const Stop& stop) {
        double h = 1.0;
        double h_old = std::numeric_limits<double>::infinity();
        for (int round = 0; round < options_.rounds_max; ++round) {
            while (c_ < options_.penalty_max) {
                CULPRIT_TRY_STATUS(run_epochs(stop));
                if (objective_.elbo() > 2.0 * best_elbo_) break;
                h = objective_.acyclicity();
                if (h <= 0.25 * h_old) break;
                c_ *= 10.0;
            }
            h_old = h;
            lambda_ += c_ * h;
            if (h <= options_.acyclicity_max) break;
        }
        return {};
    }

    DagGnnFinding finding() const {
        const std::size_t m = objective_.layout().num_variables;
        DagGnnFinding result = {Matrix(m, m), num_epochs_, objective_.acyclicity(),
                                objective_.elbo()};
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < m; ++j) {
                const double weight = objective_.weight(i, j);
                result.weights(i, j) = std::abs(weight) < options_.weight_min ? 0.0 : weight;
            }
        return result;
    }

private:
    Status run_epochs(const Stop& stop) {
        for (int epoch = 0; epoch < options_.epochs_per_round; ++epoch) {
            CULPRIT_TRY_STATUS(stop.check());
            const double rate = std::clamp(learning_rate / (std::log10(c_) + 1e-10),
                                           learning_rate_min, learning_rate_max);
            const double loss = objective_.evaluate(parameters_, lambda_, c_, gradient_);
            ++num_epochs_;
            if (!std::isfinite(loss))
                return fail(ErrorCode::numerical,
                            fmt::format("DAG-GNN needs a finite loss, got {} in epoch {}", loss,
                                        num_epochs_));
            best_elbo_ = std::min(best_elbo_, objective_.elbo());
            adam_.step(parameters_, gradient_, rate);
        }
        return {};
    }

    DagGnnOptions options_;
    DagGnnObjective objective_;
    std::vector<double> parameters_;
    std::vector<double> gradient_;
    Adam adam_;
    std::size_t num_epochs_ = 0;
    double lambda_ = 0.0;
    double c_ = 1.0;
    double best_elbo_ = std::numeric_limits<double>::infinity();
};

}  // namespace

Result<DagGnnFinding> dag_gnn(MatrixView data, const DagGnnOptions& options, const Stop& stop) {
    if (data.num_columns() < 2 || data.num_rows() < 1)
        return fail(ErrorCode::too_few_samples,
                    fmt::format("DAG-GNN needs two variables and a sample, got {} and {}",
                                data.num_columns(), data.num_rows()));
    Training training(data, options);
    CULPRIT_TRY_STATUS(training.run(stop));
    return training.finding();
}

}  // namespace culprit
