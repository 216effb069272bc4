#include "culprit/tailored/span_growth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "culprit/frame/span_series.h"
#include "culprit/stats/quantile.h"
#include "culprit/tailored/signal_text.h"

namespace culprit::tailored {
namespace {

constexpr double requests_min = 10.0;
constexpr double growth_share_min = 0.1;
constexpr double growth_seconds_min = 5e-3;
constexpr double part_share_min = 0.05;
constexpr std::size_t parts_max = 3;

std::string signed_seconds(double seconds) {
    return (seconds < 0.0 ? "" : "+") + quantity_text(seconds, "s");
}

}  // namespace

SpanGrowth::SpanGrowth(const SpanTable& spans, const Windows& windows) {
    const auto parent = parents_of(spans);
    std::vector<double> self(spans.size());
    std::vector<std::uint32_t> remote(spans.size(), 0);
    const auto has_parent = [&](std::size_t i) { return parent[i] != SpanTimes::no_parent; };
    const auto is_local = [&](std::size_t i) {
        return has_parent(i) && spans.service[parent[i]] == spans.service[i];
    };
    for (std::size_t i = 0; i < spans.size(); ++i) self[i] = to_seconds(spans.duration[i]);
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (!has_parent(i)) continue;
        self[parent[i]] -= to_seconds(spans.duration[i]);
        if (!is_local(i)) ++remote[parent[i]];
    }
    std::vector<Sides*> sides(spans.services.size(), nullptr);
    std::vector<std::string> operations;
    for (std::uint32_t o = 0; o < spans.operations.size(); ++o)
        operations.emplace_back(spans.operations[o]);
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const TimePoint end = spans.end(i);
        const bool before = end < windows.reference.end;
        if (!before && end < windows.suspect.begin) continue;
        Sides*& both = sides[spans.service[i]];
        if (both == nullptr) both = &of_[std::string(spans.services[spans.service[i]])];
        Side& side = before ? both->before : both->since;
        side.self[operations[spans.operation[i]]] += std::max(0.0, self[i]);
        if (is_local(i)) continue;
        side.requests += 1.0;
        side.duration += to_seconds(spans.duration[i]);
        if (!has_parent(i) || remote[parent[i]] != 1) continue;
        side.ways += 1.0;
        side.way += std::max(0.0, to_seconds(spans.duration[parent[i]] - spans.duration[i]));
    }
}

bool SpanGrowth::is_known(const Sides& sides) {
    return sides.before.requests >= requests_min && sides.since.requests >= requests_min;
}

double SpanGrowth::inside(const Sides& sides) {
    return sides.since.duration / sides.since.requests -
           sides.before.duration / sides.before.requests;
}

double SpanGrowth::way(const Sides& sides) {
    if (sides.before.ways < requests_min || sides.since.ways < requests_min) return 0.0;
    return sides.since.way / sides.since.ways - sides.before.way / sides.before.ways;
}

std::string SpanGrowth::text(const std::string& component,
                             const std::vector<std::string>& siblings) const {
    const auto found = of_.find(component);
    if (found == of_.end() || !is_known(found->second)) return {};
    const Side& before = found->second.before;
    const Side& since = found->second.since;
    const double on_the_way = way(found->second);
    const double whole = inside(found->second) + on_the_way;
    const double usual = before.duration / before.requests;
    if (whole < std::max(growth_share_min * usual, growth_seconds_min)) return {};

    std::vector<std::pair<double, std::string>> parts;
    for (const auto& [operation, sum] : since.self) {
        const auto earlier = before.self.find(operation);
        const double part =
            sum / since.requests -
            (earlier == before.self.end() ? 0.0 : earlier->second / before.requests);
        if (part >= part_share_min * whole) parts.emplace_back(part, operation);
    }
    if (on_the_way >= part_share_min * whole) parts.emplace_back(on_the_way, "on the way to it");
    std::ranges::stable_sort(parts, [](const auto& a, const auto& b) { return a.first > b.first; });
    if (parts.size() > parts_max) parts.resize(parts_max);
    std::string text = signed_seconds(whole) + " per request";
    for (std::size_t i = 0; i < parts.size(); ++i)
        text += fmt::format("{}{} {}", i == 0 ? ": " : ", ", parts[i].second,
                            signed_seconds(parts[i].first));
    std::vector<double> others;
    for (const std::string& sibling : siblings)
        if (const auto other = of_.find(sibling); other != of_.end() && is_known(other->second))
            others.push_back(inside(other->second) + way(other->second));
    if (!others.empty())
        text += fmt::format("; siblings {}", signed_seconds(stats::median_in_place(others)));
    return text;
}

}  // namespace culprit::tailored
