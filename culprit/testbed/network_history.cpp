#include "culprit/testbed/network_history.h"

namespace culprit::testbed {

DeviceCounters::mapped_type NetworkHistory::total(const std::string& component,
                                                  const DeviceCounters& devices) {
    const std::lock_guard lock(mutex_);
    Past& past = past_[component];
    if (devices.empty()) return past.sum;
    for (const auto& [name, values] : past.devices) {
        const auto now = devices.find(name);
        if (now == devices.end() || now->second[0] < values[0] || now->second[4] < values[4])
            for (std::size_t i = 0; i < values.size(); ++i) past.gone[i] += values[i];
    }
    past.devices = devices;
    past.sum = past.gone;
    for (const auto& [name, values] : devices)
        for (std::size_t i = 0; i < values.size(); ++i) past.sum[i] += values[i];
    return past.sum;
}

}  // namespace culprit::testbed
