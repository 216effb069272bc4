#pragma once

#include <cstdint>

#include "culprit/rca/incident.h"

namespace culprit {

/// How to make an incident worse than it was collected: what a robustness curve varies.
struct Spoiling {
    double drop_share = 0.0;    ///< of the metric series, taken away at random
    double blur_seconds = 0.0;  ///< moving average over this time before each value
    double alert_delay_seconds = 0.0;
    double baseline_seconds = 0.0;  ///< keep only so much before the alert; 0 = all
    double scrape_seconds = 0.0;    ///< keep only one row in so much time; 0 = all
    double until_seconds = 0.0;     ///< keep only so much after the alert; 0 = all
    bool drop_logs = false;
    bool drop_spans = false;
    bool drop_gpu = false;     ///< every DCGM series and the study's ctn_gpu
    bool drop_engine = false;  ///< every series of the serving engine
    bool drop_mesh = false;    ///< every istio series
};

/// The incident spoiled; the choice of series follows from the seed. An alert that is moved takes
/// the end of the baseline and the begin of the suspect window along.
/// Cost: O(columns * rows).
Incident spoiled(const Incident& incident, const Spoiling& spoiling, std::uint64_t seed);

}  // namespace culprit
