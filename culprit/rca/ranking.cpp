#include "culprit/rca/ranking.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "culprit/base/check.h"
#include "culprit/rca/incident.h"

namespace culprit {

Ranking Ranking::from(std::vector<Suspect> suspects) {
    for (const Suspect& suspect : suspects) CULPRIT_CHECK(std::isfinite(suspect.score));
    // Sorting places is cheaper than moving suspects about: each moves once.
    std::vector<std::pair<double, std::size_t>> order;
    order.reserve(suspects.size());
    for (std::size_t i = 0; i < suspects.size(); ++i) order.emplace_back(-suspects[i].score, i);
    std::sort(order.begin(), order.end());
    Ranking ranking;
    ranking.suspects_.reserve(suspects.size());
    for (const auto& [score, i] : order) ranking.suspects_.push_back(std::move(suspects[i]));
    return ranking;
}

Ranking Ranking::in_order(std::span<const std::string> names) {
    std::vector<Suspect> suspects;
    suspects.reserve(names.size());
    for (std::size_t i = 0; i < names.size(); ++i)
        suspects.push_back({.name = names[i],
                            .service = service_of_name(names[i]),
                            .score = static_cast<double>(names.size() - i)});
    return from(std::move(suspects));
}

std::vector<std::string> Ranking::services() const {
    std::vector<std::string> services;
    std::unordered_set<std::string_view> seen;
    for (const Suspect& suspect : suspects_)
        if (seen.insert(suspect.service).second) services.push_back(suspect.service);
    return services;
}

std::string_view to_string(DiagnosisStatus status) {
    return status == DiagnosisStatus::ok ? "ok" : "degenerate";
}

}  // namespace culprit
