#pragma once

#include <span>
#include <string>

#include "culprit/readers/case_summary.h"
#include "culprit/report/style.h"

namespace culprit::cli {

/// A case that was read, or why it was not.
struct InspectedCase {
    CaseSummary summary;
    std::string error;  ///< empty when it was read
};

/// Everything about one case, for a terminal.
std::string case_page(const CaseSummary& summary, const Style& style);
/// What a dataset holds, one line per fault of each dataset, and every problem once.
std::string dataset_page(std::span<const InspectedCase> cases, const Style& style);
/// One object, or with `as_array` an array of them; complete.
std::string cases_json(std::span<const InspectedCase> cases, bool as_array);

}  // namespace culprit::cli
