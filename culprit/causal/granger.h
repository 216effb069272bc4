#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

struct GrangerOptions {
    std::size_t lag_max = 3;
    unsigned num_threads = 1;
    Stop stop = {};
};

/// One test: does the past of `cause` help predict `effect` beyond the effect's own past?
struct GrangerFinding {
    /// (RSS_r - RSS_u) / RSS_u; NaN when the test is not feasible.
    double gain = 0.0;
    std::size_t lag = 1;
    std::size_t num_rows = 0;            ///< n = N - lag
    std::size_t degrees_of_freedom = 0;  ///< n - number of independent regressors

    bool is_feasible() const { return gain >= 0.0; }
    double f() const;                 ///< F(lag, df)
    double chi_squared() const;       ///< n gain, chi-squared(lag)
    double likelihood_ratio() const;  ///< n ln(1 + gain), chi-squared(lag)
};

struct GrangerPValues {
    double f = 1.0;
    double chi_squared = 1.0;
    double likelihood_ratio = 1.0;
    /// Mean of the four p-values that statsmodels reports: the F test counts twice, as a comparison
    /// of residuals and as a test of the parameters.
    double mean_of_four() const { return (f + f + chi_squared + likelihood_ratio) / 4; }
};
/// All 1 when the test is not feasible.
GrangerPValues p_values(const GrangerFinding& finding);

/// All ordered pairs at all lags 1..lag_max.
class GrangerTable {
public:
    GrangerTable(std::size_t num_variables, std::size_t num_rows, std::size_t lag_max);
    std::size_t num_variables() const { return num_variables_; }
    std::size_t lag_max() const { return lag_max_; }
    GrangerFinding finding(std::size_t effect, std::size_t cause, std::size_t lag) const;
    void set(std::size_t effect, std::size_t cause, std::size_t lag, double gain,
             std::size_t lost_rank);

private:
    std::size_t slot(std::size_t effect, std::size_t cause, std::size_t lag) const {
        return (effect * num_variables_ + cause) * lag_max_ + lag - 1;
    }
    std::size_t num_variables_, num_rows_, lag_max_;
    std::vector<double> gain_;
    std::vector<std::uint8_t> lost_rank_;
};

/// Tests whether the past of each variable helps predict each other one (Granger 1969).
///
///   restricted:   y_t on y_{t-1} .. y_{t-p} and 1;   unrestricted: plus x_{t-1} .. x_{t-p}
///   F = ((RSS_r - RSS_u) / p) / (RSS_u / (n - 2p - 1)),  n = N - p, each lag p on its own rows
///
/// Shapes:   data: [N x v], finite, evenly sampled.   Units: cancel out.
/// Assumes:  stationary series, no unobserved common cause.
/// Method:   one matrix of co-moments of all lagged series per lag serves all pairs: the effect's
/// own
///           past is eliminated once per effect, each cause costs one p x p solve. RSS_r - RSS_u is
///           computed as such, not as a difference of sums. Where a pivot falls below 1e-6 of a
///           variance the pair is regressed anew by an orthogonal factorisation.
/// Cost:     O(N v^2 p^2) for the co-moments, O(v^2 p^3) for the solves.
/// Not feasible: a lagged series constant on its rows, RSS_u below 2^-52 of the total sum of
/// squares
///           (the rules of statsmodels), fewer than one degree of freedom. Collinear lags are
///           feasible: they lose rank, as with a pseudo-inverse.
/// Refuses:  N <= 3 lag_max + 1 (too_few_samples); deadline_exceeded or cancelled.
/// Source:   C. W. J. Granger, Econometrica 37(3), 1969.
/// Parity:   statsmodels 0.13.5 and 0.14.0 grangercausalitytests, p 1e-9 where lags are not
/// collinear.
Result<GrangerTable> granger(MatrixView data, const GrangerOptions& options = {});

}  // namespace culprit
