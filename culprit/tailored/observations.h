#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/stop.h"
#include "culprit/stats/robust_shift.h"
#include "culprit/tailored/features.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// Probabilities that a signal went up, down, or stayed.
struct State {
    double up = 0.0;
    double down = 0.0;
    double flat = 1.0;
};

/// P(up) = Phi((z - 2) / 0.7), P(down) = Phi((-z - 2) / 0.7), P(flat) = the rest: beyond two robust
/// deviations (a change of 10 % at least) a signal has probably moved.
State state_of(double deviations);

/// One signal of one component: how it moved against its past, and against its siblings.
struct Observation {
    std::size_t feature = 0;  ///< index into the features
    double baseline = 0.0;
    double suspect = 0.0;
    double own = 0.0;       ///< deviations from its own past
    double relative = 0.0;  ///< deviations of its difference to the siblings' median; = own without
    double siblings_now = 0.0;  ///< median of the siblings in the suspect window; NaN without
    double longer = 1.0;        ///< its requests' length over the siblings', if they grew apart
    bool vanished = false;      ///< reported before, silent after
    double extreme = 0.0;  ///< probability that it fell to nearly nothing or rose several times
    TimePoint onset;
    Duration onset_uncertainty{};
};

/// Components that play the same part and share the load: their difference tells a broken one from
/// changed load.
struct PeerGroup {
    std::vector<std::string> services;
    /// signal -> deviations of the group's median from its past.
    std::map<std::string, double> common;
};

struct Observations {
    std::vector<Feature> features;
    std::map<std::string, std::vector<Observation>> of;  ///< by component
    std::vector<PeerGroup> groups;                       ///< of at least two
    std::map<std::string, std::size_t> group_of;         ///< component -> index into groups
};

/// Compares every feature with its reference, over the whole suspect window and over the segment
/// that moved most (Onset), whichever speaks louder; rare events as counts; a signal that fell
/// silent as one that went down if it measures work or presence. Siblings are components with an
/// engine, or else with the same signals, whose names differ by a number; the median of the
/// siblings is subtracted row by row, so that load that all of them share, and its spikes, cancel.
/// Of two, each is charged with what it did beyond the other.
///
/// Cost: O(features * rows) (medians over siblings are expected linear).
Result<Observations> observe(std::vector<Feature> features, const Frame& frame,
                             const Windows& windows, const Stop& stop, unsigned num_threads);

}  // namespace culprit::tailored
