#include "golden_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "culprit/stats/deviation.h"

namespace culprit {
namespace {

using Kind = GoldenRule::Kind;
using Scored = std::vector<std::pair<std::string, double>>;

constexpr double tolerance = 1e-9;

bool close(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) == std::isnan(b);
    return std::abs(a - b) <= tolerance * std::max({std::abs(a), std::abs(b), 1e-300});
}

std::string join(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < 12; ++i) text += (i == 0 ? "" : " ") + names[i];
    return text;
}

std::vector<std::string> names_of(const Ranking& ranking) {
    std::vector<std::string> names;
    names.reserve(ranking.suspects().size());
    for (const Suspect& s : ranking.suspects()) names.push_back(s.name);
    return names;
}

std::string compare_names(const std::vector<std::string>& ours,
                          const std::vector<std::string>& theirs) {
    if (ours == theirs) return {};
    return fmt::format("expected {} names: {}\nfound {} names: {}", theirs.size(), join(theirs),
                       ours.size(), join(ours));
}

// Both lists in their own order; groups of recorded scores that tie are compared as sets.
std::string compare_scores(const Ranking& ranking, const GoldenAnswer& answer) {
    const auto ours = ranking.suspects();
    Scored theirs = answer.scores;
    std::stable_sort(theirs.begin(), theirs.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    theirs.resize(std::min(theirs.size(), answer.names.size()));  // the answer may be cut off
    if (ours.size() != answer.names.size() || theirs.size() != answer.names.size())
        return compare_names(names_of(ranking), answer.names);
    for (std::size_t i = 0; i < ours.size(); ++i)
        if (!close(ours[i].score, theirs[i].second))
            return fmt::format("place {}: expected {} {:.17g}, found {} {:.17g}", i + 1,
                               theirs[i].first, theirs[i].second, ours[i].name, ours[i].score);
    for (std::size_t first = 0; first < ours.size();) {
        std::size_t last = first + 1;
        while (last < ours.size() && close(theirs[last].second, theirs[last - 1].second)) ++last;
        std::multiset<std::string> expected;
        std::multiset<std::string> found;
        for (std::size_t i = first; i < last; ++i) {
            expected.insert(answer.names[i]);
            found.insert(ours[i].name);
        }
        // The last group may be cut off in the middle of a tie.
        if (expected != found && last < ours.size())
            return fmt::format("places {} to {}: ", first + 1, last) +
                   compare_names({found.begin(), found.end()}, {expected.begin(), expected.end()});
        first = last;
    }
    return {};
}

std::string compare_evidence(const Ranking& ranking, const GoldenAnswer& answer) {
    std::string names = compare_names(names_of(ranking), answer.names);
    if (!names.empty()) return names;
    for (std::size_t i = 0; i < answer.scores.size(); ++i) {
        const auto& evidence = std::get<SpanEvidence>(ranking.suspects()[i].evidence.at(0));
        if (!close(evidence.score, answer.scores[i].second))
            return fmt::format("{}: expected {:.17g}, found {:.17g}", answer.scores[i].first,
                               answer.scores[i].second, evidence.score);
    }
    return {};
}

std::string compare_shared(const Ranking& ranking, const GoldenAnswer& answer) {
    const std::map<std::string, double> theirs(answer.scores.begin(), answer.scores.end());
    std::size_t num_alone = 0;
    std::set<std::string> shared;
    for (const Suspect& s : ranking.suspects()) {
        const auto match = theirs.find(s.name);
        if (match == theirs.end()) {
            ++num_alone;
        } else if (!close(match->second, s.score)) {
            return fmt::format("{}: expected {:.17g}, found {:.17g}", s.name, match->second,
                               s.score);
        } else {
            shared.insert(s.name);
        }
    }
    if (std::max(num_alone, answer.names.size() - shared.size()) > 1)
        return compare_names(names_of(ranking), answer.names);
    return {};
}

std::string compare_sets(std::vector<std::string> ours, std::vector<std::string> theirs) {
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    return compare_names(ours, theirs);
}

// Visits of 1000 walks of 1000 steps scatter by about 1e-3 of the most visited node's.
std::string compare_sampled(const Ranking& ranking, const GoldenAnswer& answer) {
    constexpr double scatter_max = 0.01;
    const std::map<std::string, double> theirs(answer.scores.begin(), answer.scores.end());
    if (theirs.size() != ranking.size()) return compare_names(names_of(ranking), answer.names);
    for (const Suspect& s : ranking.suspects()) {
        const auto match = theirs.find(s.name);
        if (match == theirs.end()) return compare_names(names_of(ranking), answer.names);
        if (std::abs(match->second - s.score) > scatter_max)
            return fmt::format("{}: expected {:.6f}, found {:.6f}", s.name, match->second, s.score);
    }
    return {};
}

}  // namespace

std::string compare_scatter(const std::vector<Ranking>& ours,
                            const std::vector<GoldenAnswer>& answers) {
    std::map<std::string, std::size_t> num_ours;
    for (const Ranking& ranking : ours)
        for (const std::string& name : names_of(ranking)) ++num_ours[name];
    std::set<std::string> recorded;
    for (const GoldenAnswer& answer : answers)
        recorded.insert(answer.names.begin(), answer.names.end());
    for (const std::string& name : recorded)
        if (num_ours[name] == 0)
            return fmt::format("{} is in a recorded answer and in none of ours for {} seeds", name,
                               ours.size());
    // A name in 19 of 20 answers is missing from five with a probability of 3e-7.
    if (answers.size() >= 5)
        for (const auto& [name, count] : num_ours)
            if (20 * count >= 19 * ours.size() && !recorded.contains(name))
                return fmt::format("{} is in {} of our {} answers and in no recorded one", name,
                                   count, ours.size());
    return {};
}

GoldenRule rule_for(const GoldenRule& rule, const std::string& case_id) {
    // causal-learn iterates over a set of nodes in FCI's second phase; here its order decides
    // whether an edge goes, and the record is one of the orders.
    if (rule.method == "fci_pagerank" && case_id == "medium/kv-cache_cpu/1")
        return {.method = rule.method,
                .kind = Kind::same_names,
                .why = "causal-learn's FCI follows the order of a Python set here"};
    return rule;
}

std::vector<GoldenRule> golden_rules() {
    const std::string bits = "PageRank ties can differ in the last bit";
    const std::string walk = "the walk's ties keep the order of the columns, so the order is exact";
    return {
        {"dummy", Kind::same_names, "the permutation is random and unseeded"},
        {"pc_pagerank", Kind::scores, bits},
        {"pc_randomwalk", Kind::ranks, walk},
        {"fci_pagerank", Kind::scores, bits},
        {"fci_randomwalk", Kind::ranks, walk},
        {"granger_pagerank", Kind::scores, bits},
        {"granger_randomwalk", Kind::ranks, walk},
        {"lingam_pagerank", Kind::same_names, "FastICA starts from an unseeded random matrix"},
        {"lingam_randomwalk", Kind::ranks, walk},
        {"causalrca", Kind::same_names,
         "the network's weights start unseeded and the first place changes with them"},
        {"causalai", Kind::same_names, "the answer is a Python set: its order is that of hashes"},
        {"microcause", Kind::sampled_scores,
         "a million unseeded random steps; ours are their expectation"},
        {"e_diagnosis", Kind::shared_scores,
         "thresholds come from an unseeded bootstrap: a statistic close to its threshold may fall "
         "on either side",
         true},
        {"baro", Kind::scores, "", true},
        {"rcd", Kind::seed_scatter,
         "unseeded permutations decide which columns are tested together: sets differ by seed"},
        {"circa"},
        {"nsigma", Kind::scores, "", true},
        {"microrca"},
        {"microscope", Kind::any_hash_order,
         "which node the stale variable holds depends on the order of a Python set"},
        {"monitorrank"},
        {"microrank"},
        {"tracerca", Kind::ranks_and_evidence, "NaN among the scores disturbs Python's sort"},
        {"mmbaro", Kind::scores, "", true},
        {"pdiagnose", Kind::scores, "", true},
    };
}

std::string compare_untrimmed(const GoldenRule& rule, const Incident& incident,
                              const std::vector<GoldenAnswer>& answers) {
    if (rule.method != "baro" && rule.method != "nsigma") return {};
    const Frame& frame = incident.metrics;
    const std::size_t split = frame.first_row_at(incident.alert);
    constexpr stats::DeviationOptions options = {.floor = stats::ScaleFloor::one,
                                                 .sides = stats::Sides::up};
    std::vector<double> scratch;
    for (const auto& [name, expected] : answers.front().scores) {
        // The harness renames X_latency-90 to X_latency.
        auto column = frame.find(name);
        if (!column) column = frame.find(name + "-90");
        if (!column) return fmt::format("no column {}", name);
        const auto before = frame.values(*column).first(split);
        const auto after = frame.values(*column).subspan(split);
        const double found = rule.method == "baro"
                                 ? stats::quartile_ranges_away(before, after, options, scratch)
                                 : stats::standard_deviations_away(before, after, options);
        if (!close(expected, found))
            return fmt::format("{}: expected {:.17g}, found {:.17g}", name, expected, found);
    }
    return {};
}

std::string compare(const GoldenRule& rule, const Ranking& ranking,
                    const std::vector<GoldenAnswer>& answers) {
    switch (rule.kind) {
        case Kind::scores:
            return compare_scores(ranking, answers.front());
        case Kind::ranks_and_evidence:
            return compare_evidence(ranking, answers.front());
        case Kind::ranks:
            return compare_names(names_of(ranking), answers.front().names);
        case Kind::shared_scores:
            return compare_shared(ranking, answers.front());
        case Kind::same_names:
            return compare_sets(names_of(ranking), answers.front().names);
        case Kind::any_hash_order: {
            std::string difference;
            for (const GoldenAnswer& answer : answers) {
                difference = compare_names(names_of(ranking), answer.names);
                if (difference.empty()) return {};
            }
            return difference;
        }
        case Kind::sampled_scores:
            return compare_sampled(ranking, answers.front());
        case Kind::seed_scatter:
            return compare_scatter({ranking}, answers);
    }
    return "unknown rule";
}

}  // namespace culprit
