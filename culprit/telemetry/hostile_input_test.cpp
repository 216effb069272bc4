#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <functional>
#include <string>

#include "culprit/base/random.h"
#include "culprit/telemetry/config.h"
#include "culprit/telemetry/incident_facts.h"
#include "culprit/telemetry/json_elements.h"
#include "culprit/telemetry/kubernetes_reader.h"
#include "culprit/telemetry/otlp_json.h"
#include "culprit/telemetry/prometheus_reader.h"
#include "culprit/telemetry/record_lines.h"
#include "culprit/telemetry/series_store.h"
#include "culprit/telemetry/trace_reader.h"
#include "culprit/telemetry/wire_decoder.h"

// Every decoder answers any bytes with a result or an Error: never a crash, never an exception.
// Here by mutations of good inputs from a fixed seed, in a second; the fuzzers go on from there.

namespace culprit {
namespace {

std::string mutated(std::string text, Random& random) {
    static constexpr std::string_view spice = "{}[]\",:\\\x00\xff-0e9ntf ";
    for (std::size_t k = 1 + random.below(6); k > 0 && !text.empty(); --k) {
        const std::size_t at = random.below(text.size());
        switch (random.below(4)) {
            case 0:
                text[at] = spice[random.below(spice.size())];
                break;
            case 1:
                text.erase(at, 1 + random.below(12));
                break;
            case 2:
                text.insert(at, text.substr(at, random.below(20)));
                break;
            default:
                text.resize(at);
        }
    }
    return text;
}

void expect_survives(const std::string& good, const std::function<void(std::string_view)>& decode) {
    Random random(11);
    decode(good);
    for (int k = 0; k < 3000; ++k) {
        const std::string input = mutated(good, random);
        ASSERT_NO_THROW(decode(input)) << input;
    }
}

TEST(HostileInputTest, PrometheusMatrix) {
    expect_survives(
        R"({"metric":{"__name__":"up","job":"a"},"values":[[170000000.1,"1"],[170000005,"NaN"]]})",
        [](std::string_view text) { static_cast<void>(parse_matrix_element(text)); });
    expect_survives(
        R"({"status":"success","data":{"resultType":"matrix","result":[{"a":"b"},[1,2],"x"]}})",
        [](std::string_view text) {
            JsonElements elements("result", [](std::string_view) -> Status { return {}; });
            if (elements.write(text)) static_cast<void>(elements.finish());
        });
}

TEST(HostileInputTest, Traces) {
    expect_survives(
        R"({"traceID":"t","spans":[{"traceID":"t","spanID":"a","operationName":"x","startTime":1,
            "duration":2,"processID":"p","references":[{"refType":"CHILD_OF","spanID":"b"}],
            "tags":[{"key":"http.status_code","value":200}]}],
            "processes":{"p":{"serviceName":"s"}}})",
        [](std::string_view text) {
            TelemetryStore store;
            static_cast<void>(decode_jaeger_trace(text, store));
        });
    const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
    TelemetryStore kept;
    EXPECT_TRUE(decode_jaeger_trace(R"({"traceID":"t","spans":[{"traceID":"t","spanID":"a",
        "operationName":"x","startTime":1,"duration":2,"processID":"p",
        "tags":[{"key":"error","value":)" +
                                        deep + R"(}]}],"processes":{"p":{"serviceName":"s"}}})",
                                    kept));
    expect_survives(
        R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":
            {"stringValue":"s"}}]},"scopeSpans":[{"spans":[{"traceId":"AAAAAAAAAAAAAAAAAAAAAA==",
            "spanId":"00000000000000aa","startTimeUnixNano":"1","endTimeUnixNano":"2",
            "attributes":[{"key":"http.status_code","value":{"intValue":"200"}}]}]}]}],
            "resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"h","histogram":{"dataPoints":
            [{"timeUnixNano":"1","count":"2","bucketCounts":["1","1"],
            "explicitBounds":[0.5]}]}}]}]}]})",
        [](std::string_view text) {
            TelemetryStore store;
            static_cast<void>(decode_otlp_json(text, store));
        });
}

TEST(HostileInputTest, BinaryTelemetry) {
    const auto read = [](const std::string& name) {
        std::ifstream in(CULPRIT_SOURCE_DIR "/tests/fuzz/corpus/" + name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    for (const char* name :
         {"otlp_traces/collector", "otlp_logs/collector", "otlp_metrics/collector"}) {
        const std::string good = read(name);
        ASSERT_FALSE(good.empty());
        expect_survives(good, [](std::string_view bytes) {
            TelemetryStore store;
            static_cast<void>(decode_otlp(bytes, store));
            static_cast<void>(decode_otlp_traces(bytes, store));
        });
    }
}

TEST(HostileInputTest, KubernetesListsConfigurationsAndJournals) {
    expect_survives(
        R"({"kind":"PodList","items":[{"metadata":{"name":"p","labels":{"a":"b"},"ownerReferences":
            [{"kind":"ReplicaSet","name":"r-1"}]},"spec":{"nodeName":"n","containers":[
            {"image":"i"}]},"status":{"startTime":"2026-03-02T03:10:00Z",
            "containerStatuses":[{"restartCount":1}]}}]})",
        [](std::string_view text) {
            IncidentFacts facts;
            std::uint64_t count = 0;
            const TimeRange all{time_from_ns(0), TimePoint::max()};
            static_cast<void>(take_kubernetes_list(text, all, facts, count));
        });
    expect_survives(
        "prometheus:\n  - {url: 'http://a', headers: {a: b}, tls: {ca_file: x}}\n"
        "window: {baseline: 10m}\nloki: {url: '${A:-b}', lines_max: 5}\n",
        [](std::string_view text) {
            static_cast<void>(parse_config(
                text, "c.yaml", [](const std::string&) { return std::optional<std::string>{}; }));
        });
    expect_survives(R"(["p","m",{"a":"b"},"counter","s",1,1700000000000000000,0.5])",
                    [](std::string_view text) {
                        TelemetryStore store;
                        static_cast<void>(read_line(text, store));
                    });
}

}  // namespace
}  // namespace culprit
