#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "culprit/base/random.h"

namespace culprit::testbed {

/// How a link treats packets, as netem would.
struct ImpairmentOptions {
    double delay_seconds = 0;
    double jitter_seconds = 0;          ///< uniform in delay +- jitter; packets keep their order
    double loss_share = 0;              ///< independent per packet
    double bytes_per_second = 0;        ///< 0 = unlimited
    std::size_t queue_bytes = 256'000;  ///< what waits beyond this is dropped
    std::uint64_t seed = 1;
};

/// One direction of an impaired link: packets go in with their arrival time and come out when they
/// are due, in order. Does no input or output and knows no clock.
class ImpairedLink {
public:
    explicit ImpairedLink(const ImpairmentOptions& options)
        : options_(options), random_(options.seed) {}

    /// False when the packet was dropped.
    bool enter(double now, std::string packet);
    /// The next packet that is due at `now`.
    std::optional<std::string> leave(double now);
    /// When the next packet is due.
    std::optional<double> next_due() const;
    std::uint64_t num_dropped() const { return num_dropped_; }
    std::uint64_t num_passed() const { return num_passed_; }

private:
    struct Waiting {
        double due;
        std::string packet;
    };
    ImpairmentOptions options_;
    Random random_;
    std::queue<Waiting> waiting_;
    std::size_t waiting_bytes_ = 0;
    double line_free_ = 0;  ///< when the line has sent what is queued
    double last_due_ = 0;
    std::uint64_t num_dropped_ = 0;
    std::uint64_t num_passed_ = 0;
};

}  // namespace culprit::testbed
