#include "culprit/tailored/span_effects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>

#include "culprit/frame/span_series.h"
#include "culprit/stats/quantile.h"
#include "culprit/stats/robust_shift.h"

namespace culprit::tailored {
namespace {

constexpr double floor_us = 100.0;    // below it, clocks and span overheads dominate
constexpr double change_floor = 0.2;  // 20 %: differences of busy systems from minute to minute
constexpr double edge_spans_min = 5.0;
constexpr double operation_spans_min = 10.0;
constexpr double calls_deviations_min = 3.0;
constexpr int failed_http_status = 400;

/// Mean and spread of a logarithm, before and after.
struct Side {
    double count = 0.0;
    double sum = 0.0;
    double squares = 0.0;
    void add(double x) {
        count += 1.0;
        sum += x;
        squares += x * x;
    }
    double mean() const { return count > 0.0 ? sum / count : 0.0; }
    double error_squared() const {
        if (count < 2.0) return 0.0;
        return std::max(0.0, squares / count - mean() * mean()) / count;
    }
};
struct Sides {
    Side before;
    Side after;
    TimePoint first_after{};
};

struct Linked {
    std::vector<std::uint32_t> parent;  // as parents_of has it
    std::vector<double> self_us;
    std::vector<bool> waits_for_remote;
    std::vector<bool> failed_below;
};

bool failed(const SpanTable& spans, std::size_t i) { return spans.status[i] >= failed_http_status; }

double duration_us(const SpanTable& spans, std::size_t i) {
    return static_cast<double>(spans.duration[i].count()) * 1e-3;
}

Linked link(const SpanTable& spans) {
    const std::size_t n = spans.size();
    Linked linked{.parent = parents_of(spans),
                  .self_us = std::vector<double>(n),
                  .waits_for_remote = std::vector<bool>(n, false),
                  .failed_below = std::vector<bool>(n, false)};
    for (std::size_t i = 0; i < n; ++i) linked.self_us[i] = duration_us(spans, i);
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint32_t p = linked.parent[i];
        if (p == SpanTimes::no_parent) continue;
        linked.self_us[p] -= duration_us(spans, i);
        if (spans.service[p] != spans.service[i]) linked.waits_for_remote[p] = true;
        if (failed(spans, i)) linked.failed_below[p] = true;
    }
    return linked;
}

using Key = std::pair<std::uint32_t, std::uint32_t>;
using CallKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;

struct Tables {
    std::map<Key, Sides> gaps;        // (caller, callee service)
    std::map<Key, Sides> self;        // (service, operation)
    std::map<Key, Sides> executions;  // (service, operation): counts
    std::map<CallKey, Sides> calls;
    std::map<std::uint32_t, std::array<double, 4>> failures;  // failed and all, before and after
};

/// 0 before, 1 after, nothing between.
std::optional<int> side_of(TimePoint t, const TimeRange& before, const TimeRange& after) {
    if (before.contains(t)) return 0;
    if (after.contains(t)) return 1;
    return std::nullopt;
}

Side& pick(Sides& sides, int side, TimePoint when) {
    if (side == 0) return sides.before;
    if (sides.after.count == 0.0) sides.first_after = when;
    return sides.after;
}

Tables tabulate(const SpanTable& spans, const TimeRange& before, const TimeRange& after) {
    const Linked linked = link(spans);
    Tables tables;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const TimePoint when = spans.start[i];
        const auto side = side_of(when, before, after);
        if (!side) continue;
        const Key own{spans.service[i], spans.operation[i]};
        pick(tables.executions[own], *side, when).add(0.0);
        if (!linked.waits_for_remote[i])
            pick(tables.self[own], *side, when)
                .add(std::log(std::max(linked.self_us[i], floor_us)));
        auto& failures = tables.failures[spans.service[i]];
        const auto at = 2 * static_cast<std::size_t>(*side);
        failures[at + 1] += 1.0;
        if (failed(spans, i) && !linked.failed_below[i]) failures[at] += 1.0;
        const std::uint32_t p = linked.parent[i];
        if (p == SpanTimes::no_parent) continue;
        const auto parent_side = side_of(spans.start[p], before, after);
        if (parent_side)
            pick(tables.calls[{spans.service[p], spans.operation[p], spans.service[i],
                               spans.operation[i]}],
                 *parent_side, when)
                .add(0.0);
        if (spans.service[p] != spans.service[i])
            pick(tables.gaps[{spans.service[p], spans.service[i]}], *side, when)
                .add(std::log(std::max(duration_us(spans, p) - duration_us(spans, i), floor_us)));
    }
    return tables;
}

double median_of(std::vector<double> values) { return stats::median_in_place(values); }

/// (value - median) / (1.4826 MAD + change_floor), at least 0.
struct Standard {
    double median = 0.0;
    double scale = change_floor;
    explicit Standard(const std::vector<double>& values) {
        if (values.empty()) return;
        median = median_of(values);
        std::vector<double> away;
        away.reserve(values.size());
        for (const double v : values) away.push_back(std::abs(v - median));
        scale += 1.4826 * median_of(std::move(away));
    }
    double operator()(double value) const { return std::max(0.0, (value - median) / scale); }
};

class Reading {
public:
    explicit Reading(const SpanTable& spans) : spans_(spans) {}

    void read_gaps(const Tables& tables) {
        std::vector<std::pair<Key, double>> change;
        std::size_t with_past = 0;
        std::size_t usable = 0;
        for (const auto& [edge, sides] : tables.gaps) {
            if (sides.after.count < edge_spans_min) continue;
            ++usable;
            if (sides.before.count >= edge_spans_min) ++with_past;
        }
        const bool past = 2 * with_past >= usable;
        for (const auto& [edge, sides] : tables.gaps)
            if (sides.after.count >= edge_spans_min &&
                (!past || sides.before.count >= edge_spans_min))
                change.emplace_back(edge, sides.after.mean() - (past ? sides.before.mean() : 0.0));
        std::vector<double> values;
        values.reserve(change.size());
        for (const auto& [edge, d] : change) values.push_back(d);
        const Standard standard(values);
        std::map<std::uint32_t, std::pair<double, double>> ends;  // sum of log(1 + z), edges
        for (const auto& [edge, d] : change) {
            const double e = std::log1p(standard(d));
            for (const std::uint32_t end : {edge.first, edge.second}) {
                ends[end].first += e;
                ends[end].second += 1.0;
            }
            if (e > 1.0) note_gap(edge, tables.gaps.at(edge), past ? 0.0 : standard.median, e);
        }
        for (const auto& [service, sum] : ends) add(service, sum.first / std::sqrt(sum.second));
    }

    void read_self_times(const Tables& tables) {
        std::vector<std::pair<Key, double>> change;
        std::vector<double> values;
        for (const auto& [key, sides] : tables.self) {
            if (sides.before.count < operation_spans_min || sides.after.count < operation_spans_min)
                continue;
            change.emplace_back(key, sides.after.mean() - sides.before.mean());
            values.push_back(change.back().second);
        }
        if (change.size() < 4) return;  // too few operations to tell what is usual
        const Standard standard(values);
        std::map<std::uint32_t, std::pair<double, double>> services;
        for (const auto& [key, d] : change) {
            const Sides& sides = tables.self.at(key);
            const double error =
                std::sqrt(sides.before.error_squared() + sides.after.error_squared());
            const double e = std::log1p(standard(d - 2.0 * error));
            services[key.first].first += e;
            services[key.first].second += 1.0;
            if (e > 1.0) note(key, "self time", sides, e);
        }
        for (const auto& [service, sum] : services) add(service, sum.first / std::sqrt(sum.second));
    }

    void read_calls(const Tables& tables) {
        std::map<std::uint32_t, double> strongest;
        for (const auto& [key, sides] : tables.calls) {
            const Key caller{std::get<0>(key), std::get<1>(key)};
            const Sides& runs = tables.executions.at(caller);
            if (runs.before.count < edge_spans_min || runs.after.count < edge_spans_min) continue;
            const double before = (sides.before.count + 0.5) / (runs.before.count + 0.5);
            const double after = (sides.after.count + 0.5) / (runs.after.count + 0.5);
            const double z = std::log(after / before) / std::sqrt(1.0 / (sides.before.count + 0.5) +
                                                                  1.0 / (sides.after.count + 0.5));
            double& most = strongest[caller.first];
            most = std::max(most, std::abs(z));
        }
        for (const auto& [service, z] : strongest)
            if (z > calls_deviations_min) add(service, std::log(z / calls_deviations_min));
    }

    void read_failures(const Tables& tables) {
        for (const auto& [service, n] : tables.failures) {
            const double z = stats::count_shift(n[0], n[1], n[2], n[3]);
            if (z <= calls_deviations_min) continue;
            add(service, std::log1p(z));
            SpanEvidence evidence{.service = std::string(spans_.services[service]),
                                  .operation = "",
                                  .quantity = "error share",
                                  .unit = "1",
                                  .baseline = n[1] > 0.0 ? n[0] / n[1] : 0.0,
                                  .suspect = n[2] / n[3],
                                  .score = z};
            effects_.evidence[evidence.service].push_back(std::move(evidence));
        }
    }

    SpanEffects take() {
        for (auto& [service, evidence] : effects_.evidence)
            std::ranges::stable_sort(evidence, [](const SpanEvidence& a, const SpanEvidence& b) {
                return a.score > b.score;
            });
        return std::move(effects_);
    }

private:
    void add(std::uint32_t service, double score) {
        effects_.score[std::string(spans_.services[service])] += score;
    }
    void note(Key key, const char* quantity, const Sides& sides, double score) {
        SpanEvidence evidence{.service = std::string(spans_.services[key.first]),
                              .operation = std::string(spans_.operations[key.second]),
                              .quantity = quantity,
                              .unit = "us",
                              .baseline = std::exp(sides.before.mean()),
                              .suspect = std::exp(sides.after.mean()),
                              .score = score,
                              .onset = sides.first_after};
        effects_.evidence[evidence.service].push_back(std::move(evidence));
    }
    void note_gap(Key edge, const Sides& sides, double usual_log, double score) {
        SpanEvidence evidence{
            .service = std::string(spans_.services[edge.second]),
            .operation = fmt_edge(edge),
            .quantity = "client-server gap",
            .unit = "us",
            .baseline = std::exp(sides.before.count > 0.0 ? sides.before.mean() : usual_log),
            .suspect = std::exp(sides.after.mean()),
            .score = score,
            .onset = sides.first_after};
        effects_.evidence[std::string(spans_.services[edge.first])].push_back(evidence);
        effects_.evidence[evidence.service].push_back(std::move(evidence));
    }
    std::string fmt_edge(Key edge) const {
        return std::string(spans_.services[edge.first]) + " > " +
               std::string(spans_.services[edge.second]);
    }

    const SpanTable& spans_;
    SpanEffects effects_;
};

/// The time before: the reference, or everything before the alert when the spans begin later than
/// most of the reference (span collection is often switched on late or kept briefly).
TimeRange span_reference(const SpanTable& spans, const Windows& windows) {
    std::size_t inside = 0;
    std::size_t before_alert = 0;
    for (const TimePoint t : spans.start) {
        inside += windows.reference.contains(t) ? 1 : 0;
        before_alert += t >= windows.reference.begin && t < windows.suspect.begin ? 1 : 0;
    }
    if (4 * inside >= before_alert) return windows.reference;
    return {.begin = windows.reference.begin, .end = windows.suspect.begin};
}

}  // namespace

SpanEffects span_effects(const SpanTable& spans, const Windows& windows) {
    Reading reading(spans);
    const Tables tables = tabulate(spans, span_reference(spans, windows), windows.suspect);
    reading.read_gaps(tables);
    reading.read_self_times(tables);
    reading.read_calls(tables);
    reading.read_failures(tables);
    return reading.take();
}

}  // namespace culprit::tailored
