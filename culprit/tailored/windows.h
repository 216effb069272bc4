#pragma once

#include "culprit/rca/incident.h"

namespace culprit::tailored {

/// The parts of an incident's time. The alert is not trusted to the second: the last quarter of the
/// baseline (at most ten minutes) may already hold the fault when the alert is late, so it belongs
/// to neither side and is only searched for onsets.
struct Windows {
    TimeRange reference;  ///< known to be normal: [baseline begin, search begin)
    TimeRange search;     ///< where an onset may lie: [search begin, suspect end)
    TimeRange suspect;    ///< [alert, suspect end)
};

Windows windows_of(const Incident& incident);

/// Rows [first, last) of a frame inside a range.
struct RowRange {
    std::size_t first = 0;
    std::size_t last = 0;
    std::size_t size() const { return last - first; }
};
RowRange rows_in(const Frame& frame, const TimeRange& range);

}  // namespace culprit::tailored
