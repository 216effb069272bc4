#pragma once

#include <string>
#include <vector>

#include "culprit/rca/case.h"
#include "culprit/telemetry/config.h"
#include "culprit/telemetry/source_report.h"

namespace culprit {

/// A case put together from live systems, and what each of them gave.
struct Collection {
    Case incident_case;
    std::vector<SourceReport> sources;
    double seconds = 0.0;
};

/// The moment that `--at` means: a time, or "now", for which normal operation is taken to end
/// `config.suspect_seconds` ago.
Result<TimePoint> alert_time(const CollectConfig& config, std::string_view at, TimePoint now);

/// Asks every source of `config` for [alert - baseline, alert + suspect), at most until `now`, and
/// builds a case from what arrives within the time allowed. A source that is slow or fails costs
/// what it would have given: that is named in its report and in Case::problems. Refuses
/// (unavailable) only when no source gave anything.
Result<Collection> collect_case(const CollectConfig& config, TimePoint alert, TimePoint now,
                                HttpTransport& transport, const Stop& stop = {});

/// One line per source for people: "prometheus 2.42.0   412 series …".
std::string describe_sources(const Collection& collection);

}  // namespace culprit
