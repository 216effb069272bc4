#include "culprit/methods/suspicious_sets.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <set>

namespace culprit {
namespace {

using Services = std::vector<std::uint32_t>;

// Every intersection of the services of abnormal patterns, in lexicographic order.
Result<std::set<Services>> closed_sets(const std::vector<TracePattern>& patterns, std::size_t most,
                                       const Stop& stop, bool& is_complete) {
    std::set<Services> closed;
    for (const TracePattern& pattern : patterns) {
        if (!pattern.is_abnormal || closed.count(pattern.services) > 0) continue;
        CULPRIT_TRY_STATUS(stop.check());
        std::set<Services> added = {pattern.services};
        for (const Services& other : closed) {
            Services common;
            std::set_intersection(other.begin(), other.end(), pattern.services.begin(),
                                  pattern.services.end(), std::back_inserter(common));
            if (!common.empty()) added.insert(std::move(common));
        }
        closed.merge(added);
        if (closed.size() > most) {
            is_complete = false;
            break;
        }
    }
    return closed;
}

/// Which patterns hold each service, one bit per pattern: a set's patterns are the intersection.
class PatternIndex {
public:
    PatternIndex(const std::vector<TracePattern>& patterns, std::size_t num_services)
        : num_words_((patterns.size() + 63) / 64),
          of_service_(num_services, std::vector<std::uint64_t>(num_words_)) {
        for (std::size_t p = 0; p < patterns.size(); ++p)
            for (const std::uint32_t s : patterns[p].services)
                of_service_[s][p / 64] |= std::uint64_t{1} << (p % 64);
    }

    /// Calls `visit(pattern)` for every pattern that holds all of `services`, ascending.
    template <class Visit>
    void for_each_with(const Services& services, Visit visit) const {
        for (std::size_t w = 0; w < num_words_; ++w) {
            std::uint64_t bits = ~std::uint64_t{0};
            for (const std::uint32_t s : services) bits &= of_service_[s][w];
            for (; bits != 0; bits &= bits - 1)
                visit(64 * w + static_cast<std::size_t>(std::countr_zero(bits)));
        }
    }

private:
    std::size_t num_words_;
    std::vector<std::vector<std::uint64_t>> of_service_;
};

struct Candidate {
    const Services* services = nullptr;
    double jaccard = 0.0;
};

Candidate measure(const Services& services, const std::vector<TracePattern>& patterns,
                  const PatternIndex& index, double num_abnormal, double support_min) {
    double num_containing = 0.0;
    double num_both = 0.0;
    index.for_each_with(services, [&](std::size_t p) {
        const auto n = static_cast<double>(patterns[p].num_traces);
        num_containing += n;
        num_both += patterns[p].is_abnormal ? n : 0.0;
    });
    if (num_both < support_min * num_abnormal) return {};
    return {&services, num_both / (num_containing + num_abnormal - num_both)};
}

}  // namespace

Result<SuspicionScores> suspicion_scores(const std::vector<TracePattern>& patterns,
                                         std::size_t num_services,
                                         const SuspiciousSetOptions& options, const Stop& stop) {
    SuspicionScores scores;
    scores.of_service.assign(num_services, 0.0);
    double num_abnormal = 0.0;
    for (const TracePattern& pattern : patterns)
        num_abnormal += pattern.is_abnormal ? static_cast<double>(pattern.num_traces) : 0.0;
    if (num_abnormal == 0.0) return scores;

    CULPRIT_TRY(const std::set<Services> closed,
                closed_sets(patterns, options.candidates_max, stop, scores.is_complete));
    const PatternIndex index(patterns, num_services);
    std::vector<Candidate> candidates;
    for (const Services& services : closed) {
        CULPRIT_TRY_STATUS(stop.check());
        const Candidate c = measure(services, patterns, index, num_abnormal, options.support_min);
        if (c.services != nullptr) candidates.push_back(c);
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.jaccard > b.jaccard; });
    if (candidates.size() > options.sets_max) candidates.resize(options.sets_max);

    for (const Candidate& candidate : candidates) {
        CULPRIT_TRY_STATUS(stop.check());
        std::vector<double> balance(num_services, 0.0);  // incoming less outgoing
        index.for_each_with(*candidate.services, [&](std::size_t p) {
            const auto n = static_cast<double>(patterns[p].num_traces);
            for (const std::uint32_t s : patterns[p].abnormal_incoming) balance[s] += n;
            for (const std::uint32_t s : patterns[p].abnormal_outgoing) balance[s] -= n;
        });
        for (const std::uint32_t s : *candidate.services)
            scores.of_service[s] =
                std::max(scores.of_service[s], candidate.jaccard * std::abs(balance[s]));
    }
    return scores;
}

}  // namespace culprit
