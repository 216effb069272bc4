#include "culprit/testbed/impairment.h"

#include <algorithm>
#include <utility>

namespace culprit::testbed {

bool ImpairedLink::enter(double now, std::string packet) {
    const bool lost = options_.loss_share > 0 && random_.uniform() < options_.loss_share;
    if (lost || waiting_bytes_ + packet.size() > options_.queue_bytes) {
        ++num_dropped_;
        return false;
    }
    double due = now;
    if (options_.bytes_per_second > 0) {
        line_free_ = std::max(line_free_, now) +
                     static_cast<double>(packet.size()) / options_.bytes_per_second;
        due = line_free_;
    }
    const double jitter = options_.jitter_seconds * (2 * random_.uniform() - 1);
    due += std::max(0.0, options_.delay_seconds + jitter);
    last_due_ = std::max(last_due_, due);
    waiting_bytes_ += packet.size();
    waiting_.push({last_due_, std::move(packet)});
    return true;
}

std::optional<std::string> ImpairedLink::leave(double now) {
    if (waiting_.empty() || waiting_.front().due > now) return std::nullopt;
    auto packet = std::move(waiting_.front().packet);
    waiting_.pop();
    waiting_bytes_ -= packet.size();
    ++num_passed_;
    return packet;
}

std::optional<double> ImpairedLink::next_due() const {
    if (waiting_.empty()) return std::nullopt;
    return waiting_.front().due;
}

}  // namespace culprit::testbed
