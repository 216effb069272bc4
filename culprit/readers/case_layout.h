#pragma once

#include <array>
#include <string>
#include <string_view>

#include "culprit/readers/case_reader.h"

namespace culprit {

/// The names under which the layouts of the field keep the metric table, best first.
/// The study and RCAEval RE1: data.csv; RCAEval RE2 and RE3: simple_metrics.csv beside the raw
/// metrics.csv; older RCAEval sets: simple_data.csv; its later releases: metrics.json.
inline constexpr std::array<std::string_view, 5> metric_file_names = {
    "data.csv", "simple_metrics.csv", "simple_data.csv", "metrics.csv", "metrics.json"};

/// Whether `path` is a folder: true; or a columnar case: false. Refuses what is neither, what is
/// not there (missing_input) and what cannot be looked at (io_failure).
Result<bool> is_folder_of_cases(const std::string& path);

/// True iff `path` is a regular file named as a columnar case.
bool is_case_file(const std::string& path);

/// True iff the folder holds a metric table, traces or logs with an inject_time.txt or case.json;
/// or may not be looked into, so that reading it says so.
bool is_case_folder(const std::string& folder);

/// Path, id and dataset of the case at `path`, from its real location, so that "." works too.
CaseLocation locate_case(const std::string& path);

/// "<service>_<fault>" as the case's folders say it: the name of the parent folder, or the middle
/// of a flat name such as "re2ob_checkoutservice_cpu_1".
std::string fault_folder_of(const std::string& path);

}  // namespace culprit
