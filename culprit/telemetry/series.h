#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "culprit/catalogue/catalogue.h"

namespace culprit {

/// One series as a monitoring system stores it: raw samples by rising time, nothing filled in.
struct Series {
    std::string name;
    Labels labels = {};  ///< without __name__
    std::vector<std::int64_t> time_ms = {};
    std::vector<double> value = {};  ///< may be NaN or infinite, as scraped

    std::size_t size() const { return time_ms.size(); }
};

}  // namespace culprit
