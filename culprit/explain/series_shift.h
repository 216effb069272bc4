#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "culprit/base/time.h"
#include "culprit/rca/ranking.h"

namespace culprit {

/// Which rows of a series are baseline and suspect, and from where an onset may lie.
struct SeriesWindows {
    std::size_t baseline_begin = 0;
    std::size_t search_begin = 0;
    std::size_t suspect_begin = 0;  ///< end of the baseline, too
    std::size_t suspect_end = 0;
};

/// The rows of `times` (ascending) inside the two ranges. The search begins in the last quarter of
/// the baseline, at most ten minutes before its end.
SeriesWindows windows_in(std::span<const TimePoint> times, TimeRange baseline, TimeRange suspect);

/// How the series moved (see explainer.h for the formulas); column and unit are left to the caller.
/// Nothing when either side has too few finite values.
std::optional<ShiftEvidence> shift_in(std::span<const double> values,
                                      std::span<const TimePoint> times,
                                      const SeriesWindows& windows);

}  // namespace culprit
