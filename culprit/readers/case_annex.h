#pragma once

#include <string>
#include <string_view>

#include "culprit/rca/case.h"

namespace culprit {

/// The file beside the tables of a collected case.
inline constexpr const char* case_annex_name = "collected.json";

/// What a collected case knows and the prepared layout has no place for: of each metric column its
/// service, metric, unit and labels; change events; topology with kinds and labels; the windows;
/// what was not collected. JSON, version 1.
std::string format_case_annex(const Case& described);

/// Puts the annex back into a case whose tables have been read. Columns are matched by name; those
/// that the annex does not know stay as they are. malformed_data for what is no annex.
Status apply_case_annex(std::string_view json, Case& read);

}  // namespace culprit
