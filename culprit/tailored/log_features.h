#pragma once

#include <vector>

#include "culprit/frame/frame.h"
#include "culprit/frame/log_table.h"
#include "culprit/tailored/features.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// Adds to `features` the log lines per second ("log.lines") of every component that metrics or
/// spans know and whose lines became several times as many: in half of the suspect rows at least
/// four times the rate of the reference and 50 lines/s more. What is less is the load's own doing
/// (access logs) or a state dumped now and then, and is no signal.
///
/// Cost: O(lines + components * rows) time, O(components * rows) memory.
void add_log_features(std::vector<Feature>& features, const LogTable& logs, const Frame& frame,
                      const Windows& windows);

}  // namespace culprit::tailored
