#pragma once

#include <map>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/time.h"
#include "culprit/testbed/load_generator.h"
#include "culprit/testbed/local_injector.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

/// What is to be written down about one incident.
struct RecordingRequest {
    std::string folder;                  ///< of the case; made, with its parents
    std::string dataset;                 ///< name that goes into case.json
    TimeRange range;                     ///< what is recorded
    TimePoint alert;                     ///< injection time: the first fault's `applied`
    std::vector<FaultRecord> faults;     ///< what happened; the answer
    std::vector<RequestRecord> clients;  ///< what clients saw
    double grid_seconds = 5;
    double rate_window_seconds = 15;
    std::map<std::string, std::string> notes = {};  ///< how it was made: load, command, seed
    bool compress = true;                           ///< .zst for all but the small JSON files
};

/// Writes a case folder in the study's prepared layout, atomically (built beside, then renamed):
/// data.csv, inject_time.txt, logs.csv, traces.csv, mpg.csv, latency_merged_90.csv, and with them
/// case.json (the answer), manifest.json (columns, units, how it was made), series.jsonl (every
/// scraped series with its labels) and clients.csv.
Status record_case(const Settings& settings, const RecordingRequest& request);

/// How the clients fared during the faults against before: the user impact that goes into
/// case.json.
struct UserImpact {
    double first_token_s_before = 0, first_token_s_during = 0;  ///< 95th percentiles
    double token_gap_s_before = 0, token_gap_s_during = 0;
    double failed_share_before = 0, failed_share_during = 0;
    /// One of: 95th percentile of the time to first token or of the token gap at least 1.5 times as
    /// long and 20 ms or 5 ms longer, or 2 % more failures.
    bool measurable = false;
};
UserImpact user_impact(const RecordingRequest& request);

}  // namespace culprit::testbed
