#include "culprit/explain/log_change.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "culprit/base/cut.h"
#include "culprit/logs/template_miner.h"
#include "culprit/stats/robust_shift.h"

namespace culprit {
namespace {

constexpr std::size_t example_bytes_max = 400;

/// Records of one template in one window, and how they come: one by one or in batches.
class Arrivals {
public:
    void add(TimePoint time) {
        const auto second = std::chrono::floor<std::chrono::seconds>(time);
        if (second != second_) squares_ += square(std::exchange(in_second_, 0.0));
        second_ = second;
        in_second_ += 1.0;
        number_ += 1.0;
    }
    double number() const { return number_; }
    /// Variance over mean of the number per second, at least 1.
    double dispersion(double seconds) const {
        if (number_ == 0.0 || seconds <= 0.0) return 1.0;
        const double mean = number_ / seconds;
        return std::max(1.0, ((squares_ + square(in_second_)) / seconds - mean * mean) / mean);
    }

private:
    static double square(double x) { return x * x; }
    double number_ = 0.0;
    double squares_ = 0.0;  // over the seconds that are over
    double in_second_ = 0.0;
    std::chrono::sys_seconds second_{};
};

struct Count {
    std::uint32_t source = 0;
    std::uint32_t template_id = 0;
    Arrivals baseline;
    Arrivals suspect;
    std::size_t first_in_suspect = 0;  // record
    std::size_t any_record = 0;
};

// Minutes of `range` between the first and the last record.
double covered_minutes(const TimeRange& range, TimePoint first, TimePoint last) {
    const Duration covered = std::min(range.end, last) - std::max(range.begin, first);
    return std::max(0.0, to_seconds(covered) / 60.0);
}

std::vector<Count> count_records(const Incident& incident, const LogTemplates& templates) {
    const LogTable& logs = *incident.logs;
    std::vector<Count> counts;
    std::unordered_map<std::uint64_t, std::size_t> index;
    for (std::size_t r = 0; r < logs.size(); ++r) {
        const bool is_suspect = incident.suspect.contains(logs.time[r]);
        if (!is_suspect && !incident.baseline.contains(logs.time[r])) continue;
        const std::uint64_t key = (std::uint64_t{logs.source[r]} << 32U) | templates.of_record[r];
        const auto [at, is_new] = index.emplace(key, counts.size());
        if (is_new)
            counts.push_back(
                {.source = logs.source[r], .template_id = templates.of_record[r], .any_record = r});
        Count& count = counts[at->second];
        if (!is_suspect) {
            count.baseline.add(logs.time[r]);
            continue;
        }
        if (count.suspect.number() == 0 || logs.time[r] < logs.time[count.first_in_suspect])
            count.first_in_suspect = r;
        count.suspect.add(logs.time[r]);
    }
    return counts;
}

}  // namespace

std::vector<LogEvidence> log_changes(const Incident& incident, double score_min) {
    std::vector<LogEvidence> changes;
    if (!incident.logs || incident.logs->size() == 0) return changes;
    const LogTable& logs = *incident.logs;
    const auto [first, last] = std::minmax_element(logs.time.begin(), logs.time.end());
    const double baseline_minutes = covered_minutes(incident.baseline, *first, *last);
    const double suspect_minutes = covered_minutes(incident.suspect, *first, *last);
    if (baseline_minutes <= 0 || suspect_minutes <= 0) return changes;
    const LogTemplates templates = mine_templates(logs);
    for (const Count& count : count_records(incident, templates)) {
        const double before = count.baseline.number();
        const double after = count.suspect.number();
        const double dispersion = std::max(count.baseline.dispersion(60.0 * baseline_minutes),
                                           count.suspect.dispersion(60.0 * suspect_minutes));
        const double score = stats::count_shift(before, baseline_minutes, after, suspect_minutes) /
                             std::sqrt(dispersion);
        if (std::abs(score) < score_min) continue;
        const std::size_t example = after > 0 ? count.first_in_suspect : count.any_record;
        changes.push_back(
            {.source = std::string(logs.sources[count.source]),
             .log_template = cut(templates.templates[count.template_id].text, example_bytes_max),
             .baseline_per_minute = before / baseline_minutes,
             .suspect_per_minute = after / suspect_minutes,
             .score = score,
             .first_seen = logs.time[example],
             .example = cut(logs.message(example), example_bytes_max)});
    }
    std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
        return std::abs(a.score) > std::abs(b.score);
    });
    return changes;
}

}  // namespace culprit
