#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "culprit/frame/span_table.h"
#include "culprit/tailored/windows.h"

namespace culprit::tailored {

/// How each caller spreads its calls over the components it calls, before and after, by the spans
/// whose parent belongs to another component: who sends unequal shares shows it here, and who only
/// passes them on does not.
///
/// A share shifted when it changed by a tenth of all calls at least and by three standard errors
/// of two proportions (20 calls on either side at least, two callees at least).
/// Cost: O(spans).
class CallShares {
public:
    enum class Spread : std::uint8_t { unknown, steady, shifted };

    CallShares() = default;
    CallShares(const SpanTable& spans, const Windows& windows);
    Spread of(std::string_view caller, std::string_view callee) const;

private:
    struct Counts {
        double before = 0.0;
        double after = 0.0;
    };
    struct Calls {
        Counts all;
        std::map<std::string, Counts, std::less<>> to;
    };
    std::map<std::string, Calls, std::less<>> calls_;  // by caller
};

}  // namespace culprit::tailored
