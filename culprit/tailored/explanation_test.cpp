#include "culprit/tailored/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <memory>

#include "culprit/tailored/front.h"
#include "culprit/tailored/signal_text.h"
#include "culprit/tailored/span_growth.h"
#include "culprit/tailored/symptom.h"

namespace culprit::tailored {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr double begin = 1.7e9;
constexpr double alert = begin + 120;
constexpr double end = begin + 180;

class Trace {
public:
    /// Index of the span; times in seconds.
    std::size_t add(const char* service, const char* operation, std::size_t parent, double start,
                    double duration, std::int32_t status = 200) {
        if (parent == none) ++num_traces_;
        spans.start.push_back(time_from_seconds(start));
        spans.duration.push_back(std::chrono::nanoseconds(std::llround(duration * 1e9)));
        spans.trace.push_back(spans.traces.intern("t" + std::to_string(num_traces_)));
        spans.id.push_back(spans.start.size());
        spans.parent_id.push_back(parent == none ? 0 : spans.id[parent]);
        spans.service.push_back(spans.services.intern(service));
        spans.operation.push_back(spans.operations.intern(operation));
        spans.method.push_back(spans.operations.intern(""));
        spans.status.push_back(status);
        return spans.size() - 1;
    }
    static constexpr std::size_t none = ~std::size_t{0};
    SpanTable spans;

private:
    int num_traces_ = 0;
};

/// One request a second through "edge" to r0, r1, r2 in turn. Since the alert, of those to r1 the
/// first token takes `wait` and decoding `decode` longer; all others stay.
Incident served(double wait, double decode, bool fails = false) {
    Trace trace;
    int number = 0;
    for (double t = begin; t + 2.0 < end; t += 1.0, ++number) {
        static constexpr const char* replicas[] = {"r0", "r1", "r2"};
        const bool slow = number % 3 == 1 && t >= alert;
        const double first = 0.05 + 0.001 * (number % 5) + (slow ? wait : 0.0);
        const double tokens = 0.5 + 0.01 * (number % 7) + (slow ? decode : 0.0);
        if (slow && fails) {
            trace.add("edge", "POST /", Trace::none, t, 0.01, 502);
            continue;
        }
        const auto root = trace.add("edge", "POST /", Trace::none, t, first + tokens + 0.004);
        const auto server =
            trace.add(replicas[number % 3], "POST /", root, t + 0.002, first + tokens);
        trace.add(replicas[number % 3], "engine.prefill", server, t + 0.002, first);
        trace.add(replicas[number % 3], "engine.decode", server, t + 0.002 + first, tokens);
    }
    Incident incident;
    incident.spans = std::make_shared<const SpanTable>(trace.spans);
    incident.alert = time_from_seconds(alert);
    incident.baseline = {time_from_seconds(begin), incident.alert};
    incident.suspect = {incident.alert, time_from_seconds(end)};
    return incident;
}

TEST(Symptom, SaysWhatRequestsFeltSinceWhen) {
    const Incident incident = served(0.4, 2.0);
    const auto symptom = symptom_of({}, incident, windows_of(incident));
    ASSERT_TRUE(symptom);
    EXPECT_THAT(symptom->text, HasSubstr("time to first token p95 56 -> 456 ms"));
    EXPECT_THAT(symptom->text, HasSubstr("request latency p95"));
    EXPECT_NEAR(to_seconds(symptom->when - incident.alert), 2.0, 5.0);
    EXPECT_GT(symptom->now.value_or(0), symptom->baseline.value_or(0));
}

TEST(Symptom, CountsFailuresFirst) {
    const Incident incident = served(0.0, 0.0, true);
    const auto symptom = symptom_of({}, incident, windows_of(incident));
    ASSERT_TRUE(symptom);
    EXPECT_THAT(symptom->text, testing::StartsWith("failed requests 0 -> 3"));
    EXPECT_THAT(symptom->text, Not(HasSubstr("latency")));
}

TEST(Symptom, SaysThatNothingWasFelt) {
    const Incident incident = served(0.0, 0.0);
    const auto symptom = symptom_of({}, incident, windows_of(incident));
    ASSERT_TRUE(symptom);
    EXPECT_THAT(symptom->text, testing::StartsWith("requests as before: none failed"));
    EXPECT_EQ(symptom->when, TimePoint{});
    EXPECT_FALSE(symptom_of({}, Incident{}, Windows{}));
}

/// `signal` at `service` three times as high; `load` stays.
Observations tripled(const char* service, const char* signal, const char* unit) {
    Observations seen;
    seen.of[service].push_back(
        {.feature = 0, .baseline = 1.2, .suspect = 3.6, .own = 8.0, .relative = 8.0});
    seen.features.push_back(
        {.service = service, .signal = signal, .unit = unit, .kind = FeatureKind::average});
    return seen;
}

TEST(Symptom, ReadsGatewaysAndOrdinaryServices) {
    for (const auto& [signal, text] :
         {std::pair{"istio_request_duration_milliseconds",
                    "request latency seen by callers 1.2 -> 3.6 s at edge"},
          {"http_request_duration_seconds", "HTTP request time 1.2 -> 3.6 s at edge"}}) {
        const Observations seen = tripled("edge", signal, "s");
        const auto symptom = symptom_of(seen, Incident{}, Windows{});
        ASSERT_TRUE(symptom);
        EXPECT_EQ(symptom->text, text);
        EXPECT_EQ(users_felt(symptom, seen, Incident{}), UsersFelt::something);
    }
}

TEST(SpanGrowth, SharesTheGrowthOutOverWhatTookIt) {
    const Incident incident = served(0.4, 2.0);
    const SpanGrowth growth(*incident.spans, windows_of(incident));
    EXPECT_THAT(
        growth.text("r1", {"r0", "r2"}),
        testing::MatchesRegex("\\+2\\.[0-9]+ s per request: engine.decode \\+[12][0-9.]* s, "
                              "engine.prefill \\+[0-9]+ ms; siblings .*"));
    EXPECT_EQ(growth.text("r0", {"r1", "r2"}), "");
    EXPECT_EQ(growth.text("nowhere", {}), "");
}

TEST(SignalText, HasWordsForEverySignalOfEverySignature) {
    for (const FaultSignature& fault : FaultLibrary::builtin().signatures()) {
        for (const ExpectedSignal& expected : fault.signals)
            EXPECT_NE(signal_text(expected.signal), expected.signal) << fault.id;
        for (const DecidingSignal& deciding : fault.decided_by)
            EXPECT_NE(signal_text(deciding.signal), deciding.signal) << fault.id;
    }
    EXPECT_EQ(signal_text("my_metric"), "my_metric");
}

TEST(QuantityText, ReadsLikeAPersonWritesIt) {
    EXPECT_EQ(quantity_text(0.0124, "s"), "12.4 ms");
    EXPECT_EQ(quantity_text(857, "ms"), "857 ms");
    EXPECT_EQ(quantity_text(1.98e9, "Hz"), "1980 MHz");
    EXPECT_EQ(quantity_text(0.314, "1"), "31.4 %");
    EXPECT_EQ(quantity_text(2.83e8, "ns/s"), "28.3 % of the time");
    EXPECT_EQ(quantity_text(3.0, "/s"), "3/s");
    EXPECT_EQ(quantity_text(0, "/s"), "0/s");
    EXPECT_EQ(quantity_text(1980, "MHz"), "1980 MHz");
    EXPECT_EQ(quantity_text(5.3e9, "By"), "5.3 GB");
    EXPECT_EQ(quantity_text(4934346, "us"), "4.93 s");
    EXPECT_EQ(quantity_text(61.5, "MBy/s"), "61.5 MB/s");
    EXPECT_EQ(quantity_text(12, "MiBy"), "12.6 MB");
    EXPECT_EQ(quantity_text(0.351, "s/s"), "35.1 % of the time");
    EXPECT_EQ(quantity_text(12.5, "s/s"), "12.5 s/s");
    EXPECT_EQ(quantity_text(3e5, "mJ/s"), "300 W");
    EXPECT_EQ(change_text(0, 5.1, "/s"), "0 -> 5.1/s");
    EXPECT_EQ(change_text(0.2, 12, "{request}/s"), "0.2 -> 12/s");
    EXPECT_EQ(beside_text(0, 5.1, "/s"), "0");
    EXPECT_EQ(change_text(0.0092, 1.4, "s"), "9.2 ms -> 1.4 s");
}

TEST(FilledIn, NamesThePod) {
    EXPECT_EQ(filled_in("kubectl logs POD > POD.log", "r1"), "kubectl logs r1 > r1.log");
    EXPECT_EQ(filled_in("kubectl logs POD", ""), "kubectl logs POD");
    EXPECT_EQ(filled_in("nvidia-smi -i GPU", "r1"), "nvidia-smi -i GPU");
}

/// Three engines, half of whose caches are full; `fault` strikes r1.
struct Fleet {
    FaultSignature fault;
    Observations seen;
    Incident incident;
    LogMatches logs;
    std::vector<Hypothesis> hypotheses;

    explicit Fleet(double kv_usage) {
        fault = *FaultLibrary::builtin().find("gpu_power_cap");
        const auto add = [&](const std::string& service, const char* signal, double before,
                             double now, double moved) {
            seen.of[service].push_back({.feature = seen.features.size(),
                                        .baseline = before,
                                        .suspect = now,
                                        .own = moved,
                                        .relative = moved,
                                        .siblings_now = before,
                                        .onset = time_from_seconds(alert)});
            const bool is_rate = std::string_view(signal) == "engine.completed";
            seen.features.push_back({.service = service,
                                     .signal = signal,
                                     .unit = is_rate ? "{request}" : "1",
                                     .kind = is_rate ? FeatureKind::rate : FeatureKind::level,
                                     .values = {before, now}});
        };
        PeerGroup group;
        for (const char* service : {"r0", "r1", "r2"}) {
            const bool hit = std::string_view(service) == "r1";
            add(service, "engine.completed", 2.0, 2.0, 0.0);
            add(service, "engine.kv_usage", kv_usage, kv_usage, 0.0);
            add(service, "engine.running", 3.0, 4.0, 0.0);
            add(service, "gpu.sm_clock", 1.98e9, hit ? 1.1e9 : 1.98e9, hit ? -9.0 : 0.0);
            add(service, "gpu.power", 500.0, hit ? 300.0 : 500.0, hit ? -8.0 : 0.0);
            add(service, "gpu.temperature", 65.0, 65.0, 0.0);
            group.services.emplace_back(service);
            seen.group_of[service] = 0;
        }
        seen.groups.push_back(std::move(group));
        hypotheses = {{.fault = &fault, .component = "r1", .seen_at = "r1", .probability = 0.8},
                      {.fault = FaultLibrary::builtin().find("gpu_thermal"),
                       .component = "r1",
                       .seen_at = "r1",
                       .probability = 0.01}};
    }
    Weighed weighed() const { return {hypotheses, seen, logs, incident, windows}; }
    Windows windows;
};

TEST(Explain, TellsWhatMovedWithNumbersAndWhatItIsNot) {
    const Fleet fleet(0.4);
    const auto findings = explain(fleet.weighed(), 5);
    ASSERT_EQ(findings.size(), 2U);
    const Finding& first = findings.front();
    ASSERT_EQ(first.chain.size(), 2U);
    const FindingStep& step = first.chain.front();
    EXPECT_EQ(step.remark, "first to move");
    EXPECT_EQ(first.chain.back().remark, "");
    EXPECT_THAT(step.text, HasSubstr(", siblings "));
    EXPECT_EQ(step.series.size(), 3U);
    EXPECT_EQ(step.series.front().component, "r1");
    EXPECT_LT(step.now.value_or(0), step.baseline.value_or(0));
    EXPECT_THAT(first.ruled_out, ElementsAre(HasSubstr("GPU thermal throttling: GPU temperature "
                                                       "unchanged at 65")));
    EXPECT_THAT(findings.back().ruled_out, IsEmpty());
}

TEST(Stopgap, DrainsAReplicaAndSaysWhatItsSiblingsThenCarry) {
    const Fleet fleet(0.4);
    const auto advice = stopgap(fleet.hypotheses.front(), fleet.weighed());
    ASSERT_TRUE(advice);
    EXPECT_EQ(advice->action,
              "Drain r1: each of the other 2 takes 1.5 times its load, 2 -> 3 requests/s; KV cache "
              "40 -> 60 %; up to 4 at once so far");
    EXPECT_FALSE(advice->command.empty());
}

TEST(Stopgap, ReadsCachesInPerCent) {
    Fleet fleet(40.0);
    for (Feature& f : fleet.seen.features)
        if (f.signal == "engine.kv_usage") f.unit = "%";
    const auto advice = stopgap(fleet.hypotheses.front(), fleet.weighed());
    ASSERT_TRUE(advice);
    EXPECT_THAT(advice->action, HasSubstr("KV cache 40 -> 60 %"));
}

TEST(Stopgap, SaysWhenTheSiblingsCannotCarryIt) {
    const Fleet fleet(0.7);
    const auto advice = stopgap(fleet.hypotheses.front(), fleet.weighed());
    ASSERT_TRUE(advice);
    EXPECT_THAT(advice->action, HasSubstr("too much for them, so shed load as well"));
}

TEST(Stopgap, NobodyTakesOverFromASingleReplica) {
    Fleet fleet(0.4);
    for (const char* service : {"r0", "r2"}) {  // they only pass requests on
        fleet.seen.of[service].push_back({.feature = fleet.seen.features.size()});
        fleet.seen.features.push_back({.service = service, .signal = "proxy.requests"});
    }
    EXPECT_FALSE(stopgap(fleet.hypotheses.front(), fleet.weighed()));
}

TEST(Stopgap, DrainsNobodyWhoIsMoreProbablyWell) {
    Fleet fleet(0.4);
    fleet.hypotheses.front().probability = 0.3;
    EXPECT_FALSE(stopgap(fleet.hypotheses.front(), fleet.weighed()));
    fleet.hypotheses.back().probability = 0.3;  // which fault is not known, but at r1
    EXPECT_TRUE(stopgap(fleet.hypotheses.front(), fleet.weighed()));
}

TEST(Explain, AdvisesToLookWhereTheFaultIsNotKnown) {
    Fleet fleet(0.4);
    const auto commands = [&] {
        std::string all;
        const Finding finding = explain(fleet.weighed(), 1).front();
        for (const Advice& advice : finding.advice) all += advice.command + "\n";
        return all;
    };
    EXPECT_THAT(commands(), HasSubstr("-pl DEFAULT_W"));
    fleet.hypotheses.front().probability = 0.4;
    EXPECT_EQ(commands(), "nvidia-smi -i GPU -q -d POWER,PERFORMANCE\n");
    // No remedy only looks: then the signals that decide.
    fleet.hypotheses.front().fault = FaultLibrary::builtin().find("kv_exhaustion");
    fleet.seen.features[1].signal = "engine.kv_usage";
    EXPECT_THAT(commands(), Not(HasSubstr("vllm serve")));
}

TEST(Stopgap, TakesTheSignaturesOwnAndDrainsNoProxy) {
    Fleet fleet(0.4);
    Hypothesis proxy = fleet.hypotheses.front();
    proxy.fault = FaultLibrary::builtin().find("proxy_hang");
    const auto advice = stopgap(proxy, fleet.weighed());
    ASSERT_TRUE(advice);
    EXPECT_THAT(advice->action, Not(HasSubstr("Drain")));
    proxy.fault = FaultLibrary::builtin().find("dns_failure");
    EXPECT_FALSE(stopgap(proxy, fleet.weighed()));
    proxy.kind = HypothesisKind::nothing;
    EXPECT_FALSE(stopgap(proxy, fleet.weighed()));
}

TEST(BlindSpots, NameWhatWouldDecideAndHowToGetIt) {
    const Fleet fleet(0.4);
    const auto spots = blind_spots(fleet.weighed(), Catalogue::builtin());
    EXPECT_THAT(spots, testing::Contains(HasSubstr("(GPU power limit) is not collected")));
    for (const std::string& spot : spots) EXPECT_THAT(spot, HasSubstr("is not collected"));
}

/// What is advised where the fault is at `r1` and the table has one column of `metric`.
std::vector<std::string> spots_beside(const char* metric, const char* fault) {
    Fleet fleet(0.4);
    fleet.hypotheses.front().fault = FaultLibrary::builtin().find(fault);
    fleet.incident.metrics =
        *Frame::make({time_from_ns(0)},
                     {{.name = std::string("r1_") + metric, .service = "r1", .metric = metric}},
                     Matrix(1, 1, 1.0));
    return blind_spots(fleet.weighed(), Catalogue::builtin());
}

TEST(BlindSpots, NameNoOtherEnginesSignals) {
    using testing::Contains;
    EXPECT_THAT(spots_beside("vllm:num_requests_running", "kv_exhaustion"),
                Contains(HasSubstr("vllm:num_preemptions_total")));
    for (const char* metric : {"nv_inference_pending_request_count", "tgi_queue_size",
                               "llamacpp:requests_processing", "queue length"})
        EXPECT_THAT(spots_beside(metric, "kv_exhaustion"), Not(Contains(HasSubstr("vllm:"))));
    EXPECT_THAT(spots_beside("vllm:num_requests_running", "object_store_spill"),
                Not(Contains(HasSubstr("ray_"))));
}

}  // namespace
}  // namespace culprit::tailored
