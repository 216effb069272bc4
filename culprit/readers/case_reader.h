#pragma once

#include <optional>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/rca/case.h"

namespace culprit {

struct CaseReadOptions {
    bool strict = false;  ///< a problem that would be counted and skipped becomes an error
    bool logs = true;     ///< read logs.csv and what derives from it
    bool spans = true;    ///< read traces.csv and what derives from it
    std::optional<TimePoint> alert;  ///< overrides, or replaces a missing, inject_time.txt
    bool alert_required = true;      ///< false: without one the alert is the end of the data
    unsigned num_threads = 0;        ///< 0 = all
};

/// Reads one case folder in any layout that Culprit knows: the study's prepared layout, RCAEval's
/// RE1/RE2/RE3 (metrics.json and flat folder names too), `case.json`; files plain, .gz or .zst; or
/// one culprit columnar file. Series derived
/// from logs and spans are computed when the case does not have them. Refuses with file, line and
/// column; problems that cost single values or rows are counted in Case::problems.
Result<Case> read_case(const std::string& path, const CaseReadOptions& options = {});

struct CaseLocation {
    std::string path;
    std::string id;       ///< "<dataset>/<service>_<fault>/<n>"
    std::string dataset;  ///< name of the dataset's folder
};

/// The case folders below `path`, sorted by path; `path` itself if it is a case.
/// missing_input when there is none.
Result<std::vector<CaseLocation>> find_cases(const std::string& path);

}  // namespace culprit
