#pragma once

#include <chrono>
#include <optional>
#include <stop_token>

#include "culprit/base/result.h"

namespace culprit {

/// Asks a long computation to end: a stop request, a deadline, or neither. Cheap to copy; safe to
/// read from several threads. Kernels ask at least every few milliseconds of work.
class Stop {
public:
    Stop() = default;
    explicit Stop(std::stop_token token) : token_(std::move(token)) {}
    static Stop after(std::chrono::nanoseconds time_allowed, std::stop_token token = {});

    bool requested() const;
    /// Ok, or why to end: deadline_exceeded or cancelled.
    Status check() const;

private:
    std::stop_token token_;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
};

}  // namespace culprit
