#include "culprit/tailored/call_shares.h"

#include <gtest/gtest.h>

namespace culprit::tailored {
namespace {

using Spread = CallShares::Spread;

/// A call a second of `caller` for 200 s; the callee is chosen by `choose(second)`.
template <class Choose>
void add_calls(SpanTable& spans, const char* caller, Choose choose) {
    const auto add = [&](std::string_view service, std::uint64_t id, std::uint64_t parent, int s) {
        spans.start.push_back(time_from_seconds(1.7e9 + s));
        spans.duration.push_back(Duration(1000));
        spans.trace.push_back(spans.traces.intern(std::to_string(id)));
        spans.id.push_back(id);
        spans.parent_id.push_back(parent);
        spans.service.push_back(spans.services.intern(service));
        spans.operation.push_back(spans.operations.intern("call"));
        spans.method.push_back(spans.operations.intern(""));
        spans.status.push_back(SpanTable::no_status);
    };
    for (int s = 0; s < 200; ++s) {
        const std::uint64_t id = 2 * spans.size() + 2;
        add(caller, id, 0, s);
        add(choose(s), id + 1, id, s);
    }
}

Windows halves() {
    const TimePoint begin = time_from_seconds(1.7e9);
    const TimePoint alert = time_from_seconds(1.7e9 + 100);
    const TimePoint end = time_from_seconds(1.7e9 + 200);
    return {.reference = {begin, alert}, .search = {alert, end}, .suspect = {alert, end}};
}

TEST(CallShares, TellWhoSendsUnequallyFromWhoPassesItOn) {
    SpanTable spans;
    const char* replicas[] = {"r0", "r1", "r2"};
    add_calls(spans, "proxy", [&](int s) { return replicas[s < 100 ? s % 3 : 1]; });
    add_calls(spans, "gateway", [&](int s) { return replicas[s % 3]; });
    add_calls(spans, "client", [](int) { return "proxy"; });
    const CallShares shares(spans, halves());
    EXPECT_EQ(shares.of("proxy", "r1"), Spread::shifted);
    EXPECT_EQ(shares.of("proxy", "r0"), Spread::shifted);
    EXPECT_EQ(shares.of("gateway", "r1"), Spread::steady);
    EXPECT_EQ(shares.of("client", "proxy"), Spread::unknown);  // has no choice
    EXPECT_EQ(shares.of("nobody", "r1"), Spread::unknown);
    EXPECT_EQ(CallShares().of("proxy", "r1"), Spread::unknown);
}

TEST(CallShares, SayNothingOnFewCalls) {
    SpanTable spans;
    add_calls(spans, "proxy", [](int s) { return s % 2 == 0 ? "r0" : "r1"; });
    Windows windows = halves();
    windows.suspect.end = windows.suspect.begin + std::chrono::seconds(19);
    EXPECT_EQ(CallShares(spans, windows).of("proxy", "r0"), Spread::unknown);
}

}  // namespace
}  // namespace culprit::tailored
