#include "culprit/base/stop.h"

namespace culprit {

Stop Stop::after(std::chrono::nanoseconds time_allowed, std::stop_token token) {
    Stop stop(std::move(token));
    stop.deadline_ = std::chrono::steady_clock::now() + time_allowed;
    return stop;
}

bool Stop::requested() const {
    return token_.stop_requested() || (deadline_ && std::chrono::steady_clock::now() >= *deadline_);
}

Status Stop::check() const {
    if (token_.stop_requested()) return fail(ErrorCode::cancelled, "stopped on request");
    if (deadline_ && std::chrono::steady_clock::now() >= *deadline_)
        return fail(ErrorCode::deadline_exceeded, "the time allowed is used up");
    return {};
}

}  // namespace culprit
