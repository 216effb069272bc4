#pragma once

#include <chrono>

namespace culprit {

/// The time that passed since it was made, whatever happens to the time of day.
class Stopwatch {
public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace culprit
