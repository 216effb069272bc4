#include "culprit/tailored/load_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

namespace culprit::tailored {
namespace {

/// The least change that matters, as of all arrivals (`change_of_mean` in observations.cpp): they
/// are uneven from row to row.
constexpr double change_min = 1.0 / 6.0;
/// Below it, no request comes through and none tells what one costs.
constexpr double factor_min = 0.1;

double median_of(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    if (values.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2.0;
}

bool counts_requests(const MetricFamily& family) { return family.role == FamilyRole::traffic; }
bool counts_bytes(const MetricFamily& family) { return family.key == "network"; }

using Counts = bool (*)(const MetricFamily&);

/// Of each service the median of `reading` over what it counts.
template <typename Reading>
std::vector<double> by_service(const std::vector<ColumnShift>& shifts, Counts counts,
                               const Reading& reading) {
    std::map<std::string_view, std::vector<double>> readings;
    for (const ColumnShift& moved : shifts)
        if (counts(moved.family) && moved.shift.location > 0.0 && moved.shift.num_suspect > 0)
            readings[moved.service].push_back(reading(moved));
    std::vector<double> medians;
    medians.reserve(readings.size());
    for (auto& [service, values] : readings) medians.push_back(median_of(values));
    return medians;
}

double log_growth(const ColumnShift& moved) {
    return std::log(std::max(moved.shift.suspect_mean / moved.shift.location, factor_min));
}

double deviations_beyond_quiet(const ColumnShift& moved) {
    return moved.shift.score / std::max(1.0, moved.excursion);
}

bool tells_of_users(const ColumnShift& moved) {
    return moved.family.role != FamilyRole::own && moved.family.role != FamilyRole::traffic;
}

}  // namespace

LoadChange load_change(const std::vector<ColumnShift>& shifts, std::size_t num_services) {
    LoadChange load;
    Counts counts = counts_requests;
    std::vector<double> growth = by_service(shifts, counts, log_growth);
    load.counts_requests = growth.size() >= 2 && 2 * growth.size() >= num_services;
    if (!load.counts_requests) {
        counts = counts_bytes;
        growth = by_service(shifts, counts, log_growth);
    }
    if (growth.size() < 2 || 2 * growth.size() < num_services) return load;
    load.num_services = growth.size();
    const double change = median_of(growth);
    const bool matters = std::abs(change) >= std::log1p(change_min);
    if (!matters || (change < 0.0 && std::ranges::none_of(shifts, tells_of_users))) return load;
    load.factor = std::exp(change);
    std::vector<double> deviations = by_service(shifts, counts, deviations_beyond_quiet);
    load.deviations = median_of(deviations);
    return load;
}

double beyond_load(const ColumnShift& moved, const LoadChange& load) {
    const stats::Shift& shift = moved.shift;
    if (!(shift.scale > 0.0) || moved.family.role == FamilyRole::availability) return shift.score;
    const double alike = shift.location * load.factor;
    const auto [low, high] = std::minmax(shift.location, alike);
    const double beyond = shift.suspect_mean - std::clamp(shift.suspect_mean, low, high);
    return beyond / (shift.scale * std::max(1.0, load.factor));
}

FindingStep load_step(const Frame& frame, const Windows& windows,
                      const std::vector<ColumnShift>& shifts, const LoadChange& load) {
    const auto counts = load.counts_requests ? counts_requests : counts_bytes;
    std::vector<ColumnShift> counted;
    for (const ColumnShift& moved : shifts)
        if (counts(moved.family)) counted.push_back(moved);
    std::vector<ShiftEvidence> evidence;
    for (auto& [service, most] : shift_evidence(frame, windows, counted, 1))
        evidence.push_back(std::move(most.front()));
    FindingStep step{.text = fmt::format("{:.2g} times as many {} as before, median of {} services",
                                         load.factor, load.counts_requests ? "requests" : "bytes",
                                         load.num_services)};
    if (evidence.empty()) return step;
    const auto middle = evidence.begin() + static_cast<std::ptrdiff_t>(evidence.size() / 2);
    std::ranges::nth_element(evidence, middle, {}, &ShiftEvidence::onset);
    step.when = middle->onset;
    step.uncertainty = middle->onset_uncertainty;
    return step;
}

}  // namespace culprit::tailored
