#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace culprit::stats {

/// How far a series moved away from its own past, in robust units of that past.
///
///   location = median of the baseline
///   scale    = max(1.4826 mad_factor MAD, spread_share * standard deviation)
///              + relative_floor * |location|
///   score    = (mean of the suspect values - location) / scale
///
/// The median and the MAD survive a baseline of which almost half is contaminated (a late alert, a
/// spike); the share of the standard deviation keeps a series that is constant most of the time
/// (MAD 0) from looking infinitely quiet; the floor, relative to the size of the quantity itself,
/// keeps a near-constant series from winning with a change that nobody would feel. The suspect side
/// is a mean, because a fault that touches a tenth of the window should count for a tenth.
///
/// Shapes:   baseline [n0], suspect [n1]; NaN = missing and skipped.   Units: those of the series.
/// Assumes:  nothing about the distribution; at most half of the baseline is contaminated.
/// Cost:     O(n0 + n1) expected time, O(n0) scratch.
/// Refuses:  n0 < 2 or n1 < 1 finite values: nothing.
/// Source:   median and MAD as in P. J. Huber, Robust Statistics, 1981; the floor is ours.
struct ShiftOptions {
    double relative_floor = 0.05;  ///< 5 %: a change below it rarely matters to a service
    double spread_share = 0.3;
    double mad_factor = 1.0;  ///< for values of which a known share is zero by construction
};

struct Shift {
    double location = 0.0;
    double scale = 0.0;  ///< floor included; 0 for an all-zero baseline
    double suspect_mean = 0.0;
    double score = 0.0;  ///< signed; 0 when scale is 0
    std::size_t num_baseline = 0;
    std::size_t num_suspect = 0;
};

std::optional<Shift> robust_shift(std::span<const double> baseline, std::span<const double> suspect,
                                  std::vector<double>& scratch, const ShiftOptions& options = {});

/// The farthest that the mean of `length` successive values strayed from the location, in scales:
/// what chance, bursts and heavy tails do by themselves. A length beyond half of the values is cut
/// to that; 0 where the scale is 0.
///
/// Shapes: values [n]; NaN = missing and skipped.   Cost: O(n).
double excursion(std::span<const double> values, double location, double scale, std::size_t length);

/// The quiet time without the beginning of a change that was noticed late: the rows up to the last
/// that lies on this side of half the change, but two thirds of them at least.
std::span<const double> before_change(std::span<const double> values, double location,
                                      double change);

/// When a series left its baseline: the start of the segment with the largest likelihood ratio for
/// a mean moved by `shift` (Page 1954), and the starts that the data cannot tell from it.
///
///   C_t = sum_{i<=t} shift/scale^2 (x_i - location - shift/2);  onset, end = argmax_{s<e} C_e -
///   C_s interval: starts s with C_e - C_s >= maximum - 3.68 (95 %, from (1 - e^-x)^2)
///
/// Values are winsorised at location +- 3 |shift| so that one spike decides nothing, and the ratio
/// is divided by the mean run length of equal values, so that a staircase (a sample held over many
/// rows) does not count each copy as news.
///
/// Cost: O(n) time and memory.   Refuses: no finite value, scale or shift 0: nothing.
/// Source: E. S. Page, Continuous inspection schemes, Biometrika 41, 1954; the interval from
///         D. Siegmund, Confidence sets in change-point problems, Int. Stat. Review 56, 1988.
struct Onset {
    std::size_t index = 0;            ///< first value of the moved segment
    std::size_t earliest = 0;         ///< of the interval
    std::size_t latest = 0;           ///< of the interval
    std::size_t end = 0;              ///< one past the last value of the segment
    double log_likelihood_ratio = 0;  ///< >= 0, run lengths accounted for
};
std::optional<Onset> find_onset(std::span<const double> values, double location, double scale,
                                double shift);

/// The log_likelihood_ratio that find_onset would find for each of the shifts, 0 where it refuses:
/// the same numbers for less, for deciding which of them are worth a search.
///
/// Cost: O(n) time, four shifts in the time of one.
using OnsetShifts = std::array<double, 4>;
OnsetShifts onset_ratios(std::span<const double> values, double location, double scale,
                         const OnsetShifts& shifts);

/// How surprising `suspect_count` events in `suspect_time` are after `baseline_count` in
/// `baseline_time`: signed square root of the Poisson likelihood ratio (deviance residual), with
/// half an event added to the baseline, so that the first event ever seen is worth about one
/// standard deviation and not infinitely many.
///
///   mu = (b + 1/2) * t_s / t_b;   z = sign(k - mu) sqrt(2 (k log(k / mu) - (k - mu)))
///
/// Units: times in one unit.   Refuses: times <= 0 or negative counts give 0.
/// Source: P. McCullagh, J. A. Nelder, Generalized Linear Models, 1989, section 2.4.
double count_shift(double baseline_count, double baseline_time, double suspect_count,
                   double suspect_time);

}  // namespace culprit::stats
