#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace culprit::tailored {

/// Where an excess that callers feel comes from, by conservation: what a caller waits for or fails
/// with beyond normal is either made by its callees or by itself.
///
/// Each node has an excess x >= 0 of an additive quantity per unit of time: seconds of latency
/// (mean latency above normal times requests) or failed requests. Blame enters at the nodes whose
/// excess no caller shares, in proportion to
///
///   requests * (1 - exp(-(z/3)^2)) * x / (x + noise of the callers)
///
/// (how many users see it; how sure it is; whether the callers could have hidden it in their own
/// noise), and walks down: node u passes the fraction min(1, C_u / x_u) to its callees, where C_u
/// is the sum of their excesses, split in proportion to those excesses; the rest stays.
///
/// Shapes:   nodes [n]; calls: pairs (caller, callee) of indices < n, self loops ignored.
/// Returns:  blame [n], the sum is the mass that entered; all zero when no node has an excess.
/// Assumes:  calls are synchronous on the whole; quantities add up (means, not quantiles).
/// Cost:     O(depth * calls), depth at most 32; what still circulates then stays where it is.
/// Source:   the balance of a caller's time is that of self time in traces; its use on metrics with
///           absorption is ours.
struct FlowNode {
    double excess = 0.0;    ///< 0 when not significant
    double noise = 0.0;     ///< scale of the same quantity in normal times
    double requests = 0.0;  ///< per unit of time, now
    double deviations = 0.0;
};

std::vector<double> blame_flow(std::span<const FlowNode> nodes,
                               std::span<const std::pair<std::size_t, std::size_t>> calls);

}  // namespace culprit::tailored
