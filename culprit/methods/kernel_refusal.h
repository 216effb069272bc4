#pragma once

#include "culprit/base/result.h"
#include "culprit/rca/ranking.h"

namespace culprit {

/// What a method answers when a kernel refuses its data (too few rows, dependent columns, no
/// convergence): a degenerate diagnosis without suspects that says why. A stop or a deadline stays
/// an error.
Result<Diagnosis> degenerate_or_stop(const Error& error);

}  // namespace culprit
