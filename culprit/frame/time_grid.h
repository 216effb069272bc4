#pragma once

#include <cstddef>

#include "culprit/base/time.h"

namespace culprit {

/// Equal bins [begin + i * step, begin + (i + 1) * step), i < num_bins.
struct TimeGrid {
    TimePoint begin;
    Duration step{};
    std::size_t num_bins = 0;

    /// As many bins as cover `range`; none when it is empty or the step is not positive.
    static TimeGrid cover(TimeRange range, Duration step) {
        if (step <= Duration{0} || range.begin >= range.end) return {range.begin, step, 0};
        const auto bins = (range.length() - Duration{1}) / step + 1;
        return {range.begin, step, static_cast<std::size_t>(bins)};
    }
    /// The bin that contains `t`; num_bins when none does.
    std::size_t bin(TimePoint t) const {
        if (t < begin || num_bins == 0) return num_bins;
        const auto index = static_cast<std::size_t>((t - begin) / step);
        return index < num_bins ? index : num_bins;
    }
    TimePoint time(std::size_t bin_index) const {
        return begin + static_cast<Duration::rep>(bin_index) * step;
    }
};

}  // namespace culprit
