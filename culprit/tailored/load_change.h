#pragma once

#include <cstddef>
#include <vector>

#include "culprit/tailored/service_shifts.h"

namespace culprit::tailored {

/// How the load of a whole system changed, from what most of its services counted.
///
///   factor = median over services of (mean now / median before)
///
/// of requests; where fewer than half of the services count requests, of bytes sent and received.
/// What happens in one service does not move the median: callers that try again reach one service
/// more often, and one that fails passes less on. Less than a sixth is no change. A fall is
/// believed only where somebody measures latency or errors: else it may as well be a fault's doing
/// that nobody sees.
struct LoadChange {
    double factor = 1.0;           ///< 1: as before, or too few services count
    double deviations = 0.0;       ///< of the counts, their median; 0 with a factor of 1
    std::size_t num_services = 0;  ///< that count
    bool counts_requests = false;  ///< false: bytes
};

/// Cost: O(columns).
LoadChange load_change(const std::vector<ColumnShift>& shifts, std::size_t num_services);

/// How far a series is from what the load explains, signed, in robust deviations. Under load, what
/// a request costs, how often it fails and how long it takes stays; a fault moves just that.
///
///   explained: [1, factor] times the level before, because part of all work is done without
///              requests, and latency grows where capacity is short; nothing for availability
///   scale:     grows with the level, max(1, factor) times
double beyond_load(const ColumnShift& moved, const LoadChange& load);

/// "2.4 times as many requests as before, median of 10 services", with the median onset of what
/// they count.
///
/// Cost: O(rows of the columns that count).
FindingStep load_step(const Frame& frame, const Windows& windows,
                      const std::vector<ColumnShift>& shifts, const LoadChange& load);

}  // namespace culprit::tailored
