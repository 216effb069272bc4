#include "culprit/tailored/windows.h"

#include <algorithm>
#include <chrono>

namespace culprit::tailored {

Windows windows_of(const Incident& incident) {
    TimePoint begin = incident.baseline.begin;
    TimePoint end = incident.suspect.end;
    if (incident.metrics.num_rows() > 0) {
        if (begin >= incident.alert) begin = incident.metrics.times().front();
        if (end <= incident.alert) end = incident.metrics.times().back() + Duration(1);
    }
    const Duration guard = std::min<Duration>(
        std::max<Duration>(incident.alert - begin, Duration(0)) / 4, std::chrono::minutes(10));
    Windows windows;
    windows.reference = {.begin = begin, .end = incident.alert - guard};
    windows.search = {.begin = incident.alert - guard, .end = end};
    windows.suspect = {.begin = incident.alert, .end = end};
    return windows;
}

RowRange rows_in(const Frame& frame, const TimeRange& range) {
    const std::size_t first = frame.first_row_at(range.begin);
    return {.first = first, .last = std::max(first, frame.first_row_at(range.end))};
}

}  // namespace culprit::tailored
