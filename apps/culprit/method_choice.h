#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/evaluation/runner.h"

namespace culprit::cli {

/// "baro,nsigma" or "all" (every method of the catalog) as contenders. `variant` is "reference",
/// "published" or "both"; a method that has only one variant takes part with that one.
Result<std::vector<Contender>> contenders_of(const std::string& methods,
                                             const std::string& variant);

/// "alpha=0.05" texts as numbers. Refuses (invalid_input) what is not name=number.
Result<std::map<std::string, double>> options_of(const std::vector<std::string>& assignments);

}  // namespace culprit::cli
