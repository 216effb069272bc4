#pragma once

#include <string>

#include "culprit/telemetry/collect.h"

namespace culprit::cli {

/// What the live systems of the configuration `config` (a file, or "receiver") have of the incident
/// that began `at` (a time, or "now"). Fails as read_config, alert_time and collect_case do.
Result<Collection> collect_live_case(const std::string& config, const std::string& at);

}  // namespace culprit::cli
