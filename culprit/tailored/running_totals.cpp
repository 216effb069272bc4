#include "culprit/tailored/running_totals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>

#include "culprit/catalogue/catalogue.h"
#include "culprit/stats/moments.h"
#include "culprit/tailored/metric_family.h"

namespace culprit::tailored {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

std::string_view metric_of(const Column& column) {
    return column.metric.empty() ? std::string_view(column.name) : std::string_view(column.metric);
}

bool is_called_total(std::string_view metric) {
    if (metric.ends_with("_total") || metric.ends_with("_sum") || metric.ends_with("_count") ||
        metric.ends_with("_bucket"))
        return true;
    const SeriesMatch match = Catalogue::builtin().match(metric);
    return match.signal != nullptr && match.signal->type == SignalType::counter;
}

bool rises(std::span<const double> values) {
    double first = nan_value;
    double last = nan_value;
    for (const double v : values) {
        if (!std::isfinite(v)) continue;
        if (!std::isfinite(first)) first = v;
        last = v;
    }
    return std::isfinite(first) && last != first;
}

bool is_called_events(std::string_view metric) {
    const FamilyRole role = family_of(metric).role;
    return role == FamilyRole::errors || role == FamilyRole::traffic;
}

/// What counts events by its name and never fell while it rose in several rows is a total, whatever
/// it is called: OpenTelemetry's counters do not end in "_total". Of five values in any order, one
/// order in 120 rises.
bool only_rises(std::span<const double> values) {
    constexpr std::size_t rises_min = 5;
    double last = nan_value;
    std::size_t rises = 0;
    for (const double v : values) {
        if (!std::isfinite(v)) continue;
        if (v < last) return false;
        rises += v > last ? 1 : 0;
        last = v;
    }
    return rises >= rises_min;
}

using Key = std::tuple<std::string, std::string, std::map<std::string, std::string>>;

}  // namespace

bool looks_cumulative(std::span<const double> values) {
    if (stats::all_finite(values)) {
        std::size_t falls = 0;
        for (std::size_t r = 1; r < values.size(); ++r) falls += values[r] < values[r - 1] ? 1 : 0;
        return falls * 20 <= std::max<std::size_t>(values.size(), 1) - 1;
    }
    double last = nan_value;
    std::size_t falls = 0;
    std::size_t steps = 0;
    for (const double v : values) {
        if (!std::isfinite(v)) continue;
        if (std::isfinite(last)) {
            ++steps;
            if (v < last) ++falls;
        }
        last = v;
    }
    return falls * 20 <= steps;
}

std::vector<double> increases(std::span<const double> values) {
    std::vector<double> out(values.size(), nan_value);
    if (stats::all_finite(values)) {
        for (std::size_t r = 1; r < values.size(); ++r) {
            const double up = values[r] - values[r - 1];
            out[r] = values[r] >= values[r - 1] ? up : values[r];
        }
        return out;
    }
    double last = nan_value;
    for (std::size_t r = 0; r < values.size(); ++r) {
        if (!std::isfinite(values[r])) {
            last = nan_value;
            continue;
        }
        if (std::isfinite(last)) out[r] = values[r] >= last ? values[r] - last : values[r];
        last = values[r];
    }
    return out;
}

PlainSeries::PlainSeries(const Frame& frame)
    : frame_(frame),
      kinds_(frame.num_columns(), Kind::level),
      count_of_(frame.num_columns(), frame.num_columns()) {
    std::map<Key, std::size_t> counts;  // of histograms, by what they are of
    struct Called {
        bool total = false;
        bool events = false;
    };
    std::unordered_map<std::string_view, Called> called;
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        const Column& column = frame.column(c);
        const std::string_view metric = metric_of(column);
        const auto [known, fresh] = called.try_emplace(metric);
        if (fresh) known->second = {is_called_total(metric), is_called_events(metric)};
        const auto [is_total, is_events] = known->second;
        if ((!is_total && !is_events) || column.unit.ends_with("/s")) continue;
        const auto values = frame.values(c);
        if (is_total ? !looks_cumulative(values) || !rises(values) : !only_rises(values)) continue;
        kinds_[c] = Kind::total;
        if (!metric.ends_with("_count")) continue;
        kinds_[c] = Kind::count;
        counts[{column.service, std::string(metric.substr(0, metric.size() - 6)), column.labels}] =
            c;
    }
    if (counts.empty()) return;
    for (std::size_t c = 0; c < frame.num_columns(); ++c) {
        if (kinds_[c] != Kind::total) continue;
        const Column& column = frame.column(c);
        const std::string_view metric = metric_of(column);
        const bool is_sum = metric.ends_with("_sum");
        if (!is_sum && !metric.ends_with("_bucket")) continue;
        auto labels = column.labels;
        if (!is_sum) labels.erase("le");
        const auto found =
            counts.find({column.service, std::string(metric.substr(0, metric.rfind('_'))), labels});
        if (found == counts.end()) continue;
        kinds_[c] = is_sum ? Kind::mean : Kind::bucket;
        count_of_[c] = found->second;
    }
}

std::vector<double> PlainSeries::values(std::size_t column) const {
    const auto raw = frame_.values(column);
    if (kinds_[column] == Kind::level) return {raw.begin(), raw.end()};
    std::vector<double> out = increases(raw);
    if (kinds_[column] != Kind::mean) return out;
    const std::vector<double> count = increases(frame_.values(count_of_[column]));
    for (std::size_t r = 0; r < out.size(); ++r)
        out[r] = count[r] > 0.0 ? out[r] / count[r] : nan_value;
    return out;
}

}  // namespace culprit::tailored
