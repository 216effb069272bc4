#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>

namespace culprit::testbed {

/// Per device: received bytes, packets, errors, drops, then the same four sent.
using DeviceCounters = std::map<std::string, std::array<double, 8>>;

/// Sums a component's devices so that the sum never falls: what a device that is gone has counted
/// stays counted. (The wire of a network fault comes and goes; a sum that falls reads as a
/// restarted counter, and the whole of it as traffic of one second.) May be used from several
/// threads.
class NetworkHistory {
public:
    /// The sum so far. No device at all means that nobody was there to ask: the last sum stands.
    DeviceCounters::mapped_type total(const std::string& component, const DeviceCounters& devices);

private:
    struct Past {
        DeviceCounters devices;
        DeviceCounters::mapped_type gone{};
        DeviceCounters::mapped_type sum{};
    };
    std::mutex mutex_;
    std::map<std::string, Past> past_;
};

}  // namespace culprit::testbed
