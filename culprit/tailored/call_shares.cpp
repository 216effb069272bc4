#include "culprit/tailored/call_shares.h"

#include <cmath>
#include <vector>

#include "culprit/frame/span_series.h"

namespace culprit::tailored {
namespace {

constexpr double calls_min = 20.0;
constexpr double change_min = 0.1;
constexpr double standard_errors_min = 3.0;

}  // namespace

CallShares::CallShares(const SpanTable& spans, const Windows& windows) {
    const std::vector<std::uint32_t> parent = parents_of(spans);
    std::map<std::pair<std::uint32_t, std::uint32_t>, Counts> counted;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (parent[i] == SpanTimes::no_parent) continue;
        const std::uint32_t caller = spans.service[parent[i]];
        if (caller == spans.service[i]) continue;
        Counts& counts = counted[{caller, spans.service[i]}];
        if (windows.reference.contains(spans.start[i]))
            counts.before += 1.0;
        else if (windows.suspect.contains(spans.start[i]))
            counts.after += 1.0;
    }
    for (const auto& [edge, counts] : counted) {
        Calls& calls = calls_[std::string(spans.services[edge.first])];
        calls.to[std::string(spans.services[edge.second])] = counts;
        calls.all.before += counts.before;
        calls.all.after += counts.after;
    }
}

CallShares::Spread CallShares::of(std::string_view caller, std::string_view callee) const {
    const auto calls = calls_.find(caller);
    if (calls == calls_.end() || calls->second.to.size() < 2) return Spread::unknown;
    const Counts& all = calls->second.all;
    const auto to = calls->second.to.find(callee);
    if (to == calls->second.to.end() || all.before < calls_min || all.after < calls_min)
        return Spread::unknown;
    const double change = to->second.after / all.after - to->second.before / all.before;
    const double pooled = (to->second.after + to->second.before) / (all.after + all.before);
    const double error = std::sqrt(pooled * (1.0 - pooled) * (1.0 / all.before + 1.0 / all.after));
    const bool shifted =
        std::abs(change) >= change_min && std::abs(change) >= standard_errors_min * error;
    return shifted ? Spread::shifted : Spread::steady;
}

}  // namespace culprit::tailored
