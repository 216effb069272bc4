#include "culprit/tailored/observations.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "culprit/base/parallel.h"
#include "culprit/stats/moments.h"
#include "culprit/stats/quantile.h"
#include "culprit/tailored/evidence.h"

namespace culprit::tailored {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double rare_events_max = 20.0;  // in the whole reference: below it, Gauss misleads
constexpr double segment_evidence_min =
    8.0;  // nats: chance segments of this length do not reach it
constexpr double requests_min = 8.0;
constexpr double request_share_least = 0.1;
constexpr double independent_rows_min = 2.0;  // of a segment
constexpr std::size_t stem_letters_min = 3;
constexpr double own_share_min = 1.0 / 3.0;
constexpr double correlation_max = 0.8;
constexpr double segment_deviations_min = 2.5;
constexpr double correlated_rows = 2.0;  // of arrivals: as many rows count as one
constexpr double work_share_least = 0.15;
constexpr double longer_max = 10.0;
constexpr double longer_by_chance = 0.15;  // means of a few requests differ so much by themselves
constexpr double uneven_share = 0.25;  // of a move that siblings share: how far they part over it
constexpr double first_event_deviations = 3.5;  // of a thing that should never happen
constexpr double deviations_max = 50.0;
constexpr double excursion_usual = 2.0;  // scales: as likely as not
constexpr double vanished_deviations = -8.0;

struct Rows {
    RowRange reference;
    RowRange search;
    RowRange suspect;
};

std::span<const double> part(const std::vector<double>& values, RowRange rows) {
    return std::span(values).subspan(rows.first, rows.size());
}

std::size_t num_finite(std::span<const double> values) {
    std::size_t n = 0;
    for (const double v : values) n += std::isfinite(v) ? 1 : 0;
    return n;
}

struct Moved {
    double deviations = 0.0;
    double baseline = 0.0;
    double suspect = nan_value;
    std::optional<stats::Onset> onset;  // in rows of the search window
};

double mean_of(std::span<const double> values) {
    double sum = 0.0;
    double count = 0.0;
    for (const double v : values)
        if (std::isfinite(v)) {
            sum += v;
            count += 1.0;
        }
    return count > 0.0 ? sum / count : nan_value;
}

/// The change of a quantity below which nobody would care, in the feature's unit.
double least_change(const Feature& feature) {
    if (feature.signal.starts_with("engine.path_")) return 10e-3;  // s: scheduling alone does that
    if (feature.signal == "engine.frontend_residual" || feature.signal == "engine.tokenize_time")
        return 5e-3;
    if (feature.signal == "link.retransmit_share") return 0.02;  // a delay that begins does that
    if (feature.signal == "node_vmstat_pgmajfault" ||
        feature.signal == "container_memory_failures_total")
        return 10.0;  // per second: a file that is read for the first time does that
    if (feature.signal == "node_disk_io_time_seconds_total")  // busy: 1 is saturated
        return feature.unit == "%" ? 10.0 : 0.1;
    if (feature.signal == "node_load1") return 0.5;
    if (feature.signal == "engine.stalled") return 0.2;  // of the time: a long prompt does that
    if (family_of_signal(feature.signal) == SignalFamily::memory && feature.unit == "By" &&
        feature.kind == FeatureKind::level)
        return 32e6;  // what a few more processes take
    if (feature.signal == "engine.queue_time") return feature.unit == "ms" ? 10.0 : 10e-3;
    if (feature.kind == FeatureKind::rate && feature.unit == "s" &&
        is_use_of_processors(feature.signal))
        return 0.05;  // cores
    if (family_of_signal(feature.signal) == SignalFamily::storage && feature.unit == "By")
        return 10e6;  // per second: the slowest disks that serve models write ten times as much
    if (feature.kind == FeatureKind::ratio || feature.unit == "1") return 0.01;
    if (feature.unit == "%") return 1.0;
    if (feature.kind == FeatureKind::average)
        return feature.unit == "s" ? 0.5e-3 : feature.unit == "ms" ? 0.5 : 0.0;
    if (feature.kind == FeatureKind::rate) return feature.unit == "s" ? 0.01 : 0.0;  // cores
    if (feature.unit == "{request}") return 0.2;
    if (feature.unit == "Cel") return 1.0;
    return feature.unit == "W" ? 2.0 : 0.0;
}

/// stats::excursion of what lies before the change. Below excursion_usual, and then only a bound of
/// it, where no single value strayed that far.
double excursion_of(std::span<const double> before, double location, double scale,
                    std::size_t length, double change) {
    before = stats::before_change(before, location, change);
    const stats::Extremes reached = stats::extremes(before);
    const double farthest_value =
        std::max(reached.maximum - location, location - reached.minimum) / scale;
    if (farthest_value < 0.99 * excursion_usual) return std::max(0.0, farthest_value);
    return stats::excursion(before, location, scale, length);
}

/// Deviations that the quiet time has shown as well count for excursion_usual at most.
double beyond_excursion(double deviations, double excursion) {
    return deviations * std::min(1.0, excursion_usual / std::max(excursion, 1e-9));
}

/// Rows that count as one, from the correlation of neighbours in the quiet time: (1 + r) / (1 - r).
double rows_as_one(std::span<const double> before, double location) {
    double products = 0.0;
    double squares = 0.0;
    for (std::size_t i = 1; i < before.size(); ++i) {
        const double a = before[i - 1] - location;
        const double b = before[i] - location;
        if (!std::isfinite(a) || !std::isfinite(b)) continue;
        products += a * b;
        squares += 0.5 * (a * a + b * b);
    }
    const double r = squares > 0.0 ? std::clamp(products / squares, 0.0, correlation_max) : 0.0;
    return (1.0 + r) / (1.0 - r);
}

bool is_work(const Feature& feature) {
    return feature.kind == FeatureKind::rate &&
           family_of_signal(feature.signal) == SignalFamily::work;
}

struct Spread {
    double mean = 0.0;
    double error = 0.0;  // of the mean, squared
};

Spread spread_of(std::span<const double> values) {
    double n = 0.0;
    double sum = 0.0;
    double squares = 0.0;
    for (const double v : values)
        if (std::isfinite(v)) {
            n += 1.0;
            sum += v;
            squares += v * v;
        }
    if (n < 2.0) return {.mean = nan_value};
    const double mean = sum / n;
    return {mean, correlated_rows * std::max(0.0, squares / n - mean * mean) / (n - 1.0)};
}

/// Arrivals are so uneven from row to row that one row says little, and their mean over a window
/// much: its change in standard errors, with a sixth of the level as the least that matters.
double change_of_mean(std::span<const double> before, std::span<const double> after, double level) {
    const Spread usual = spread_of(before);
    const Spread now = spread_of(after);
    const double least = work_share_least * (std::isfinite(level) ? level : usual.mean);
    const double scale = std::sqrt(usual.error + now.error + least * least);
    const double z = (now.mean - usual.mean) / scale;
    return std::isfinite(z) ? beyond_excursion(z, excursion_of(before, usual.mean, scale,
                                                               after.size(), now.mean - usual.mean))
                            : 0.0;
}

/// How large a change of a signal must be to mean something.
struct Sensitivity {
    double least = 0.0;   // in its unit
    double floor = 0.05;  // of its level
    bool is_work = false;
    double mad_factor = 1.0;
};

/// A sibling's difference to the median of n, itself included, is zero where it is the median, in
/// one row of three for n = 3: its MAD is so many times smaller than its deviation (bell curves).
double mad_factor_of(std::size_t num_siblings) {
    return num_siblings == 3 ? 1.9 : 1.0 + 1.2 / static_cast<double>(num_siblings);
}

/// What somebody has set stays as it is set: two percent less are no chance.
bool is_setting(const Feature& feature) {
    return feature.signal == "gpu.sm_clock" || feature.signal == "gpu.power_limit";
}

/// What single requests tell of their mean, before and since.
struct RequestMeans {
    double before = nan_value;
    double now = nan_value;
    double error = 0.0;  // of their difference, squared

    double change() const { return now - before; }
};

/// Each row is the mean of so many requests, so that its variance is that of one request over their
/// number; rows next to one another share queues (correlated_rows).
Spread spread_of_requests(const Feature& feature, RowRange rows) {
    double n = 0.0;
    double sum = 0.0;
    for (std::size_t r = rows.first; r < rows.last; ++r)
        if (std::isfinite(feature.values[r])) {
            n += feature.requests[r];
            sum += feature.requests[r] * feature.values[r];
        }
    if (n < requests_min) return {.mean = nan_value};
    const double mean = sum / n;
    double squares = 0.0;
    double rows_with = 0.0;
    for (std::size_t r = rows.first; r < rows.last; ++r)
        if (std::isfinite(feature.values[r])) {
            const double away = feature.values[r] - mean;
            squares += feature.requests[r] * away * away;
            rows_with += 1.0;
        }
    if (rows_with < 3.0) return {.mean = nan_value};
    return {mean, correlated_rows * squares / (rows_with - 1.0) / n};
}

RequestMeans request_means(const Feature& feature, const Rows& rows) {
    if (feature.requests.empty()) return {};
    const Spread usual = spread_of_requests(feature, rows.reference);
    const Spread now = spread_of_requests(feature, rows.suspect);
    return {usual.mean, now.mean, usual.error + now.error};
}

/// Of two measures of the same move the one that speaks louder, unless they contradict.
double louder(double deviations, double of_requests) {
    if (!std::isfinite(of_requests) || std::abs(of_requests) <= std::abs(deviations))
        return deviations;
    return of_requests * deviations > 0.0 || std::abs(deviations) < segment_deviations_min
               ? of_requests
               : deviations;
}

/// Deviations of a change of means of requests, with a tenth of the level as the least that
/// matters.
double of_requests(double change, double error, double level, double least) {
    const double enough = request_share_least * std::abs(level) + least;
    return change / std::sqrt(error + enough * enough);
}

Sensitivity sensitivity_of(const Feature& feature) {
    return {.least = least_change(feature),
            .floor = is_setting(feature) ? 0.02 : 0.05,
            .is_work = is_work(feature)};
}

/// `level`: size of the quantity, for the floor; NaN takes it from the baseline itself.
/// `own`: for a difference to the siblings, how the signal itself moved; where the difference did
/// the same on the whole, its excursions the other way are the siblings'.
Moved compare(const std::vector<double>& values, const Rows& rows, double level,
              const Sensitivity& sensitivity, std::vector<double>& scratch, double own = 0.0) {
    const auto& [least, floor, is_work, mad_factor] = sensitivity;
    Moved moved;
    const auto before = part(values, rows.reference);
    const auto after = part(values, rows.suspect);
    const bool own_level = !std::isfinite(level);
    auto shift =
        stats::robust_shift(before, after, scratch,
                            {.relative_floor = own_level ? floor : 0.0, .mad_factor = mad_factor});
    if (!shift) return moved;
    if (!own_level) shift->scale += floor * std::abs(level);
    moved.baseline = shift->location;
    moved.suspect = shift->suspect_mean;
    if (!(shift->scale > 0.0)) {  // silent before: any regular signal now is a change
        double present = 0.0;
        for (const double v : after) present += std::isfinite(v) && v != 0.0 ? 1.0 : 0.0;
        const double z = stats::count_shift(0.0, static_cast<double>(before.size()), present,
                                            static_cast<double>(after.size()));
        const double size = least > 0.0 ? std::abs(moved.suspect) / least : z;
        moved.deviations = present > 0.0 ? std::copysign(std::min(z, size), moved.suspect) : 0.0;
        return moved;
    }
    shift->scale += least;
    const double change = shift->suspect_mean - shift->location;
    moved.deviations =
        beyond_excursion(change / shift->scale,
                         excursion_of(before, shift->location, shift->scale, after.size(), change));
    const auto search = part(values, rows.search);
    // A fault shorter than the window, or one that the alert came late for: its own segment. Of an
    // excursion and the way back the first is the effect, the second the recovery.
    const bool one_way = std::abs(own) >= segment_deviations_min && change * own > 0.0;
    const stats::OnsetShifts trials = {change, 2.0 * shift->scale, -2.0 * shift->scale};
    const auto ratios = stats::onset_ratios(search, shift->location, shift->scale, trials);
    double as_one = 0.0;
    for (std::size_t k = 0; k < 3; ++k) {
        const double trial = trials[k];
        if (one_way && trial * own < 0.0) continue;
        if (ratios[k] < segment_evidence_min) continue;
        const auto onset = stats::find_onset(search, shift->location, shift->scale, trial);
        if (as_one == 0.0) as_one = rows_as_one(before, shift->location);
        if (!onset || onset->log_likelihood_ratio < segment_evidence_min * as_one) continue;
        if (static_cast<double>(onset->end - onset->index) < independent_rows_min * as_one)
            continue;
        const auto segment = search.subspan(onset->index, onset->end - onset->index);
        const double mean = mean_of(segment);
        double z =
            beyond_excursion((mean - shift->location) / shift->scale,
                             excursion_of(before, shift->location, shift->scale,
                                          onset->end - onset->index, mean - shift->location));
        if (is_work) {  // a few rows of arrivals say little
            const double sure = change_of_mean(before, segment, level);
            if (std::abs(sure) < std::abs(z)) z = sure;
        }
        const bool first = !moved.onset || onset->index + 1 < moved.onset->index;
        const bool same = moved.onset && onset->index <= moved.onset->index + 1;
        if (onset->end - onset->index >= 2 && std::abs(z) >= segment_deviations_min &&
            (first || (same && std::abs(z) > std::abs(moved.deviations)))) {
            moved.deviations = z;
            moved.suspect = mean;
            moved.onset = onset;
        }
    }
    if (is_work) {
        const double z = change_of_mean(before, after, level);
        if (std::abs(z) > std::abs(moved.deviations) &&
            (z * moved.deviations > 0.0 || std::abs(moved.deviations) < segment_deviations_min))
            moved.deviations = z;
    }
    return moved;
}

/// Events in a part of the series, and the rows that could have had some.
struct Events {
    double count = 0.0;
    double rows = 0.0;
};

Events events_in(const Feature& feature, RowRange rows, double step_seconds) {
    Events events;
    for (const double v : part(feature.values, rows))
        if (std::isfinite(v)) {
            events.count += v * step_seconds;
            events.rows += 1.0;
        }
    events.count = std::round(events.count);
    return events;
}

/// Variance over mean of the events per row, at least 1: what comes in batches surprises less.
double overdispersion(const std::vector<const Feature*>& members, RowRange rows,
                      double step_seconds) {
    double n = 0.0;
    double sum = 0.0;
    double squares = 0.0;
    for (const Feature* f : members)
        for (const double v : part(f->values, rows))
            if (std::isfinite(v)) {
                n += 1.0;
                sum += v * step_seconds;
                squares += v * v * step_seconds * step_seconds;
            }
    if (sum <= 0.0) return 1.0;
    const double mean = sum / n;
    return std::max(1.0, (squares / n - mean * mean) / mean);
}

/// A change in how often something rare happens.
double rare_event_deviations(const Feature& feature, Events before, Events after,
                             double dispersion) {
    double z = stats::count_shift(before.count, before.rows, after.count, after.rows);
    z /= std::sqrt(dispersion);
    if (before.count == 0.0 && after.count > 0.0 && feature.bad_when_up)
        z = std::max(z, first_event_deviations);
    return z;
}

bool is_rare(const Feature& feature, const Rows& rows, double step_seconds) {
    return feature.counts_events &&
           events_in(feature, rows.reference, step_seconds).count < rare_events_max;
}

bool measures_work_or_presence(const Feature& feature) {
    if (feature.kind == FeatureKind::average || feature.kind == FeatureKind::ratio) return false;
    return feature.signal.starts_with("engine.") || feature.signal.starts_with("gpu.") ||
           feature.signal == "up";
}

/// A quantity that cannot be negative fell to a seventh of `usual` or less, or rose to four times
/// it.
double extreme_probability(double usual, double suspect) {
    if (usual < 0.0 || suspect < 0.0) return 0.0;
    if (usual == 0.0) return suspect > 0.0 ? 1.0 : 0.0;
    const double ratio = suspect / usual;
    return ratio < 1.0 ? 1.0 / (1.0 + std::exp((ratio - 0.15) / 0.04))
                       : 1.0 / (1.0 + std::exp((std::log(4.0) - std::log(ratio)) / 0.2));
}

Observation observe_own(const Feature& feature, std::size_t index, const Rows& rows,
                        const Frame& frame, std::vector<double>& scratch) {
    Observation seen{.feature = index, .siblings_now = nan_value};
    Moved moved = compare(feature.values, rows, nan_value, sensitivity_of(feature), scratch);
    const RequestMeans means = request_means(feature, rows);
    moved.deviations = louder(moved.deviations, of_requests(means.change(), means.error,
                                                            means.before, least_change(feature)));
    const auto before = part(feature.values, rows.reference);
    const auto after = part(feature.values, rows.suspect);
    const double step = to_seconds(frame.step());
    if (is_rare(feature, rows, step))
        moved.deviations = rare_event_deviations(feature, events_in(feature, rows.reference, step),
                                                 events_in(feature, rows.suspect, step),
                                                 overdispersion({&feature}, rows.reference, step));
    if (2 * num_finite(before) >= before.size() && before.size() > 1 && after.size() > 0 &&
        2 * num_finite(after) < after.size() && moved.baseline != 0.0 &&
        measures_work_or_presence(feature)) {
        seen.vanished = true;
        moved.deviations = std::min(moved.deviations, vanished_deviations);
        moved.suspect = 0.0;
    }
    seen.baseline = moved.baseline;
    seen.suspect = std::isfinite(moved.suspect) ? moved.suspect : moved.baseline;
    seen.extreme = extreme_probability(seen.baseline, seen.suspect);
    seen.own = std::clamp(moved.deviations, -deviations_max, deviations_max);
    seen.relative = seen.own;
    seen.onset = frame.times()[std::min(rows.suspect.first, frame.num_rows() - 1)];
    if (moved.onset) {
        const auto times = frame.times().subspan(rows.search.first, rows.search.size());
        seen.onset = times[moved.onset->index];
        seen.onset_uncertainty =
            std::max(frame.step(), (times[moved.onset->latest] - times[moved.onset->earliest]) / 2);
    }
    return seen;
}

/// A replica's name without what tells it from its siblings: "ray-replicas" of "ray-replicas-0",
/// "vllm" of "vllm-7f9c8d-x2kq", "worker" of "worker-b", nothing of "10.0.0.5:8000".
std::string_view stem_of(std::string_view service) {
    std::size_t begin = 0;
    while (begin < service.size()) {
        const std::size_t end = std::min(service.find_first_of("-_.:/", begin), service.size());
        const std::string_view word = service.substr(begin, end - begin);
        const std::size_t digit = word.find_first_of("0123456789");
        if (digit != std::string_view::npos && begin == 0) return service.substr(0, digit);
        if (digit != std::string_view::npos || (word.size() <= 1 && begin > 0))
            return service.substr(0, begin - 1);
        begin = end + 1;
    }
    return service;
}

/// Siblings have the same signals and the same name but for a number. Engines play one part with
/// those of their name, whatever their signals; those of which each has a name of its own,
/// together.
std::map<std::string, std::vector<std::string>> parts_played(const std::vector<Feature>& features) {
    struct Component {
        const std::string* service;
        bool has_engine = false;
        std::vector<std::string_view> signals;
    };
    std::vector<Component> components;
    std::unordered_map<std::string_view, std::size_t> index;
    std::size_t at = 0;
    for (const Feature& f : features) {
        if (components.empty() || f.service != *components[at].service) {
            const auto [found, fresh] = index.try_emplace(f.service, components.size());
            if (fresh) components.push_back({.service = &f.service});
            at = found->second;
        }
        components[at].signals.push_back(f.signal);
        if (is_of_inference(f.signal) && !is_named_front(f.service))
            components[at].has_engine = true;
    }
    std::map<std::string, std::vector<std::string>> parts;
    std::map<std::string_view, std::vector<std::string>> engines;
    for (Component& component : components) {
        const std::string_view stem = stem_of(*component.service);
        if (component.has_engine) {
            engines[stem].push_back(*component.service);
            continue;
        }
        std::ranges::sort(component.signals);
        component.signals.erase(std::unique(component.signals.begin(), component.signals.end()),
                                component.signals.end());
        std::string part(stem);
        for (const std::string_view signal : component.signals) (part += "\n").append(signal);
        parts[part].push_back(*component.service);
    }
    // What tells a pod from its siblings may lack a digit: its name begins as theirs do.
    const auto family_of = [&](std::string_view stem) {
        for (const auto& [other, services] : engines)
            if (other.size() >= stem_letters_min && other != stem && stem.starts_with(other))
                return other;
        return stem;
    };
    std::map<std::string_view, std::vector<std::string>> families;
    for (const auto& [stem, services] : engines) {
        auto& family = families[family_of(stem)];
        family.insert(family.end(), services.begin(), services.end());
    }
    for (const auto& [stem, services] : families) {
        auto& part = parts[services.size() >= 2 ? "engine " + std::string(stem) : "engine"];
        part.insert(part.end(), services.begin(), services.end());
    }
    return parts;
}

/// The row-wise median over the members that have a value.
std::vector<double> median_series(const std::vector<const Feature*>& members, std::size_t rows,
                                  std::vector<double>& scratch) {
    // A few rows at a time: one visit to a member serves them all.
    constexpr std::size_t rows_at_once = 16;
    const std::size_t stride = members.size() + 8;  // rows must not share the sets of the cache
    std::vector<double> out(rows, nan_value);
    scratch.resize(rows_at_once * stride);
    const bool complete =
        std::ranges::all_of(members, [](const Feature* f) { return stats::all_finite(f->values); });
    for (std::size_t first = 0; first < rows; first += rows_at_once) {
        const std::size_t num_rows = std::min(rows_at_once, rows - first);
        std::array<std::size_t, rows_at_once> found{};
        if (complete && num_rows == rows_at_once) {
            found.fill(members.size());
            for (std::size_t m = 0; m < members.size(); ++m) {
                const double* values = members[m]->values.data() + first;
                for (std::size_t i = 0; i < rows_at_once; ++i) scratch[i * stride + m] = values[i];
            }
        } else {
            for (const Feature* f : members)
                for (std::size_t i = 0; i < num_rows; ++i)
                    if (const double v = f->values[first + i]; std::isfinite(v))
                        scratch[i * stride + found[i]++] = v;
        }
        for (std::size_t i = 0; i < num_rows; ++i)
            out[first + i] =
                stats::median_in_place(std::span(scratch).subspan(i * stride, found[i]));
    }
    return out;
}

/// Two move apart when either moves. Who made less than a third of the difference, in the rows that
/// it was found in, is charged for its part.
double share_of_move(const Feature& feature, const Observation& seen, const Moved& moved,
                     const Rows& rows) {
    RowRange at = rows.suspect;
    if (moved.onset)
        at = {rows.search.first + moved.onset->index, rows.search.first + moved.onset->end};
    const double own = mean_of(part(feature.values, at)) - seen.baseline;
    const double difference = moved.suspect - moved.baseline;
    const double share = own / difference;
    return std::isfinite(share) ? std::clamp(share / own_share_min, 0.0, 1.0) : 1.0;
}

/// How far a signal left its siblings: `difference` from what they did.
double apart(const Feature& feature, const Observation& seen, const std::vector<double>& difference,
             const Rows& rows, double uneven, double mad_factor, std::vector<double>& scratch) {
    Sensitivity sensitivity = sensitivity_of(feature);
    sensitivity.least += uneven;
    sensitivity.mad_factor = mad_factor;
    if (seen.own > 0.0 && follows_load(family_of_signal(feature.signal)))
        sensitivity.least += (seen.longer - 1.0) * std::abs(seen.siblings_now);
    // Where all of them rose, so did what they differ by.
    const double level = std::fmax(std::abs(seen.baseline), std::abs(seen.siblings_now));
    const Moved moved = compare(difference, rows, level, sensitivity, scratch, seen.own);
    return moved.deviations * share_of_move(feature, seen, moved, rows);
}

/// What has no bound and piles up where more comes than can be done.
bool piles_up(std::string_view signal) {
    return signal == "engine.waiting" || signal == "engine.queue_time" || signal == "engine.ttft" ||
           signal == "engine.prefill_time" || signal == "engine.preemptions" ||
           signal == "engine.kv_full";
}

/// Where all siblings have more than they can do, queues say little of who is broken: their lengths
/// are distributed exponentially about capacity, the logarithm of one over another has a deviation
/// of 1.28, and who is a little slower than the rest waits several times as long.
double beside_queues(const Feature& feature, const Observation& seen, double common,
                     double siblings_before, double siblings_now, double deviations) {
    constexpr double queues_everywhere = 3.0;
    constexpr double growth_least = 2.0;  // of what the siblings have
    constexpr double log_deviation = 1.28;
    constexpr double ratio_least = 0.01;
    if (common < queues_everywhere || siblings_now < growth_least * siblings_before ||
        !piles_up(feature.signal))
        return deviations;
    const double ratio =
        std::max(ratio_least, (seen.suspect - seen.baseline) / (siblings_now - siblings_before));
    if (!std::isfinite(ratio)) return deviations;
    const double usual = std::abs(std::log(ratio)) / log_deviation;
    return std::copysign(std::min(std::abs(deviations), usual), deviations);
}

bool is_length(std::string_view signal) {
    return signal == "engine.prompt_length" || signal == "engine.output_length";
}

/// Of a length of requests: who got longer ones than its siblings may well take longer over them,
/// in proportion. Sets `longer` in all that is seen of the members' components.
void note_lengths(const std::vector<std::size_t>& members, const Observations& all,
                  std::vector<Observation>& seen) {
    std::map<std::string_view, double> longer;
    for (const std::size_t i : members) {
        const double apart = seen[i].suspect / seen[i].siblings_now - longer_by_chance;
        if (seen[i].relative > 0.0 && apart > 1.0)
            longer[all.features[i].service] = std::min(longer_max, apart);
    }
    if (longer.empty()) return;
    for (std::size_t i = 0; i < seen.size(); ++i)
        if (const auto found = longer.find(all.features[i].service); found != longer.end())
            seen[i].longer = std::max(seen[i].longer, found->second);
}

/// What rose several times, or fell to nearly nothing, at the siblings too is nothing extreme here;
/// nor is what moved the other way than the difference.
void set_relative(Observation& seen, double deviations) {
    seen.relative = std::clamp(deviations, -deviations_max, deviations_max);
    const bool rose = seen.suspect > seen.baseline;
    if (rose != (deviations > 0.0))
        seen.extreme = 0.0;
    else if (std::isfinite(seen.siblings_now))
        seen.extreme = std::min(
            seen.extreme, extreme_probability(std::max(0.0, seen.siblings_now), seen.suspect));
}

/// How far the requests of each left those of its siblings: its change of their mean beyond the
/// median of the siblings' changes. NaN where too few requests are known.   O(siblings log).
std::vector<double> requests_apart(const std::vector<const Feature*>& members, const Rows& rows) {
    std::vector<double> apart(members.size(), nan_value);
    std::vector<RequestMeans> means;
    std::vector<double> changes;
    double errors = 0.0;
    for (const Feature* f : members) {
        means.push_back(request_means(*f, rows));
        if (!std::isfinite(means.back().change())) continue;
        changes.push_back(means.back().change());
        errors += means.back().error;
    }
    if (changes.size() < 2) return apart;
    std::ranges::sort(changes);
    const std::size_t others = changes.size() - 1;
    for (std::size_t m = 0; m < members.size(); ++m) {
        const double change = means[m].change();
        if (!std::isfinite(change)) continue;
        const auto own_at =
            static_cast<std::size_t>(std::ranges::lower_bound(changes, change) - changes.begin());
        const auto other = [&](std::size_t i) { return changes[i < own_at ? i : i + 1]; };
        const double siblings = 0.5 * (other((others - 1) / 2) + other(others / 2));
        const double error =
            (errors - means[m].error) / static_cast<double>(others) / static_cast<double>(others);
        const double beyond = change - siblings;
        const double least = least_change(*members[m]) + uneven_share * std::abs(siblings);
        const double own = std::clamp(change / beyond / own_share_min, 0.0, 1.0);
        apart[m] = own * of_requests(beyond, means[m].error + error, means[m].before, least);
    }
    return apart;
}

void compare_with_siblings(const std::vector<const Feature*>& members,
                           const std::vector<Observation*>& seen, const Rows& rows,
                           double step_seconds, std::vector<double>& scratch, double& common) {
    const std::size_t n = members.front()->values.size();
    const std::vector<double> median = median_series(members, n, scratch);
    const Moved together =
        compare(median, rows, nan_value, sensitivity_of(*members.front()), scratch);
    common = std::clamp(together.deviations, -deviations_max, deviations_max);
    const double now = mean_of(part(median, rows.suspect));
    // What moves all of them does not move all alike.
    const double shared = uneven_share * std::abs(now - together.baseline);
    const double uneven = std::isfinite(shared) ? shared : 0.0;
    double dispersion = 1.0;
    std::vector<Events> after;
    Events now_events;
    double largest = 0.0;
    if (std::ranges::any_of(members,
                            [&](const Feature* f) { return is_rare(*f, rows, step_seconds); })) {
        dispersion = overdispersion(members, rows.reference, step_seconds);
        for (const Feature* f : members) {
            after.push_back(events_in(*f, rows.suspect, step_seconds));
            now_events.count += after.back().count;
            now_events.rows += after.back().rows;
            largest = std::max(largest, after.back().count);
        }
    }
    const auto others = static_cast<double>(members.size() - 1);
    const double others_share = (others - 1.0) / others;
    const std::vector<double> single = requests_apart(members, rows);
    std::vector<double> difference(n);
    for (std::size_t m = 0; m < members.size(); ++m) {
        seen[m]->siblings_now = now;
        if (seen[m]->vanished) continue;  // its own deviation stands: the siblings still report
        for (std::size_t r = 0; r < n; ++r) difference[r] = members[m]->values[r] - median[r];
        double z = apart(*members[m], *seen[m], difference, rows, uneven,
                         mad_factor_of(members.size()), scratch);
        z = louder(z, single[m]);
        if (is_rare(*members[m], rows, step_seconds)) {
            // What to expect: the own past, and what happens to the siblings now but for the one
            // that it happens to most, who may be the broken one.
            Events expected = events_in(*members[m], rows.reference, step_seconds);
            const bool has_largest = after[m].count >= largest;
            expected.count += now_events.count - after[m].count - (has_largest ? 0.0 : largest);
            expected.rows += (now_events.rows - after[m].rows) * (has_largest ? 1.0 : others_share);
            z = rare_event_deviations(*members[m], expected, after[m], dispersion);
        }
        set_relative(*seen[m],
                     beside_queues(*members[m], *seen[m], common, together.baseline, now, z));
    }
}

/// Of two siblings nobody can say which one left the other; but who stood still did not. What both
/// did is shared; beyond it, each is charged with no more than what it did itself.
void compare_two(const std::vector<const Feature*>& members, const std::vector<Observation*>& seen,
                 const Rows& rows, double step_seconds, std::vector<double>& scratch,
                 double& common) {
    const double together = std::min(std::abs(seen[0]->own), std::abs(seen[1]->own));
    common = seen[0]->own * seen[1]->own > 0.0 ? std::copysign(together, seen[0]->own) : 0.0;
    std::vector<double> difference(members[0]->values.size());
    std::array<double, 2> z{};
    for (std::size_t m = 0; m < 2; ++m) {
        const Feature& own = *members[m];
        const Feature& other = *members[1 - m];
        const Observation& beside = *seen[1 - m];
        z[m] = seen[m]->own;
        seen[m]->siblings_now = beside.vanished ? nan_value : beside.suspect;
        if (seen[m]->vanished || beside.vanished) continue;
        for (std::size_t r = 0; r < difference.size(); ++r)
            difference[r] = own.values[r] - other.values[r];
        const double uneven = uneven_share * std::abs(beside.suspect - beside.baseline);
        z[m] = apart(own, *seen[m], difference, rows, uneven, 1.0, scratch);
        if (is_rare(own, rows, step_seconds)) {
            Events expected = events_in(own, rows.reference, step_seconds);
            const Events there = events_in(other, rows.suspect, step_seconds);
            expected.count += there.count;
            expected.rows += there.rows;
            z[m] = rare_event_deviations(own, expected, events_in(own, rows.suspect, step_seconds),
                                         overdispersion(members, rows.reference, step_seconds));
        }
        z[m] = beside_queues(own, *seen[m], common, beside.baseline, beside.suspect, z[m]);
        z[m] = z[m] * seen[m]->own > 0.0
                   ? std::copysign(std::min(std::abs(z[m]), std::abs(seen[m]->own)), z[m])
                   : 0.0;
    }
    for (std::size_t m = 0; m < 2; ++m)
        if (!seen[m]->vanished) set_relative(*seen[m], z[m]);
}

}  // namespace

State state_of(double deviations) {
    constexpr double moved_at = 2.0;
    constexpr double softness = 0.7;
    const auto phi = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
    State state;
    state.up = phi((deviations - moved_at) / softness);
    state.down = phi((-deviations - moved_at) / softness);
    state.flat = std::max(0.0, 1.0 - state.up - state.down);
    return state;
}

Result<Observations> observe(std::vector<Feature> features, const Frame& frame,
                             const Windows& windows, const Stop& stop, unsigned num_threads) {
    Observations all{.features = std::move(features)};
    const Rows rows{.reference = rows_in(frame, windows.reference),
                    .search = rows_in(frame, windows.search),
                    .suspect = rows_in(frame, windows.suspect)};
    if (rows.suspect.size() == 0 || rows.reference.size() < 2) return all;
    std::vector<Observation> seen(all.features.size());
    std::atomic<bool> stopped = false;
    parallel_for(
        seen.size(), num_threads,
        [&](std::size_t begin, std::size_t end) {
            std::vector<double> scratch;
            for (std::size_t i = begin; i < end && !stopped; ++i) {
                if (stop.requested()) stopped = true;
                seen[i] = observe_own(all.features[i], i, rows, frame, scratch);
            }
        },
        64);
    CULPRIT_TRY_STATUS(stop.check());

    for (const auto& [part, services] : parts_played(all.features)) {
        if (services.size() < 2) continue;
        for (const std::string& service : services) all.group_of[service] = all.groups.size();
        all.groups.push_back({.services = services});
    }
    struct Job {
        std::size_t group = 0;
        std::string signal;
        std::vector<std::size_t> members;
        double common = 0.0;
    };
    std::vector<Job> jobs;
    // By group and signal; features of one component follow one another.
    std::vector<std::unordered_map<std::string_view, std::size_t>> job_of(all.groups.size());
    const std::string* service = nullptr;
    constexpr auto none = std::numeric_limits<std::size_t>::max();
    std::size_t group = none;
    for (std::size_t i = 0; i < all.features.size(); ++i) {
        const Feature& feature = all.features[i];
        if (service == nullptr || feature.service != *service) {
            service = &feature.service;
            const auto found = all.group_of.find(*service);
            group = found == all.group_of.end() ? none : found->second;
        }
        if (group == none) continue;
        const auto [at, fresh] = job_of[group].try_emplace(feature.signal, jobs.size());
        if (fresh) jobs.push_back({.group = group, .signal = feature.signal});
        jobs[at->second].members.push_back(i);
    }
    // Lengths first: how far the others may part depends on them.
    const auto lengths = std::stable_partition(
        jobs.begin(), jobs.end(), [](const Job& job) { return is_length(job.signal); });
    const auto compare_members = [&](Job& job, std::vector<double>& scratch) {
        std::vector<const Feature*> members;
        std::vector<Observation*> observed;
        for (const std::size_t i : job.members) {
            members.push_back(&all.features[i]);
            observed.push_back(&seen[i]);
        }
        const double step = to_seconds(frame.step());
        if (members.size() == 1)  // nobody else shows it: the load's as well as its own
            job.common = observed.front()->own;
        else if (members.size() == 2)
            compare_two(members, observed, rows, step, scratch, job.common);
        else
            compare_with_siblings(members, observed, rows, step, scratch, job.common);
    };
    std::vector<double> of_lengths;
    for (auto job = jobs.begin(); job != lengths; ++job) compare_members(*job, of_lengths);
    for (auto job = jobs.begin(); job != lengths; ++job) note_lengths(job->members, all, seen);
    const auto num_lengths = static_cast<std::size_t>(lengths - jobs.begin());
    parallel_for(jobs.size() - num_lengths, num_threads, [&](std::size_t begin, std::size_t end) {
        std::vector<double> scratch;
        for (std::size_t j = begin; j < end; ++j)
            if (!stop.requested()) compare_members(jobs[num_lengths + j], scratch);
    });
    CULPRIT_TRY_STATUS(stop.check());
    for (const Job& job : jobs) all.groups[job.group].common[job.signal] = job.common;
    std::vector<Observation>* observed = nullptr;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        if (i == 0 || all.features[i].service != all.features[i - 1].service)
            observed = &all.of[all.features[i].service];
        observed->push_back(seen[i]);
    }
    return all;
}

}  // namespace culprit::tailored
