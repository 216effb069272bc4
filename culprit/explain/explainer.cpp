#include "culprit/explain/explainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "culprit/explain/log_change.h"
#include "culprit/explain/series_shift.h"
#include "culprit/explain/span_change.h"

namespace culprit {
namespace {

// What makes two pieces of evidence speak of the same thing.
struct Subject {
    std::string operator()(const ShiftEvidence& e) const { return "shift " + e.column; }
    std::string operator()(const LogEvidence& e) const {
        return "log " + e.source + " " + e.log_template;
    }
    std::string operator()(const SpanEvidence& e) const {
        return "span " + e.service + " " + e.operation + " " + e.quantity;
    }
    std::string operator()(const EdgeEvidence& e) const {
        return "edge " + e.cause + " " + e.effect;
    }
};

std::string subject_of(const Evidence& evidence) { return std::visit(Subject{}, evidence); }

}  // namespace

Explainer::Explainer(const Incident& incident, ExplainOptions options)
    : incident_(incident), options_(options) {
    add_shifts();
    add_spans();
    add_logs();
}

void Explainer::add_shifts() {
    const Frame& metrics = incident_.metrics;
    const SeriesWindows windows =
        windows_in(metrics.times(), incident_.baseline, incident_.suspect);
    std::map<std::string, std::vector<ShiftEvidence>> strongest;
    for (std::size_t c = 0; c < metrics.num_columns(); ++c) {
        auto shift = shift_in(metrics.values(c), metrics.times(), windows);
        if (!shift) continue;
        const Column& column = metrics.column(c);
        shift->column = column.name;
        shift->unit = column.unit;
        const std::string service =
            column.service.empty() ? service_of_name(column.name) : column.service;
        if (std::abs(shift->score) >= options_.score_min) strongest[service].push_back(*shift);
        shifts_.emplace(column.name, std::move(*shift));
    }
    for (auto& [service, shifts] : strongest) {
        std::stable_sort(shifts.begin(), shifts.end(), [](const auto& a, const auto& b) {
            return std::abs(a.score) > std::abs(b.score);
        });
        shifts.resize(std::min(shifts.size(), options_.shifts_per_service_max));
        auto& evidence = by_service_[service];
        evidence.insert(evidence.end(), shifts.begin(), shifts.end());
    }
}

void Explainer::add_logs() {
    std::map<std::string, std::size_t> taken;
    for (LogEvidence& change : log_changes(incident_, options_.score_min))
        if (taken[change.source]++ < options_.logs_per_service_max) {
            auto& evidence = by_service_[change.source];
            evidence.push_back(std::move(change));
        }
}

void Explainer::add_spans() {
    std::map<std::string, std::size_t> taken;
    for (SpanEvidence& change : span_changes(incident_, options_.score_min))
        if (taken[change.service]++ < options_.spans_per_service_max) {
            auto& evidence = by_service_[change.service];
            evidence.push_back(std::move(change));
        }
}

std::optional<ShiftEvidence> Explainer::shift_of(std::string_view column) const {
    auto found = shifts_.find(column);
    if (found == shifts_.end() && column.ends_with("_latency"))
        found = shifts_.find(std::string(column) + "-90");
    if (found == shifts_.end()) return std::nullopt;
    return found->second;
}

std::vector<Evidence> Explainer::evidence_of(std::string_view service) const {
    const auto found = by_service_.find(service);
    return found == by_service_.end() ? std::vector<Evidence>{} : found->second;
}

Ranking Explainer::explain(const Ranking& ranking) const {
    std::vector<Suspect> suspects(ranking.suspects().begin(), ranking.suspects().end());
    std::set<std::string> seen;
    for (Suspect& suspect : suspects) {
        std::set<std::string> subjects;
        std::array<bool, std::variant_size_v<Evidence>> given{};  // by kind
        for (const Evidence& evidence : suspect.evidence) {
            subjects.insert(subject_of(evidence));
            given[evidence.index()] = true;
        }
        const auto add = [&](Evidence evidence) {
            if (subjects.insert(subject_of(evidence)).second)
                suspect.evidence.push_back(std::move(evidence));
        };
        if (auto own = shift_of(suspect.name)) add(std::move(*own));
        if (!seen.insert(suspect.service).second) continue;
        for (Evidence& evidence : evidence_of(suspect.service))
            if (!given[evidence.index()]) add(std::move(evidence));
    }
    return Ranking::from(std::move(suspects));
}

}  // namespace culprit
