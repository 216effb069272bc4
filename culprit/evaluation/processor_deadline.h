#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

namespace culprit {

/// Asks the thread that made it to stop once that thread has used some processor time. Not time on
/// the wall: whether a method answers must not depend on what else the machine does.
class ProcessorDeadline {
public:
    explicit ProcessorDeadline(std::chrono::nanoseconds allowed);

    std::stop_token token() const { return stop_.get_token(); }
    bool has_passed() const { return stop_.stop_requested(); }

private:
    std::stop_source stop_;
    std::jthread watcher_;  // last: ends before what it uses
};

}  // namespace culprit
