#include "culprit/stats/distributions.h"

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <numbers>

namespace culprit::stats {
namespace {

// Values beyond double's range become 0 or infinity instead of exceptions.
using Policy = boost::math::policies::policy<
    boost::math::policies::overflow_error<boost::math::policies::ignore_error>,
    boost::math::policies::underflow_error<boost::math::policies::ignore_error>,
    boost::math::policies::domain_error<boost::math::policies::ignore_error>,
    boost::math::policies::evaluation_error<boost::math::policies::ignore_error>,
    boost::math::policies::promote_double<false>>;
constexpr double sqrt_half = 0.70710678118654752440;

}  // namespace

double normal_two_sided(double z) { return std::erfc(std::abs(z) * sqrt_half); }

double normal_quantile(double p) { return -boost::math::erfc_inv(2.0 * p, Policy()) / sqrt_half; }

double student_t_two_sided(double t, double degrees_of_freedom) {
    if (std::isnan(t)) return t;
    if (std::isinf(t)) return 0.0;
    // I_x(v/2, 1/2) with x = v / (v + t^2); the other tail form where x is near 1.
    const double square = t * t;
    const double v = degrees_of_freedom;
    // Boost's arcsine form of this case loses half the digits of a small t.
    if (v == 1.0) return 2.0 / std::numbers::pi * std::atan2(1.0, std::abs(t));
    if (square < v) return boost::math::ibetac(0.5, v / 2.0, square / (v + square), Policy());
    return boost::math::ibeta(v / 2.0, 0.5, v / (v + square), Policy());
}

double f_upper_tail(double f, double numerator_df, double denominator_df) {
    if (std::isnan(f)) return f;
    if (f <= 0.0) return 1.0;
    if (std::isinf(f)) return 0.0;
    const double ratio = numerator_df * f;
    if (ratio > denominator_df)
        return boost::math::ibeta(denominator_df / 2.0, numerator_df / 2.0,
                                  denominator_df / (denominator_df + ratio), Policy());
    return boost::math::ibetac(numerator_df / 2.0, denominator_df / 2.0,
                               ratio / (denominator_df + ratio), Policy());
}

double chi_squared_upper_tail(double x, double degrees_of_freedom) {
    if (std::isnan(x)) return x;
    if (x <= 0.0) return 1.0;
    if (std::isinf(x)) return 0.0;
    return boost::math::gamma_q(degrees_of_freedom / 2.0, x / 2.0, Policy());
}

}  // namespace culprit::stats
