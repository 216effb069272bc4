#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "culprit/base/result.h"

namespace culprit {

/// What one source of telemetry gave, and what it did not.
struct SourceReport {
    std::string kind;               ///< "prometheus", "loki", …
    std::string name;               ///< from the configuration
    std::string version;            ///< as the server says
    std::uint64_t num_items = 0;    ///< series, lines, spans or objects
    std::uint64_t num_samples = 0;  ///< of series
    std::uint64_t num_asked = 0;    ///< metrics, streams or traces asked for
    std::uint64_t num_failed = 0;   ///< of those, not or only partly received
    std::map<std::string, std::uint64_t> components = {};  ///< items per catalogue component
    std::vector<std::string> missing = {};  ///< what did not arrive and why, the first 20
    std::vector<std::string> names = {};    ///< metrics that the source has, as it spells them
    std::optional<Error> error = {};        ///< the source as a whole failed
    double seconds = 0.0;

    void add_missing(std::string what) {
        ++num_failed;
        if (missing.size() < 20) missing.push_back(std::move(what));
    }
};

}  // namespace culprit
