#include "culprit/tailored/evidence.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

namespace culprit::tailored {
namespace {

// P(expected state) by weight 1 to 5: "often" is little better than even, "by definition" nearly
// certain; what is left goes to "flat" rather than to the opposite direction, because effects hide
// more often than they turn round.
constexpr std::array<double, 5> expected_probability = {0.45, 0.72, 0.90, 0.96, 0.985};
constexpr std::array<double, 5> flat_probability = {0.88, 0.94, 0.97, 0.985, 0.99};
// What must stay and went far speaks the more against the fault the surer it was to stay.
constexpr std::array<double, 5> flat_tail = {1.0, 1.0, 1.5, 2.5, 3.0};
constexpr double opposite_share = 0.12;
constexpr double excluded_share = 0.01;  // somebody may have measured badly
constexpr double excluded_tail = 2.0;
struct Severity {
    double prior;
    std::array<double, 5> shown;  // factor on expected_probability, by weight
    double stays;                 // factor on the share of flat signals that stay
    Expectation unmentioned;
};
constexpr std::array severities = {Severity{0.25,
                                            {0.4, 0.5, 0.75, 1.0, 1.0},
                                            1.0,
                                            {.up = 0.03, .down = 0.03, .flat = 0.94, .tail = 1.5}},
                                   Severity{0.50,
                                            {1.0, 1.0, 1.0, 1.0, 1.0},
                                            1.0,
                                            {.up = 0.08, .down = 0.08, .flat = 0.84, .tail = 1.0}},
                                   Severity{0.25,
                                            {1.2, 1.1, 1.0, 1.0, 1.0},
                                            0.8,
                                            {.up = 0.22, .down = 0.22, .flat = 0.56, .tail = 0.3}}};
Expectation expectation_of(const ExpectedSignal& expected, const Severity& severity) {
    const auto w = static_cast<std::size_t>(std::clamp(expected.weight, 1, 5) - 1);
    if (expected.direction == Direction::flat) {
        const double flat = severity.stays * flat_probability[w];
        const double rest = 1.0 - flat;
        return {.up = rest / 2, .down = rest / 2, .flat = flat, .tail = flat_tail[w]};
    }
    const double hit = severity.shown[w] * expected_probability[w];
    const bool excluded = expected.excludes_opposite;
    const double opposite = (excluded ? excluded_share : opposite_share) * (1.0 - hit);
    Expectation e{.up = opposite,
                  .down = opposite,
                  .flat = 1.0 - hit - opposite,
                  .tail = excluded ? excluded_tail : 0.7,
                  .expected = expected.direction};
    (is_upwards(expected.direction) ? e.up : e.down) = hit;
    const bool extreme =
        expected.direction == Direction::gone || expected.direction == Direction::surge;
    e.extreme = extreme ? 0.96 : 0.3;
    return e;
}

/// The expectation after what confirmed incidents have shown; see Experience.
Expectation learned(Expectation e, const Experience::Counts& counts) {
    const double k = Experience::prior_strength;
    const double moved = e.up + e.down;
    e.extreme = (k * moved * e.extreme + counts.extreme) / (k * moved + counts.up + counts.down);
    e.up = (k * e.up + counts.up) / (k + counts.seen);
    e.down = (k * e.down + counts.down) / (k + counts.seen);
    e.flat = std::max(1e-3, 1.0 - e.up - e.down);
    if (e.up > 0.5) e.expected = Direction::up;
    if (e.down > 0.5) e.expected = Direction::down;
    return e;
}

/// Two independent reasons to move.
Expectation either(const Expectation& a, const Expectation& b) {
    const bool a_leads = std::max(a.up, a.down) >= std::max(b.up, b.down);
    Expectation e = a_leads ? a : b;
    e.up = 1.0 - (1.0 - a.up) * (1.0 - b.up);
    e.down = 1.0 - (1.0 - a.down) * (1.0 - b.down);
    e.flat = a.flat * b.flat;
    const double total = e.up + e.down + e.flat;
    e.up /= total;
    e.down /= total;
    e.flat /= total;
    const bool opposed = a.expected != Direction::flat && b.expected != Direction::flat &&
                         is_upwards(a.expected) != is_upwards(b.expected);
    e.tail = opposed ? 0.0 : std::min(a.tail, b.tail);
    return e;
}

struct Prefix {
    std::string_view text;
    SignalFamily family;
};

// The first that fits. Names are the catalogue's quantities and canonical names.
constexpr Prefix prefixes[] = {
    {"engine.waiting", SignalFamily::queue},
    {"engine.queue", SignalFamily::queue},
    {"engine.running", SignalFamily::queue},
    {"engine.kv_", SignalFamily::queue},
    {"engine.preemptions", SignalFamily::queue},
    {"ray_serve_num_ongoing", SignalFamily::queue},
    {"nginx_connections", SignalFamily::queue},
    {"engine.generation_tokens", SignalFamily::work},
    {"engine.prompt_tokens", SignalFamily::work},
    {"engine.completed", SignalFamily::work},
    {"engine.stalled", SignalFamily::work},
    {"replica.", SignalFamily::presence},
    {"engine.prefix_hit_ratio", SignalFamily::other},
    {"engine.prefix_", SignalFamily::work},
    {"engine.iteration", SignalFamily::work},
    {"engine.aborted", SignalFamily::errors},
    {"proxy.", SignalFamily::work},
    {"nginx_http_requests", SignalFamily::work},
    {"engine.prompt_length", SignalFamily::other},
    {"engine.output_length", SignalFamily::other},
    {"engine.path_floor", SignalFamily::other},  // says of what kind the way is, not how long
    {"engine.", SignalFamily::latency},
    {"istio_request_duration", SignalFamily::latency},
    {"istio_requests", SignalFamily::work},
    {"gpu.utilization", SignalFamily::gpu_activity},
    {"gpu.power_", SignalFamily::gpu_condition},
    {"gpu.power", SignalFamily::gpu_activity},
    {"gpu.dram", SignalFamily::gpu_activity},
    {"gpu.temperature", SignalFamily::gpu_activity},
    {"gpu.memory_", SignalFamily::memory},
    {"gpu.", SignalFamily::gpu_condition},
    {"DCGM_FI_PROF", SignalFamily::gpu_activity},
    {"DCGM_", SignalFamily::gpu_condition},
};
// Anywhere in the name, after the prefixes.
constexpr Prefix words[] = {
    {"oom", SignalFamily::errors},          {"restart", SignalFamily::presence},
    {"start_time", SignalFamily::presence}, {"replica_starts", SignalFamily::presence},
    {"healthy", SignalFamily::presence},    {"error", SignalFamily::errors},
    {"fail", SignalFamily::errors},         {"pressure_memory", SignalFamily::memory},
    {"pressure_io", SignalFamily::storage}, {"memory", SignalFamily::memory},
    {"mem_", SignalFamily::memory},         {"netstat", SignalFamily::network},
    {"network", SignalFamily::network},     {"_fs_", SignalFamily::storage},
    {"disk", SignalFamily::storage},        {"cpu", SignalFamily::processor},
    {"node_load", SignalFamily::processor}, {"process", SignalFamily::presence},
    {"latency", SignalFamily::latency},     {"duration", SignalFamily::latency},
    {"request", SignalFamily::work},
};

}  // namespace

bool is_use_of_processors(std::string_view signal) {
    if (family_of_signal(signal) != SignalFamily::processor) return false;
    return std::ranges::none_of(
        std::array<std::string_view, 4>{"throttled", "pressure", "wait", "runqueue"},
        [&](std::string_view word) { return signal.find(word) != std::string_view::npos; });
}

bool follows_load(SignalFamily family) {
    switch (family) {
        case SignalFamily::latency:
        case SignalFamily::queue:
        case SignalFamily::work:
        case SignalFamily::gpu_activity:
        case SignalFamily::processor:
        case SignalFamily::network:
            return true;
        default:
            return false;
    }
}

SignalFamily family_of_signal(std::string_view signal) {
    if (signal == "up") return SignalFamily::presence;
    for (const Prefix& p : prefixes)
        if (signal.starts_with(p.text)) return p.family;
    for (const Prefix& w : words)
        if (signal.find(w.text) != std::string_view::npos) return w.family;
    return SignalFamily::other;
}

Reading::Reading(double deviations, double extreme, bool is_busy)
    : bystander_(is_busy ? &busy_bystander : &bystander),
      quiet_(is_busy ? &busy_quiet : &quiet),
      state_(state_of(deviations)),
      log_far_(std::log(std::max(1.0, std::abs(deviations) / 2.5))),
      extreme_(extreme) {
    log_bystander_ = std::log(std::max(likelihood(*bystander_), 1e-12));
    for (std::size_t i = 0; i < severities.size(); ++i)
        unmentioned_[i] = log_ratio(severities[i].unmentioned);
}

double Reading::likelihood(const Expectation& e) const {
    const double reach = log_far_ > 0.0 && e.tail > 0.0 ? std::exp(-e.tail * log_far_) : 1.0;
    const bool moves = e.expected != Direction::flat;
    // Relative to the extremes that bystanders show, so that a still signal is not concerned.
    const double extent =
        (extreme_ * e.extreme + (1.0 - extreme_) * (1.0 - e.extreme)) /
        (extreme_ * bystander_->extreme + (1.0 - extreme_) * (1.0 - bystander_->extreme));
    return (state_.up * e.up * (moves && is_upwards(e.expected) ? 1.0 : reach) +
            state_.down * e.down * (moves && !is_upwards(e.expected) ? 1.0 : reach)) *
               extent +
           state_.flat * e.flat;
}

double Reading::log_ratio(const Expectation& e) const {
    return std::log(std::max(likelihood(e), 1e-12)) - log_bystander_;
}

void Evidence::add(SignalFamily family, double log_odds) {
    Sums& sums = families_[static_cast<std::size_t>(family)];
    sums.sum += log_odds;
    sums.magnitude += std::abs(log_odds);
    sums.squares += log_odds * log_odds;
}

double Evidence::total(const Correlation& correlation) const {
    double total = 0.0;
    for (const Sums& sums : families_) {
        if (sums.squares <= 0.0) continue;
        const double contributing = sums.magnitude * sums.magnitude / sums.squares;
        total += sums.sum / std::pow(contributing, correlation.power);
    }
    return correlation.temper * total;
}

void FaultEvidence::add(SignalFamily family, const Reading& reading, const ExpectedSignal* expected,
                        const Experience::Counts* counts) {
    for (std::size_t i = 0; i < severities.size(); ++i) {
        if (expected == nullptr && counts == nullptr) {
            severities_[i].add(family, reading.unmentioned(i));
            continue;
        }
        Expectation e = expected == nullptr ? severities[i].unmentioned
                                            : expectation_of(*expected, severities[i]);
        if (counts != nullptr) e = learned(e, *counts);
        const double ratio = reading.log_ratio(e);
        severities_[i].add(family, ratio);
        mentioned_[i].add(family, ratio);
    }
}

void FaultEvidence::add_both(SignalFamily family, const Reading& reading,
                             const ExpectedSignal* fault, const ExpectedSignal* load) {
    if (fault == nullptr || load == nullptr)
        return add(family, reading, fault == nullptr ? load : fault, nullptr);
    for (std::size_t i = 0; i < severities.size(); ++i) {
        const double log_odds = reading.log_ratio(
            either(expectation_of(*fault, severities[i]), expectation_of(*load, severities[i])));
        severities_[i].add(family, log_odds);
        mentioned_[i].add(family, log_odds);
    }
}

double FaultEvidence::log_odds(const Correlation& correlation) const {
    std::array<double, severities.size()> sums{};
    for (std::size_t i = 0; i < severities.size(); ++i) {
        const double named = mentioned_[i].total(correlation);
        const double beside = severities_[i].total(correlation) - named;
        sums[i] = named + std::min(beside, std::max(0.0, named));
    }
    const double highest = *std::ranges::max_element(sums);
    double total = 0.0;
    for (std::size_t i = 0; i < severities.size(); ++i)
        total += severities[i].prior * std::exp(sums[i] - highest);
    return highest + std::log(total);
}

}  // namespace culprit::tailored
