#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/time.h"
#include "culprit/testbed/load_generator.h"
#include "culprit/testbed/local_injector.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

/// How far the growing files of a testbed's telemetry have been written, in bytes.
struct TelemetryPosition {
    std::uint64_t access_log_bytes = 0, logs_bytes = 0, spans_bytes = 0;
};
TelemetryPosition telemetry_position(const Settings& settings);

/// What is to be written down about one incident.
struct RecordingRequest {
    std::string folder;                  ///< of the case; made, with its parents
    std::string dataset;                 ///< name that goes into case.json
    TimeRange range;                     ///< what is recorded
    TelemetryPosition from = {};         ///< nothing of the range was written before
    TimePoint alert;                     ///< injection time: the first fault's `applied`
    std::vector<FaultRecord> faults;     ///< what happened; the answer
    std::vector<RequestRecord> clients;  ///< what clients saw
    double grid_seconds = 5;
    double rate_window_seconds = 15;
    std::map<std::string, std::string> notes = {};  ///< how it was made: load, command, seed
    bool compress = true;                           ///< .zst for all but the small JSON files
};

/// Writes a case folder in the study's prepared layout, atomically (built beside, then renamed):
/// data.csv, inject_time.txt, logs.csv, logts.csv, traces.csv, tracets_lat.csv, tracets_err.csv,
/// mpg.csv, latency_merged_90.csv, and with them
/// case.json (the answer), manifest.json (columns, units, how it was made), series.jsonl (every
/// scraped series with its labels) and clients.csv.
Status record_case(const Settings& settings, const RecordingRequest& request);

/// How the clients fared during the faults against before: the user impact that goes into
/// case.json.
struct UserImpact {
    double first_token_s_before = 0, first_token_s_during = 0;  ///< 95th percentiles
    double token_gap_s_before = 0, token_gap_s_during = 0;
    double failed_share_before = 0, failed_share_during = 0;
    /// Probabilities of at least so many slow, or failed, requests during the fault if they were as
    /// frequent as before. Slow: above 1.5 times the baseline's 95th percentile, and at least 20 ms
    /// (first token) or 5 ms (mean token gap) above it.
    double first_token_p_value = 1, token_gap_p_value = 1, failed_p_value = 1;
    /// One of the three is below 0.01.
    bool measurable = false;
};
UserImpact user_impact(const RecordingRequest& request);

/// Fisher's exact test, one-sided: the probability of at least `hits` in `trials` given the hits of
/// both groups together, if both had the same frequency.
double more_frequent_p_value(std::int64_t hits, std::int64_t trials, std::int64_t usual_hits,
                             std::int64_t usual_trials);

}  // namespace culprit::testbed
