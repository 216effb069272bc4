#include "culprit/tailored/idle_clock.h"

#include <cmath>
#include <limits>
#include <map>
#include <string>

namespace culprit::tailored {
namespace {

constexpr double idle_share = 0.05;

double idle_below(const Feature& utilization) {
    return utilization.unit == "1" ? idle_share : 100.0 * idle_share;
}

}  // namespace

void hold_clock_while_idle(std::vector<Feature>& features) {
    std::map<std::string, const Feature*> utilization_of;
    for (const Feature& f : features)
        if (f.signal == "gpu.utilization") utilization_of[f.service] = &f;
    for (Feature& clock : features) {
        if (clock.signal != "gpu.sm_clock") continue;
        const auto found = utilization_of.find(clock.service);
        if (found == utilization_of.end()) continue;
        const std::vector<double>& used = found->second->values;
        const double least = idle_below(*found->second);
        const auto idle = [&](std::size_t r) { return std::isfinite(used[r]) && used[r] < least; };
        double held = std::numeric_limits<double>::quiet_NaN();
        for (std::size_t r = 0; r < used.size() && !std::isfinite(held); ++r)
            if (!idle(r)) held = clock.values[r];
        if (!std::isfinite(held)) continue;  // never at work: what it idles at is all there is
        for (std::size_t r = 0; r < used.size(); ++r) {
            if (idle(r) && std::isfinite(clock.values[r])) clock.values[r] = held;
            if (std::isfinite(clock.values[r])) held = clock.values[r];
        }
    }
}

}  // namespace culprit::tailored
