#include "culprit/evaluation/accuracy.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

namespace culprit {
namespace {

std::unordered_set<std::string> comparable(std::span<const std::string> names,
                                           std::string (*form)(std::string_view)) {
    std::unordered_set<std::string> set;
    for (const std::string& name : names) set.insert(form(name));
    return set;
}

}  // namespace

double Score::average_at_5() const {
    return std::accumulate(hit.begin(), hit.end(), 0.0) / static_cast<double>(k_max);
}

Score score_at(std::optional<std::size_t> rank) {
    Score score;
    if (!rank) return score;
    for (std::size_t k = *rank; k <= Score::k_max; ++k) score.hit[k - 1] = 1.0;
    score.reciprocal_rank = 1.0 / static_cast<double>(*rank);
    return score;
}

std::string comparable_service(std::string_view service) {
    std::string name(service);
    for (auto at = name.find("-db"); at != std::string::npos; at = name.find("-db"))
        name.erase(at, 3);
    return name;
}

std::string comparable_metric(std::string_view column) {
    constexpr std::string_view percentile = "-90";
    if (column.ends_with("_latency-90")) column.remove_suffix(percentile.size());
    return std::string(column);
}

std::optional<std::size_t> rank_of_service(const Ranking& ranking,
                                           std::span<const std::string> truth) {
    const auto wanted = comparable(truth, comparable_service);
    std::unordered_set<std::string> seen;
    for (const Suspect& suspect : ranking.suspects()) {
        const std::string service = comparable_service(suspect.service);
        if (!seen.insert(service).second) continue;
        if (wanted.contains(service)) return seen.size();
    }
    return std::nullopt;
}

std::optional<std::size_t> rank_of_metric(const Ranking& ranking,
                                          std::span<const std::string> truth) {
    const auto wanted = comparable(truth, comparable_metric);
    for (std::size_t i = 0; i < ranking.size(); ++i)
        if (wanted.contains(comparable_metric(ranking.suspects()[i].name))) return i + 1;
    return std::nullopt;
}

}  // namespace culprit
