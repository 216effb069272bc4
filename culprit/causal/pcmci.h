#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

struct PcmciOptions {
    std::size_t lag_max = 10;
    double pc_alpha = 0.1;  ///< of the condition selection
    double alpha = 0.05;    ///< of the graph
    unsigned num_threads = 1;
};

/// Variable `variable`, `lag` steps earlier.
struct Lagged {
    std::size_t variable = 0;
    std::size_t lag = 0;
    friend bool operator==(const Lagged&, const Lagged&) = default;
};

enum class LagLink : std::uint8_t {
    none,
    causes,      ///< source -> target
    is_caused,   ///< target -> source, at lag 0 only
    undirected,  ///< both directions significant at lag 0
};

struct PcmciFinding {
    std::size_t num_variables = 0;
    std::size_t lag_max = 0;
    std::vector<double> values;                ///< partial correlations
    std::vector<double> p_values;              ///< NaN where no degree of freedom was left
    std::vector<std::vector<Lagged>> parents;  ///< per target, strongest first
    std::size_t num_tests = 0;
    std::size_t num_near_alpha = 0;  ///< graph tests with p within a factor of two of alpha
    double alpha = 0.05;

    /// Source at `lag` before the target; slot of `values` and `p_values`.
    std::size_t slot(std::size_t source, std::size_t target, std::size_t lag) const {
        return (source * num_variables + target) * (lag_max + 1) + lag;
    }
    LagLink link(std::size_t source, std::size_t target, std::size_t lag) const;
};

/// Lagged causal graph by condition selection (PC1) and momentary conditional independence.
///
///   Samples t = 2 lag_max .. N-1 for every test, so all tests share one correlation matrix of the
///   variables lagged by 0 .. 2 lag_max, each standardised over its own rows.
///   PC1, target j: candidates (i, tau), tau = 1..lag_max; round k: test each given the first k
///   others of the list; not p <= pc_alpha removes it after the round; sort by the least |r| seen.
///   MCI: (i, tau) and j given parents(j) \ {(i, tau)} and parents(i) shifted by tau.
///   p: t test with n - 2 - |Z| degrees of freedom; fewer than one gives NaN, which is no link.
///
/// Shapes:   data: N x p, finite, evenly sampled.
/// Assumes:  no hidden common cause, stationarity, linear dependence.
/// Cost:     O((p lag_max)^2 N) for the correlations, then O(p^2 lag_max) factorisations of the
///           number of conditions; where a factorisation loses more than seven digits the test is
///           repeated by least squares on the samples.
/// Refuses:  N <= 2 lag_max + 2 (too_few_samples); a correlation matrix above 2 GiB
/// (invalid_input);
///           a stop request. A variable that is constant over a test's rows gives r = 0, p = 1.
/// Source:   Runge, Nowack, Kretschmer, Flaxman, Sejdinovic, Science Advances 5(11), 2019.
///           Parity: tigramite 5.2 run_pcmci with ParCorr: p 1e-8, parents and graph equal.
/// Differs:  what its conditions determine within rounding is independent (p = 1) here.
Result<PcmciFinding> pcmci(MatrixView data, const PcmciOptions& options, const Stop& stop);

}  // namespace culprit
