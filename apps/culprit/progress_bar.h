#pragma once

#include <chrono>

#include "culprit/evaluation/runner.h"

namespace culprit::cli {

/// One line on standard error, redrawn in place ten times a second; nothing when that is no
/// terminal. Not thread safe: the runner calls under its lock.
class ProgressBar {
public:
    explicit ProgressBar(bool is_shown) : is_shown_(is_shown) {}
    ~ProgressBar() { clear(); }
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void show(const EvaluationProgress& progress);
    void clear();

private:
    using Clock = std::chrono::steady_clock;

    bool is_shown_;
    bool is_drawn_ = false;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point last_{};
};

/// "38 s", "4 min 10 s", "2 h 5 min".
std::string format_seconds_left(double seconds);

}  // namespace culprit::cli
