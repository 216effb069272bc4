#include "culprit/tailored/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "culprit/base/cut.h"
#include "culprit/tailored/front.h"
#include "culprit/tailored/signal_text.h"
#include "culprit/tailored/span_growth.h"

namespace culprit::tailored {
namespace {

constexpr double moved_deviations = 2.5;
constexpr double still_deviations = 1.0;
constexpr std::size_t chain_max = 6;
constexpr std::size_t against_max = 3;
constexpr std::size_t ruled_out_max = 3;
constexpr std::size_t siblings_drawn_max = 7;
constexpr std::size_t line_shown_max = 100;  // bytes of a log line
constexpr double probability_min = 0.005;
constexpr double told_probability_min = 0.15;  // below: named, but its chain is not told
constexpr double ruled_out_probability_max = 0.02;
constexpr int certain_weight = 3;    // "almost always": its absence speaks
constexpr double nothing_of = 2e-3;  // of the numbers beside it: shown as 0

const ExpectedSignal* expected_in(const FaultSignature* fault, const std::string& signal) {
    if (fault == nullptr) return nullptr;
    const auto found = std::ranges::find(fault->signals, signal, &ExpectedSignal::signal);
    return found == fault->signals.end() ? nullptr : &*found;
}

bool as_expected(const Observation& o, const ExpectedSignal& expected) {
    switch (expected.direction) {
        case Direction::up:
            return o.relative >= moved_deviations;
        case Direction::surge:
            return o.relative >= moved_deviations && o.extreme > 0.5;
        case Direction::down:
            return o.relative <= -moved_deviations;
        case Direction::gone:
            return o.relative <= -moved_deviations && o.extreme > 0.5;
        case Direction::flat:
            break;
    }
    return std::abs(o.relative) <= still_deviations;
}

std::string what_came_along(const Hypothesis& h) {
    if (!h.along.empty()) return fmt::format("{} is broken as well", h.along);
    if (h.beside == nullptr) return {};
    return fmt::format("the load changed as well ({})", h.beside->name);
}

/// A signal that moved, and how much it says.
struct Moved {
    double telling = 0.0;
    int order = 0;  // in the signature; what has none comes last
    std::string component;
    const Observation* observation = nullptr;
};

class Teller {
public:
    explicit Teller(const Weighed& weighed)
        : weighed_(weighed), seen_(weighed.seen), fronts_(weighed.incident) {}

    void read_spans() {
        if (weighed_.incident.spans && weighed_.incident.spans->size() > 0)
            growth_.emplace(*weighed_.incident.spans, weighed_.windows);
    }

    Finding tell(const Hypothesis& h, bool in_full) const {
        Finding finding{
            .component = h.component, .probability = h.probability, .beside = what_came_along(h)};
        if (h.kind == HypothesisKind::nothing) {
            finding.fault = "nothing";
            finding.name = "nothing is wrong";
            return finding;
        }
        finding.fault = h.fault == nullptr ? "unknown" : h.fault->id;
        finding.name = h.fault == nullptr ? "none of the known faults" : h.fault->name;
        finding.layer = h.fault == nullptr ? "" : h.fault->layer;
        finding.chain = steps_of(h.seen_at.empty() ? moved_anywhere(h) : moved_at(h), h, in_full);
        add_log_steps(finding.chain, h);
        finding.where = where(h);
        finding.against = against(h);
        if (in_full) finding.ruled_out = ruled_out(h);
        finding.advice = advice(h);
        finding.meanwhile = stopgap(h, weighed_);
        return finding;
    }

private:
    const Feature& feature_of(const Observation& o) const { return seen_.features[o.feature]; }

    std::string unit_of(const Feature& feature) const {
        return tailored::unit_of(feature, weighed_.incident.metrics);
    }

    /// Next to nothing beside the other numbers is nothing.
    static double shown(double value, const Observation& o) {
        const double beside = std::max(std::abs(o.baseline), std::abs(o.suspect));
        return std::abs(value) < nothing_of * beside ? 0.0 : value;
    }

    std::string moved_text(const Observation& o) const {
        return fmt::format(
            "{} {}", signal_text(feature_of(o).signal),
            change_text(shown(o.baseline, o), shown(o.suspect, o), unit_of(feature_of(o))));
    }

    FindingStep step_of(const Moved& moved, bool with_series) const {
        const Observation& o = *moved.observation;
        const Feature& feature = feature_of(o);
        FindingStep step{.when = o.onset,
                         .uncertainty = o.onset_uncertainty,
                         .signal = feature.signal,
                         .unit = unit_of(feature)};
        if (with_series) step.series = series_of(moved.component, feature);
        if (o.vanished) {
            step.text = signal_text(feature.signal) + " stopped being reported";
            return step;
        }
        step.text = moved_text(o);
        step.baseline = o.baseline;
        step.now = o.suspect;
        if (std::isfinite(o.siblings_now)) {
            step.siblings = o.siblings_now;
            step.text += ", siblings " +
                         beside_text(shown(o.siblings_now, o), shown(o.suspect, o), step.unit);
        }
        return step;
    }

    std::vector<std::string> siblings_of(const std::string& component) const {
        const auto group = seen_.group_of.find(component);
        if (group == seen_.group_of.end()) return {};
        std::vector<std::string> siblings = seen_.groups[group->second].services;
        std::erase(siblings, component);
        return siblings;
    }

    std::vector<SignalSeries> series_of(const std::string& component,
                                        const Feature& feature) const {
        std::vector<SignalSeries> series = {{component, feature.values}};
        const auto siblings = siblings_of(component);
        for (const Feature& f : seen_.features)
            if (series.size() <= siblings_drawn_max && f.signal == feature.signal &&
                std::ranges::find(siblings, f.service) != siblings.end())
                series.push_back({f.service, f.values});
        return series;
    }

    /// What moved at the component as the fault says; without a fault, whatever moved.
    std::vector<Moved> moved_at(const Hypothesis& h) const {
        std::vector<Moved> moved;
        const auto found = seen_.of.find(h.seen_at);
        if (found == seen_.of.end()) return moved;
        for (const Observation& o : found->second) {
            const ExpectedSignal* expected = expected_in(h.fault, feature_of(o).signal);
            if (h.fault != nullptr &&
                (expected == nullptr || expected->direction == Direction::flat ||
                 !as_expected(o, *expected)))
                continue;
            if (std::abs(o.relative) < moved_deviations) continue;
            const double weight = expected == nullptr ? 1.0 : expected->weight;
            moved.push_back({weight * std::log1p(std::abs(o.relative)),
                             expected == nullptr || expected->order == 0 ? 9 : expected->order,
                             h.seen_at, &o});
        }
        return moved;
    }

    /// For faults of the service as a whole: each signal where it moved most.
    std::vector<Moved> moved_anywhere(const Hypothesis& h) const {
        std::map<std::string, Moved> most;
        for (const auto& [service, observations] : seen_.of)
            for (const Observation& o : observations) {
                const std::string& signal = feature_of(o).signal;
                const ExpectedSignal* expected = expected_in(h.fault, signal);
                if (expected == nullptr || expected->direction == Direction::flat) continue;
                const double sign = is_upwards(expected->direction) ? 1.0 : -1.0;
                if (o.own * sign < moved_deviations) continue;
                const double telling = expected->weight * std::log1p(std::abs(o.own));
                Moved& best = most[signal];
                if (telling > best.telling)
                    best = {telling, expected->order == 0 ? 9 : expected->order, service, &o};
            }
        std::vector<Moved> moved;
        moved.reserve(most.size());
        for (const auto& [signal, best] : most) moved.push_back(best);
        return moved;
    }

    std::vector<FindingStep> steps_of(std::vector<Moved> moved, const Hypothesis& h,
                                      bool with_series) const {
        std::ranges::stable_sort(
            moved, [](const Moved& a, const Moved& b) { return a.telling > b.telling; });
        const auto silent = static_cast<std::size_t>(
            std::ranges::count_if(moved, [](const Moved& m) { return m.observation->vanished; }));
        bool told_silence = false;
        std::erase_if(moved, [&](const Moved& m) {  // one fact, however many series it silenced
            return m.observation->vanished && std::exchange(told_silence, true);
        });
        if (moved.size() > chain_max) moved.resize(chain_max);
        std::ranges::stable_sort(moved, [](const Moved& a, const Moved& b) {
            return std::pair(a.observation->onset, a.order) <
                   std::pair(b.observation->onset, b.order);
        });
        std::vector<FindingStep> chain;
        for (const Moved& m : moved) {
            chain.push_back(step_of(m, with_series));
            if (m.observation->vanished && silent > 1)
                chain.back().text += fmt::format(", and {} more signals of it", silent - 1);
            // Whose signal it is, where that is not who is to blame.
            if (h.seen_at != h.component || h.seen_at.empty())
                chain.back().text += " (" + m.component + ")";
        }
        if (!chain.empty()) chain.front().remark = "first to move";
        return chain;
    }

    void add_log_steps(std::vector<FindingStep>& chain, const Hypothesis& h) const {
        const auto found = weighed_.logs.find(h.seen_at.empty() ? h.component : h.seen_at);
        if (h.fault == nullptr || found == weighed_.logs.end()) return;
        std::set<std::string_view> told;  // one line may match two patterns
        for (const LogPattern& pattern : h.fault->logs) {
            const auto match = found->second.find(&pattern);
            if (match == found->second.end() || !match->second.is_news() ||
                !told.insert(match->second.example).second)
                continue;
            chain.push_back(
                {.when = match->second.first,
                 .text = fmt::format("log \"{}\"", cut(match->second.example, line_shown_max)),
                 .remark = fmt::format("{:.0f} {}, {:.0f} before", match->second.after,
                                       match->second.after == 1.0 ? "line" : "lines",
                                       match->second.before)});
        }
        std::ranges::stable_sort(chain, {}, &FindingStep::when);
    }

    std::string where(const Hypothesis& h) const {
        const std::string& at = h.seen_at.empty() ? h.component : h.seen_at;
        return growth_ && !at.empty() ? growth_->text(at, siblings_of(at)) : std::string();
    }

    std::vector<std::string> against(const Hypothesis& h) const {
        std::vector<std::pair<int, std::string>> reasons;
        const auto found = seen_.of.find(h.seen_at);
        if (found == seen_.of.end() || h.fault == nullptr) return {};
        for (const Observation& o : found->second) {
            const ExpectedSignal* expected = expected_in(h.fault, feature_of(o).signal);
            if (expected == nullptr || expected->weight < 2 || o.vanished) continue;
            const bool is_flat = expected->direction == Direction::flat;
            const bool moved = std::abs(o.relative) >= moved_deviations;
            if (is_flat && moved)
                reasons.emplace_back(expected->weight, moved_text(o) + ", expected to stay");
            else if (!is_flat && moved && !as_expected(o, *expected))
                reasons.emplace_back(
                    expected->weight + 1,
                    moved_text(o) + (is_upwards(expected->direction) == (o.relative > 0.0)
                                         ? ", expected to move further"
                                         : ", expected the other way"));
            else if (!is_flat && expected->weight >= certain_weight &&
                     std::abs(o.relative) <= still_deviations)
                reasons.emplace_back(expected->weight, unchanged_text(o));
        }
        std::ranges::stable_sort(reasons,
                                 [](const auto& a, const auto& b) { return a.first > b.first; });
        std::vector<std::string> out;
        for (const auto& [weight, text] : reasons)
            if (out.size() < against_max) out.push_back(text);
        return out;
    }

    std::string unchanged_text(const Observation& o) const {
        return fmt::format("{} unchanged at {}", signal_text(feature_of(o).signal),
                           quantity_text(shown(o.suspect, o), unit_of(feature_of(o))));
    }

    /// Which neighbours of this fault it is not: what they cause alike does not tell them apart,
    /// so the likeliest beforehand whose own sign did not come are named with that sign.
    std::vector<std::string> ruled_out(const Hypothesis& h) const {
        if (h.fault == nullptr || h.fault->effects.empty() || h.seen_at.empty()) return {};
        std::vector<std::pair<double, std::string>> neighbours;
        for (const Hypothesis& other : weighed_.hypotheses) {
            if (other.fault == nullptr || other.fault == h.fault || other.seen_at != h.seen_at ||
                other.probability > ruled_out_probability_max ||
                std::ranges::find_first_of(other.fault->effects, h.fault->effects) ==
                    other.fault->effects.end())
                continue;
            if (std::string why = missing_sign(other, h); !why.empty())
                neighbours.emplace_back(other.fault->prior,
                                        fmt::format("{}: {}", other.fault->name, why));
        }
        std::ranges::stable_sort(neighbours,
                                 [](const auto& a, const auto& b) { return a.first > b.first; });
        std::vector<std::string> out;
        for (const auto& [prior, text] : neighbours)
            if (out.size() < ruled_out_max) out.push_back(text);
        return out;
    }

    std::string missing_sign(const Hypothesis& other, const Hypothesis& h) const {
        const Observation* missing = nullptr;
        int weight = certain_weight - 1;
        for (const Observation& o : seen_.of.at(other.seen_at)) {
            const ExpectedSignal* expected = expected_in(other.fault, feature_of(o).signal);
            const ExpectedSignal* ours = expected_in(h.fault, feature_of(o).signal);
            if (expected == nullptr || expected->direction == Direction::flat || o.vanished ||
                (ours != nullptr &&
                 is_upwards(ours->direction) == is_upwards(expected->direction) &&
                 ours->direction != Direction::flat))
                continue;
            const double along = is_upwards(expected->direction) ? o.relative : -o.relative;
            if (along > still_deviations || expected->weight <= weight) continue;
            missing = &o;
            weight = expected->weight;
        }
        if (missing == nullptr) return {};
        return std::abs(missing->relative) >= moved_deviations ? moved_text(*missing)
                                                               : unchanged_text(*missing);
    }

    std::vector<Advice> advice(const Hypothesis& h) const {
        const Front front = fronts_.of(h.component);
        const auto filled = [&](const Remedy& remedy) {
            return Advice{remedy.action, filled_in(remedy.command, h.component, front)};
        };
        const bool is_known = h.probability >= known_probability_min;
        if (h.fault == nullptr)
            return {{is_known ? "Keep the evidence, then restart it"
                              : "Keep the evidence before anything is changed",
                     filled_in("kubectl describe pod POD > POD.txt; kubectl logs POD > POD.log",
                               h.component)}};
        std::vector<Advice> advice;
        for (const Remedy& remedy : h.fault->remedies)
            if (is_known ? remedy.when != RemedyTime::meanwhile : remedy.when == RemedyTime::before)
                advice.push_back(filled(remedy));
        if (!is_known)
            for (Advice& look : look_at(h)) advice.push_back(std::move(look));
        return advice;
    }

    /// The signals that would decide whether it is this fault, where they are there.
    std::vector<Advice> look_at(const Hypothesis& h) const {
        std::vector<Advice> advice;
        const auto found = seen_.of.find(h.seen_at);
        if (found == seen_.of.end()) return advice;
        for (const DecidingSignal& deciding : h.fault->decided_by)
            for (const Observation& o : found->second) {
                if (feature_of(o).signal != deciding.signal || o.vanished) continue;
                const bool moved = std::abs(o.relative) >= moved_deviations;
                advice.push_back(
                    {fmt::format("Look at {}: {}", moved ? moved_text(o) : unchanged_text(o),
                                 deciding.tells),
                     ""});
            }
        return advice;
    }

    const Weighed& weighed_;
    const Observations& seen_;
    const Fronts fronts_;
    std::optional<SpanGrowth> growth_;
};

}  // namespace

std::vector<Finding> explain(const Weighed& weighed, std::size_t count) {
    Teller teller(weighed);
    teller.read_spans();
    std::vector<Finding> findings;
    for (const Hypothesis& h : weighed.hypotheses) {
        if (findings.size() == count) break;
        if (h.probability < probability_min && !findings.empty()) break;
        Finding finding = teller.tell(h, findings.empty() || h.probability >= told_probability_min);
        // Said once for each component.
        for (const Finding& earlier : findings) {
            if (earlier.where == finding.where) finding.where.clear();
            if (earlier.meanwhile && finding.meanwhile &&
                earlier.meanwhile->action == finding.meanwhile->action)
                finding.meanwhile.reset();
        }
        findings.push_back(std::move(finding));
    }
    return findings;
}

}  // namespace culprit::tailored
