#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"

namespace culprit {

/// Rows of an RFC 4180 table, each as long as the first (the header, which is row 0). For the small
/// tables that ship with the product. malformed_data names the line.
Result<std::vector<std::vector<std::string>>> parse_csv_rows(std::string_view text);

}  // namespace culprit
