#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "culprit/base/random.h"

namespace culprit::stats {

/// `count` draws of N rows out of N with replacement, made once for all series of these rows.
class Resamples {
public:
    /// Needs N > 0, count > 1.
    Resamples(std::size_t num_rows, std::size_t count, Random& random);

    std::size_t num_rows() const { return num_rows_; }
    std::size_t count() const { return rows_.size() / num_rows_; }
    std::span<const std::uint32_t> rows(std::size_t resample) const {
        return std::span(rows_).subspan(resample * num_rows_, num_rows_);
    }

private:
    std::size_t num_rows_;
    std::vector<std::uint32_t> rows_;
};

/// Whether `statistic` is larger than the quantile q of the squared correlations between all pairs
/// of resamples of one series. A resample that is constant correlates with none.
///
///   R_ij = (sum_t z_it z_jt)^2, z_i = resample i, centred, of length 1, i < j;  statistic > Q_q(R)
///
/// Shapes:   values: [resamples.num_rows()], finite.   Units: none.
/// Cost:     O(B^2 N) for B resamples, by products of rows in single precision; it ends as soon as
///           enough pairs lie above, so that a statistic within the bulk costs a small part of
///           that. Every pair's rounding error is bounded (Cauchy-Schwarz); where the bound leaves
///           the answer open, all pairs are computed again in double precision.
/// Refuses:  nothing.
/// Parity:   numpy quantile of the pairs, as in the study's e_diagnosis.
bool exceeds_resampled_correlation(double statistic, std::span<const double> values,
                                   const Resamples& resamples, double q);

}  // namespace culprit::stats
