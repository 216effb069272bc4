#pragma once

#include <map>
#include <string>
#include <vector>

#include "culprit/frame/span_table.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// Where inside a component its requests became longer.
///
/// A request of a component is a span whose parent belongs to another one. Its duration is shared
/// out over the operations below it within the component: to each its duration less that of its
/// children, to the request what is left; the way is the caller's span less this one, where the
/// caller waits for nobody else. Means per request, those that end in the reference against those
/// that end since the alert; means add up, so the parts sum to the whole.
///
/// Assumes: children of a span do not overlap; what they exceed it by counts as 0.
/// Cost:    O(spans) time and memory, once for all components.
class SpanGrowth {
public:
    SpanGrowth(const SpanTable& spans, const Windows& windows);

    /// "+1.56 s per request: engine.decode +1.45 s, on the way to it +78 ms; siblings +12 ms":
    /// parts of at least a twentieth of the growth, three at most. Empty without ten requests on
    /// each side, or when they became longer by less than a tenth and 5 ms.
    std::string text(const std::string& component, const std::vector<std::string>& siblings) const;

private:
    struct Side {
        double requests = 0.0;
        double duration = 0.0;               // s, sums over requests
        std::map<std::string, double> self;  // by operation
        double ways = 0.0;
        double way = 0.0;
    };
    struct Sides {
        Side before;
        Side since;
    };
    static bool is_known(const Sides& sides);
    static double inside(const Sides& sides);  ///< growth per request, s
    static double way(const Sides& sides);     ///< the same, on the way to it

    std::map<std::string, Sides> of_;
};

}  // namespace culprit::tailored
