#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "culprit/tailored/explanation.h"
#include "culprit/tailored/exporters.h"
#include "culprit/tailored/signal_text.h"

namespace culprit::tailored {
namespace {

constexpr std::size_t candidates_max = 3;
constexpr double candidate_probability_min = 0.02;
constexpr double sure_probability = 0.9;
constexpr double rival_probability_min = 0.1;  // below: no rival worth a new exporter
constexpr std::size_t telling_apart_max = 3;
constexpr int telling_weight = 3;  // "almost always": what is unsure by itself decides nothing

/// Sources may make a ratio of two counters and not give these.
constexpr std::array<std::array<std::string_view, 2>, 2> made_of = {
    {{"engine.prefix_hit_ratio", "engine.prefix_hits"},
     {"link.retransmit_share", "node_netstat_Tcp_RetransSegs"}}};

class BlindSpots {
public:
    BlindSpots(const Weighed& weighed, const Catalogue& catalogue)
        : weighed_(weighed),
          catalogue_(catalogue),
          exporters_(exporters_of(weighed.incident.metrics)) {
        for (const Hypothesis& h : weighed.hypotheses)
            if (candidates_.size() < candidates_max &&
                (h.probability >= candidate_probability_min || candidates_.empty()))
                candidates_.push_back(&h);
        for (const Hypothesis* h : candidates_)
            if (h->fault != nullptr) asked_.insert(h->seen_at);
        for (const std::string_view exporter : exporters_) {
            const Component* known = catalogue.find_component(exporter);
            is_kubernetes_ =
                is_kubernetes_ || (known != nullptr && known->expected == "kubernetes");
        }
        for (const Feature& f : weighed.seen.features) {
            collect(f.service, f.signal);
            for (const auto& [ratio, counter] : made_of)
                if (f.signal == ratio) collect(f.service, counter);
        }
    }

    std::vector<std::string> list() {
        for (const Hypothesis* h : candidates_)
            if (h->fault != nullptr)
                for (const DecidingSignal& deciding : h->fault->decided_by) add(*h, deciding);
        if (!candidates_.empty() && candidates_.front()->probability < sure_probability)
            add_telling_apart();
        return std::move(spots_);
    }

private:
    void collect(std::string_view service, std::string_view signal) {
        for (const std::string_view place : {service, std::string_view()})
            if (asked_.contains(place)) collected_.emplace(place, signal);
    }

    /// Is it there for the component, or, where the service as a whole is meant, anywhere?
    bool is_collected(const std::string& signal, const Hypothesis& h) const {
        const Signal* known = find(signal);
        return collected_.contains({h.seen_at, signal}) ||
               (known != nullptr && !known->quantity.empty() &&
                collected_.contains({h.seen_at, known->quantity}));
    }

    /// By name or by what it measures; a name that the catalogue does not know: null.
    const Signal* find(const std::string& signal) const {
        if (const Signal* found = catalogue_.find(signal)) return found;
        for (const Signal& s : catalogue_.signals())
            if (s.quantity == signal) return &s;
        return nullptr;
    }

    /// Could whoever runs this system export it, without another engine or framework?
    bool is_exported_here(const Signal& signal) const {
        if (signal.modality != Modality::metric || exporters_.contains(signal.component))
            return true;
        if (signal.component == "dcgm-exporter" &&
            exporters_.contains("amd-device-metrics-exporter"))
            return false;
        const Component* exporter = catalogue_.find_component(signal.component);
        if (exporter == nullptr || exporter->expected == "always") return true;
        return exporter->expected == "kubernetes" && is_kubernetes_;
    }

    /// The same quantity as the exporters here have it; null: none of them has.
    const Signal* here(const Signal* known) const {
        if (known->quantity.empty()) return is_exported_here(*known) ? known : nullptr;
        if (exporters_.contains(known->component)) return known;
        for (const Signal& s : catalogue_.signals())
            if (s.quantity == known->quantity && s.modality == Modality::metric &&
                exporters_.contains(s.component))
                return &s;
        return is_exported_here(*known) ? known : nullptr;
    }

    bool has_logs() const { return weighed_.incident.logs && weighed_.incident.logs->size() > 0; }

    /// What people call it and what to look for in an exporter's list.
    static std::string named(const std::string& signal, const Signal* known) {
        const std::string words = signal_text(signal);
        return known == nullptr || known->modality != Modality::metric || known->name == words
                   ? words
                   : fmt::format("{} ({})", known->name, words);
    }

    static std::string how(const Signal* known) {
        return known == nullptr || known->enable.empty()
                   ? std::string()
                   : fmt::format(" (to export it: {})", known->enable);
    }

    void add(const Hypothesis& h, const DecidingSignal& deciding) {
        const Signal* known = find(deciding.signal);
        if (known != nullptr && known->modality == Modality::log) {
            if (has_logs() || !told_.insert("logs").second) return;
            spots_.push_back(fmt::format(
                "{} not collected; they would show {}",
                h.seen_at.empty() ? "log lines are" : "log lines of " + h.seen_at + " are",
                deciding.tells));
            return;
        }
        if (known != nullptr && known->modality == Modality::span) return;
        if (is_collected(deciding.signal, h) || !told_.insert(deciding.signal).second) return;
        if (known != nullptr && known->modality == Modality::derived)
            return;  // made of others, which are named themselves
        if (known != nullptr && (known = here(known)) == nullptr) return;
        spots_.push_back(fmt::format("{} is not collected: {}{}", named(deciding.signal, known),
                                     deciding.tells, how(known)));
    }

    /// Signals that nobody brought and that two of the candidates expect to differ.
    void add_telling_apart() {
        std::size_t added = 0;
        for (const Hypothesis* h : candidates_) {
            if (h->fault == nullptr || h->probability < rival_probability_min) continue;
            for (const ExpectedSignal& expected : h->fault->signals) {
                if (added == telling_apart_max) return;
                if (expected.weight < telling_weight || expected.direction == Direction::flat ||
                    is_collected(expected.signal, *h) || told_.contains(expected.signal))
                    continue;
                const Signal* known = find(expected.signal);
                if (known == nullptr || known->modality != Modality::metric) continue;
                known = here(known);
                if (known == nullptr) continue;
                const Hypothesis* other = who_differs(*h, expected);
                if (other == nullptr) continue;
                told_.insert(expected.signal);
                ++added;
                spots_.push_back(fmt::format(
                    "{} is not collected: it {} under \"{}\", not under \"{}\"{}",
                    named(expected.signal, known),
                    is_upwards(expected.direction) ? "rises" : "falls", h->fault->name,
                    other->fault == nullptr ? "nothing is wrong" : other->fault->name, how(known)));
            }
        }
    }

    const Hypothesis* who_differs(const Hypothesis& h, const ExpectedSignal& expected) const {
        for (const Hypothesis* other : candidates_) {
            if (other == &h || other->kind == HypothesisKind::unknown ||
                other->probability < rival_probability_min)
                continue;
            if (other->fault == nullptr) return other;
            const auto theirs =
                std::ranges::find(other->fault->signals, expected.signal, &ExpectedSignal::signal);
            if (theirs == other->fault->signals.end() || theirs->direction == Direction::flat ||
                is_upwards(theirs->direction) != is_upwards(expected.direction))
                return other;
        }
        return nullptr;
    }

    const Weighed& weighed_;
    const Catalogue& catalogue_;
    const std::set<std::string_view> exporters_;  // whose metrics are there
    bool is_kubernetes_ = false;
    std::vector<const Hypothesis*> candidates_;
    std::set<std::string_view> asked_;  // components whose signals matter; "": anybody's
    std::set<std::pair<std::string_view, std::string_view>> collected_;  // of these, signal
    std::set<std::string> told_;
    std::vector<std::string> spots_;
};

}  // namespace

std::vector<std::string> blind_spots(const Weighed& weighed, const Catalogue& catalogue) {
    return BlindSpots(weighed, catalogue).list();
}

}  // namespace culprit::tailored
