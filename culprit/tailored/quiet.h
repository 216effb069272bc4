#pragma once

#include "culprit/tailored/generic_score.h"

namespace culprit::tailored {

/// How far the farthest series went beyond what it does by itself, in robust deviations:
///
///   u = max over series of |score| / max(1, e)
///
/// with e the farthest that the mean over a window as long as the suspect one strayed in the quiet
/// time. With spans or a call graph, what they deviate counts as a series too.
double unrest(const GenericScore& generic);

/// The same, of what the change of the load does not explain: `beyond_load` for the score.
/// P(nothing is wrong | this) is the probability that no component is broken.
double unrest_beyond_load(const GenericScore& generic);

/// P(nothing is wrong | u) = 1 / (1 + (u / 5)^3).
///
/// Calibrated on the development halves of five public sets: baselines cut in two, so that the
/// second half is sound by construction, reach 5 once in twenty (Sock Shop never, RCAEval RE1 once
/// in ten); of the injected faults one in fifty stays below it where the normal time was recorded
/// with the fault. PetShop's and Nezha's normal times are put together from other days and were
/// left out.
double probability_of_nothing(double unrest);

}  // namespace culprit::tailored
