#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "culprit/rca/ranking.h"

namespace culprit {

/// "03:11:35 ±2 s"; without the uncertainty when there is none; empty for the default
/// TimePoint: evidence whose time nobody measured.
std::string when_text(TimePoint when, Duration uncertainty);

/// One piece of evidence in words, cell by cell; times as UTC clock.
struct EvidenceText {
    std::string when;   ///< "03:11:35 ±2 s"; empty when it has no time
    std::string what;   ///< "ctn_cpu", "log \"...\"", "span POST /generate self time"
    std::string moved;  ///< "0.012 -> 0.94"
    std::string score;  ///< "+82.1"
};
/// `service`: whose name need not be repeated in front of its own metrics.
EvidenceText evidence_text(const Evidence& evidence, const std::string& service);

nlohmann::ordered_json evidence_json(const Evidence& evidence);

}  // namespace culprit
