#include "culprit/base/clock.h"

#include <chrono>

namespace culprit {

TimePoint wall_clock_now() {
    return TimePoint(
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

}  // namespace culprit
