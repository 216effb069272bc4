#include "culprit/tailored/span_features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "culprit/base/random.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit::tailored {
namespace {

constexpr int num_rows = 72;
constexpr int alert_row = 57;

class Trace {
public:
    /// Returns the index of the span. Times in seconds.
    std::size_t add(const char* service, const char* operation, std::size_t parent, double start,
                    double duration) {
        spans.start.push_back(time_from_seconds(start));
        spans.duration.push_back(std::chrono::nanoseconds(std::llround(duration * 1e9)));
        spans.trace.push_back(spans.traces.intern("t"));
        spans.id.push_back(spans.start.size());
        spans.parent_id.push_back(parent == none ? 0 : spans.id[parent]);
        spans.service.push_back(spans.services.intern(service));
        spans.operation.push_back(spans.operations.intern(operation));
        spans.method.push_back(spans.operations.intern(""));
        spans.status.push_back(200);
        return spans.size() - 1;
    }
    static constexpr std::size_t none = ~std::size_t{0};
    SpanTable spans;
};

/// A gateway before four engines, one request a second each; the engines' GPU utilisation is all
/// that metrics show. `path` and `decode` get the engine and return seconds after the alert.
template <class Path, class Decode>
Incident served(Path path, Decode decode) {
    Random random(3);
    std::vector<TimePoint> times;
    times.reserve(static_cast<std::size_t>(num_rows));
    for (int r = 0; r < num_rows; ++r) times.push_back(time_from_seconds(1.7e9 + 5 * r));
    const std::vector<const char*> engines = {"e0", "e1", "e2", "e3"};
    std::vector<Column> columns;
    columns.reserve(engines.size());
    for (const char* engine : engines)
        columns.push_back(
            {.name = std::string(engine) + "_util", .service = engine, .metric = "ctn_gpu"});
    Matrix values(times.size(), columns.size());
    for (std::size_t t = 0; t < times.size(); ++t)
        for (std::size_t c = 0; c < columns.size(); ++c)
            values(t, c) = 60.0 * (1.0 + 0.03 * random.normal());
    Trace trace;
    for (int second = 1; second < 5 * num_rows - 5; ++second)
        for (std::size_t e = 0; e < engines.size(); ++e) {
            const bool after = second >= 5 * alert_row;
            const double start = 1.7e9 + second;
            const double noise = 1.0 + 0.05 * random.normal();
            const double way = (after ? path(e) : 0.02) * noise;
            const double steps = (after ? decode(e) : 0.6) * noise;
            const auto root = trace.add("gateway", "POST /v1/completions", Trace::none, start,
                                        way + steps + 0.05);
            const auto server = trace.add(engines[e], "POST /v1/completions", root,
                                          start + way / 2.0, steps + 0.05);
            trace.add(engines[e], "engine.prefill", server, start + way / 2.0, 0.05);
            trace.add(engines[e], "engine.decode", server, start + way / 2.0 + 0.05, steps);
        }
    Incident incident;
    incident.metrics = *Frame::make(times, std::move(columns), std::move(values));
    incident.spans = std::make_shared<SpanTable>(std::move(trace.spans));
    incident.alert = times[alert_row];
    incident.baseline = {times.front(), times[alert_row]};
    incident.suspect = {times[alert_row], times.back() + Duration(1)};
    return incident;
}

const Feature* find(const std::vector<Feature>& features, const char* service, const char* signal) {
    for (const Feature& f : features)
        if (f.service == service && f.signal == signal) return &f;
    return nullptr;
}

TEST(SpanFeatures, GiveTheWayAndThePhasesOfTheComponentThatTheyBelongTo) {
    const Incident incident =
        served([](std::size_t e) { return e == 2 ? 0.5 : 0.02; }, [](std::size_t) { return 0.6; });
    std::vector<Feature> features;
    add_span_features(features, *incident.spans, incident.metrics);
    const Feature* way = find(features, "e2", "engine.path_residual");
    ASSERT_NE(way, nullptr);
    EXPECT_NEAR(way->values[20], 0.02, 0.005);
    EXPECT_NEAR(way->values[65], 0.5, 0.1);
    EXPECT_NEAR(find(features, "e1", "engine.path_residual")->values[65], 0.02, 0.005);
    EXPECT_NEAR(find(features, "e2", "engine.decode_time")->values[65], 0.6, 0.1);
    EXPECT_NEAR(find(features, "e2", "engine.prefill_time")->values[65], 0.05, 1e-6);
    EXPECT_NEAR(find(features, "e2", "istio_request_duration_milliseconds")->values[65], 650, 100);
    EXPECT_EQ(find(features, "gateway", "engine.path_residual"), nullptr);
    EXPECT_EQ(find(features, "gateway", "istio_request_duration_milliseconds"), nullptr);
}

TEST(SpanFeatures, KnowTheWayOfTheFastest) {
    int requests = 0;
    const Incident lossy =
        served([&](std::size_t e) { return e == 2 && ++requests % 3 != 0 ? 1.0 : 0.02; },
               [](std::size_t) { return 0.6; });
    std::vector<Feature> features;
    add_span_features(features, *lossy.spans, lossy.metrics);
    EXPECT_NEAR(find(features, "e2", "engine.path_floor")->values[68], 0.02, 0.005);
    EXPECT_GT(find(features, "e2", "engine.path_residual")->values[68], 0.3);
    const Incident slow =
        served([](std::size_t e) { return e == 2 ? 1.0 : 0.02; }, [](std::size_t) { return 0.6; });
    features.clear();
    add_span_features(features, *slow.spans, slow.metrics);
    EXPECT_NEAR(find(features, "e2", "engine.path_floor")->values[68], 1.0, 0.2);
}

TEST(SpanFeatures, DoNotReplaceWhatMetricsBrought) {
    const Incident incident =
        served([](std::size_t) { return 0.02; }, [](std::size_t) { return 0.6; });
    std::vector<Feature> features = {{.service = "e1", .signal = "engine.decode_time"}};
    add_span_features(features, *incident.spans, incident.metrics);
    int found = 0;
    for (const Feature& f : features)
        if (f.service == "e1" && f.signal == "engine.decode_time") ++found;
    EXPECT_EQ(found, 1);
    EXPECT_TRUE(features.front().values.empty());
}

TEST(SpanFeatures, KnowAnInferenceEngineByItsSpans) {
    EXPECT_TRUE(speaks_of_inference(
        *served([](std::size_t) { return 0.02; }, [](std::size_t) { return 0.6; }).spans));
    Trace shop;
    const std::size_t order = shop.add("shop", "POST /cart", Trace::none, 1.7e9, 0.1);
    shop.add("db", "SELECT", order, 1.7e9, 0.05);
    EXPECT_FALSE(speaks_of_inference(shop.spans));
}

TEST(Culprit, TellsASlowPathFromASlowEngineBySpansAlone) {
    const auto diagnose = [](const Incident& incident) {
        return run_method(*make_culprit(), incident, {})->findings.front();
    };
    const Finding path = diagnose(
        served([](std::size_t e) { return e == 2 ? 0.5 : 0.02; }, [](std::size_t) { return 0.6; }));
    EXPECT_EQ(path.component, "e2");
    EXPECT_EQ(path.fault, "network_delay");
    int requests = 0;
    const Finding lossy =
        diagnose(served([&](std::size_t e) { return e == 2 && ++requests % 3 != 0 ? 1.0 : 0.02; },
                        [](std::size_t) { return 0.6; }));
    EXPECT_EQ(lossy.component, "e2");
    EXPECT_EQ(lossy.fault, "packet_loss");
    const Finding engine = diagnose(
        served([](std::size_t) { return 0.02; }, [](std::size_t e) { return e == 1 ? 1.4 : 0.6; }));
    EXPECT_EQ(engine.component, "e1");
    EXPECT_TRUE(engine.fault != "network_delay" && engine.fault != "packet_loss") << engine.fault;
}

}  // namespace
}  // namespace culprit::tailored
