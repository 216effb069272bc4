#pragma once

#include <array>
#include <string>
#include <string_view>

#include "culprit/readers/case_reader.h"

namespace culprit {

/// The names under which the layouts of the field keep the metric table, best first.
inline constexpr std::array<std::string_view, 3> metric_file_names = {
    "data.csv", "simple_metrics.csv", "metrics.csv"};

/// True iff the folder holds a metric table, traces or logs with an inject_time.txt or case.json.
bool is_case_folder(const std::string& folder);

/// Path, id and dataset of the case at `path`, from its real location, so that "." works too.
CaseLocation locate_case(const std::string& path);

/// Name of the case's parent folder, "<service>_<fault>".
std::string fault_folder_of(const std::string& path);

}  // namespace culprit
