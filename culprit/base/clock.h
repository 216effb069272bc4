#pragma once

#include "culprit/base/time.h"

namespace culprit {

/// The time of day now. Only for what happens in the world (recordings, exporters): an algorithm
/// takes its times from its caller.
TimePoint wall_clock_now();

}  // namespace culprit
