#include "culprit/tailored/service_shifts.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "culprit/base/parallel.h"
#include "culprit/tailored/running_totals.h"

namespace culprit::tailored {
namespace {

constexpr std::size_t suspect_rows_min = 10;

ShiftEvidence evidence_of(const Frame& frame, const Windows& windows, const ColumnShift& moved) {
    const Column& column = frame.column(moved.column);
    const RowRange rows = rows_in(frame, windows.search);
    const std::span<const double> all =
        moved.derived.empty() ? frame.values(moved.column) : std::span(moved.derived);
    const auto values = all.subspan(rows.first, rows.size());
    ShiftEvidence evidence{.column = column.name,
                           .unit = column.unit,
                           .baseline = moved.shift.location,
                           .peak = moved.shift.suspect_mean,
                           .score = moved.shift.score,
                           .onset = windows.suspect.begin};
    for (const double v : values)
        if (std::isfinite(v) && (v - evidence.baseline) * evidence.score >
                                    (evidence.peak - evidence.baseline) * evidence.score)
            evidence.peak = v;
    const auto onset = stats::find_onset(values, moved.shift.location, moved.shift.scale,
                                         moved.shift.suspect_mean - moved.shift.location);
    if (onset) {
        const auto times = frame.times().subspan(rows.first, rows.size());
        evidence.onset = times[onset->index];
        evidence.onset_uncertainty =
            std::max(frame.step(), (times[onset->latest] - times[onset->earliest]) / 2);
    }
    return evidence;
}

/// A series that was zero all the time: how surprising the rows are in which it is not.
double surprise_of(std::span<const double> before, std::span<const double> after) {
    double present = 0.0;
    for (const double v : after) present += std::isfinite(v) && v != 0.0 ? 1.0 : 0.0;
    return stats::count_shift(0.0, static_cast<double>(before.size()), present,
                              static_cast<double>(after.size()));
}

/// One row in ten or more decides nothing: a glitch of an exporter, one slow request. The suspect
/// mean is taken without the row that is farthest from the location.
void leave_out_one(std::span<const double> after, stats::Shift& shift) {
    if (shift.num_suspect < suspect_rows_min || !(shift.scale > 0.0)) return;
    double farthest = shift.location;
    for (const double v : after)
        if (std::isfinite(v) && std::abs(v - shift.location) > std::abs(farthest - shift.location))
            farthest = v;
    const auto n = static_cast<double>(shift.num_suspect);
    shift.suspect_mean = (shift.suspect_mean * n - farthest) / (n - 1.0);
    shift.score = (shift.suspect_mean - shift.location) / shift.scale;
}

void compare(std::span<const double> before, std::span<const double> after,
             std::vector<double>& scratch, ColumnShift& moved) {
    const auto shift = stats::robust_shift(before, after, scratch);
    if (!shift) return;
    moved.shift = *shift;
    leave_out_one(after, moved.shift);
    const double change = moved.shift.suspect_mean - shift->location;
    moved.excursion = stats::excursion(stats::before_change(before, shift->location, change),
                                       shift->location, shift->scale, after.size());
    if (shift->scale == 0.0 && shift->suspect_mean != 0.0)
        moved.shift.score = surprise_of(before, after);
}

}  // namespace

Result<std::vector<ColumnShift>> column_shifts(const Frame& frame, const Windows& windows,
                                               const Stop& stop, unsigned num_threads) {
    std::vector<ColumnShift> shifts;
    shifts.reserve(frame.num_columns());
    const PlainSeries plain(frame);
    std::unordered_map<std::string_view, MetricFamily> families;
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const Column& column = frame.column(c);
        std::string service =
            column.service.empty() ? service_of_name(column.name) : column.service;
        if (service.empty()) continue;
        if (!plain.is_used(c)) continue;
        const std::string_view metric = plain.is_count(c)       ? std::string_view("requests")
                                        : column.metric.empty() ? std::string_view(column.name)
                                                                : std::string_view(column.metric);
        const auto [family, fresh] = families.try_emplace(metric);
        if (fresh) family->second = family_of(metric);
        shifts.push_back({.column = c, .service = std::move(service), .family = family->second});
    }
    const RowRange before = rows_in(frame, windows.reference);
    const RowRange after = rows_in(frame, windows.suspect);
    std::atomic<bool> stopped = false;
    parallel_for(
        shifts.size(), num_threads,
        [&](std::size_t begin, std::size_t end) {
            std::vector<double> scratch;
            for (std::size_t i = begin; i < end && !stopped; ++i) {
                if (i % 256 == 0 && stop.requested()) stopped = true;
                if (plain.is_derived(shifts[i].column))
                    shifts[i].derived = plain.values(shifts[i].column);
                const std::span<const double> values = shifts[i].derived.empty()
                                                           ? frame.values(shifts[i].column)
                                                           : std::span(shifts[i].derived);
                compare(values.subspan(before.first, before.size()),
                        values.subspan(after.first, after.size()), scratch, shifts[i]);
            }
        },
        256);
    CULPRIT_TRY_STATUS(stop.check());
    return shifts;
}

namespace {

/// Numbers for names, in the order of their appearance. The same name mostly follows itself.
class Numbering {
public:
    std::size_t number_of(const std::string& name) {
        if (last_name_ == nullptr || name != *last_name_) {
            last_number_ = numbers_.try_emplace(name, numbers_.size()).first->second;
            last_name_ = &name;
        }
        return last_number_;
    }

private:
    std::unordered_map<std::string_view, std::size_t> numbers_;  // views of the caller's names
    const std::string* last_name_ = nullptr;
    std::size_t last_number_ = 0;
};

}  // namespace

std::map<std::string, double> own_change(const std::vector<ColumnShift>& shifts,
                                         const OwnChangeOptions& options) {
    std::map<std::string, double> scores;
    std::vector<std::map<std::string, double>::iterator> score_of;  // by the service's number
    Numbering services;
    Numbering families;
    struct Change {
        std::size_t service;
        double e;
    };
    std::vector<std::vector<Change>> by_family;               // the largest e of each service
    std::unordered_map<std::uint64_t, std::size_t> place_of;  // family << 32 | service -> in those
    for (const ColumnShift& s : shifts) {
        const std::size_t service = services.number_of(s.service);
        if (service == score_of.size())
            score_of.push_back(scores.try_emplace(s.service, 0.0).first);
        if (options.skip_flow && s.family.role != FamilyRole::own) continue;
        const std::size_t family = families.number_of(s.family.key);
        if (family == by_family.size()) by_family.emplace_back();
        std::vector<Change>& changes = by_family[family];
        const auto [at, fresh] =
            place_of.try_emplace(std::uint64_t{family} << 32U | service, changes.size());
        if (fresh) changes.push_back({service, 0.0});
        double& e = changes[at->second].e;
        e = std::max(e, std::log1p(std::abs(options.load_rose ? s.beyond_load : s.shift.score)));
    }
    for (std::vector<Change>& changes : by_family) {
        // By name, so that sums do not depend on the order of the columns.
        std::ranges::sort(changes, {}, [&](const Change& change) -> const std::string& {
            return score_of[change.service]->first;
        });
        double sum = 0.0;
        double squares = 0.0;
        for (const auto& [service, e] : changes) {
            const double p = std::max(0.0, e - 1.0);
            sum += p;
            squares += p * p;
        }
        const double sharing = squares > 0.0 ? sum * sum / squares : 1.0;
        for (const auto& [service, e] : changes) {
            double& score = score_of[service]->second;
            score = std::max(score, e / std::sqrt(sharing));
        }
    }
    return scores;
}

std::map<std::string, std::vector<ShiftEvidence>> shift_evidence(
    const Frame& frame, const Windows& windows, const std::vector<ColumnShift>& shifts,
    std::size_t count) {
    std::map<std::string, std::vector<const ColumnShift*>> by_service;
    for (const ColumnShift& s : shifts)
        if (std::abs(s.shift.score) >= 1.0) by_service[s.service].push_back(&s);
    std::map<std::string, std::vector<ShiftEvidence>> evidence;
    for (auto& [service, moved] : by_service) {
        std::ranges::stable_sort(moved, [](const ColumnShift* a, const ColumnShift* b) {
            return std::abs(a->shift.score) > std::abs(b->shift.score);
        });
        if (moved.size() > count) moved.resize(count);
        for (const ColumnShift* s : moved)
            evidence[service].push_back(evidence_of(frame, windows, *s));
    }
    return evidence;
}

}  // namespace culprit::tailored
