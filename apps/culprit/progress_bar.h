#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

#include "culprit/evaluation/runner.h"
#include "culprit/report/style.h"

namespace culprit::cli {

/// One line on standard error, redrawn in place ten times a second and cut to the terminal's width;
/// nothing when that is no terminal. Safe to call from many threads.
class ProgressBar {
public:
    /// `style` is that of standard error, whose width is 0 when it is no terminal. With `patient`
    /// nothing is drawn in the first second: what is quick needs no bar.
    explicit ProgressBar(const Style& style, bool patient = false)
        : width_(static_cast<std::size_t>(style.width())), patient_(patient) {}
    ~ProgressBar() { clear(); }
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void show(const EvaluationProgress& progress);
    /// One more of `total` is done; `noun` says of what ("cases").
    void step(std::size_t total, const std::string& noun);
    void clear();

private:
    using Clock = std::chrono::steady_clock;

    /// `fresh`: of those done, how many took this run's time; what was reused says nothing about
    /// how long the rest takes.
    void draw(std::size_t done, std::size_t total, std::size_t fresh, const std::string& rest);

    const std::size_t width_;
    const bool patient_;
    std::mutex mutex_;
    std::size_t steps_ = 0;
    bool is_drawn_ = false;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point last_{};
};

/// "38 s", "4 min 10 s", "2 h 5 min".
std::string format_seconds_left(double seconds);

}  // namespace culprit::cli
