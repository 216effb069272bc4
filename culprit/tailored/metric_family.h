#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace culprit::tailored {

/// What a metric says about its service, read from the words that monitoring systems use for it.
/// Metrics of one family and service restate each other (a p50 and a p99, a CPU share and a CPU
/// rate) and count once; families whose changes travel along calls (latency, errors, traffic) can
/// be explained by a callee or a caller, the others belong to the service itself.
enum class FamilyRole : std::uint8_t { latency, errors, availability, traffic, own };

struct MetricFamily {
    FamilyRole role = FamilyRole::own;
    std::string key;  ///< "latency", "cpu", ...; an unknown metric's own name without quantile
};

/// `metric` is the column's name without the service: "latency-p90", "ctn_cpu", "requests-Sum".
MetricFamily family_of(std::string_view metric);

/// For latency metrics: 0 for a mean, then rising with the quantile. Means add up along a call
/// graph, high quantiles do not, so the lowest rank is the one to do arithmetic with.
int latency_rank(std::string_view metric);

}  // namespace culprit::tailored
