#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "culprit/base/random.h"
#include "culprit/readers/case_reader.h"
#include "culprit/readers/case_writer.h"
#include "culprit/telemetry/clickhouse_reader.h"
#include "culprit/telemetry/collect.h"
#include "culprit/telemetry/fake_transport.h"
#include "culprit/telemetry/kubernetes_reader.h"
#include "culprit/telemetry/loki_reader.h"
#include "culprit/telemetry/otlp_files.h"
#include "culprit/telemetry/otlp_json.h"
#include "culprit/telemetry/probe.h"
#include "culprit/telemetry/record_lines.h"
#include "culprit/telemetry/series_store.h"
#include "culprit/telemetry/trace_reader.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// Of a URL's query: the value of `key`.
std::string parameter(const HttpRequest& request, const std::string& key) {
    const auto at = request.url.find(key + "=");
    if (at == std::string::npos) return {};
    const auto begin = at + key.size() + 1;
    return request.url.substr(begin, request.url.find('&', begin) - begin);
}

HttpClient client_of(FakeTransport& transport) {
    return {transport, HttpEndpoint{.url = "http://backend", .attempts_max = 2},
            [](double, const Stop&) {}};
}

Result<CollectConfig> config_of(std::string_view yaml) {
    return parse_config(yaml, "prod.yaml",
                        [](const std::string& name) -> std::optional<std::string> {
                            if (name == "TOKEN") return "secret";
                            return {};
                        });
}

class Folder {
public:
    Folder() : path_(fs::temp_directory_path() / fmt::format("culprit_test_{}", ::getpid())) {
        fs::remove_all(path_);
        fs::create_directories(path_);
    }
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name) << text;
        return (path_ / name).string();
    }
    std::string path(const std::string& name = {}) const { return (path_ / name).string(); }

private:
    fs::path path_;
};

// A Loki that knows its lines: [start, end), oldest first, at most `limit`.
FakeTransport::Handler loki_with(std::vector<std::pair<std::int64_t, std::string>> lines) {
    return [lines](const HttpRequest& request, std::size_t) -> FakeTransport::Answer {
        const std::int64_t start = std::stoll(parameter(request, "start"));
        const std::int64_t end = std::stoll(parameter(request, "end"));
        const std::size_t limit = std::stoull(parameter(request, "limit"));
        std::string values;
        std::size_t given = 0;
        for (const auto& [time, text] : lines) {
            if (time < start || time >= end || given == limit) continue;
            values += fmt::format("{}[\"{}\",\"{}\"]", given++ == 0 ? "" : ",", time, text);
        }
        return {.body = R"({"status":"success","data":{"resultType":"streams","result":[)"
                        R"({"stream":{"pod":"ray-0"},"values":[)" +
                        values + "]}]}}"};
    };
}

TEST(LokiReaderTest, PagesLoseNothingAtTheirBorders) {
    // Random bursts: up to 9 lines in one nanosecond, some of them equal texts, against page sizes
    // that cut them anywhere.
    Random random(7);
    for (int round = 0; round < 40; ++round) {
        std::vector<std::pair<std::int64_t, std::string>> lines;
        for (std::int64_t t = 0; t < 30; ++t)
            for (std::size_t k = random.below(10); k > 0; --k)
                lines.emplace_back(1000 + t,
                                   random.below(3) == 0 ? "same" : fmt::format("{}.{}", t, k));
        FakeTransport transport(loki_with(lines));
        const HttpClient client = client_of(transport);
        LogTable logs;
        const SourceReport report = collect_loki(client,
                                                 {.range = {time_from_ns(0), time_from_ns(5000)},
                                                  .query = "{pod=~\".+\"}",
                                                  .page_lines = 3 + random.below(12),
                                                  .page_lines_max = 64},
                                                 logs, {});
        ASSERT_FALSE(report.error.has_value());
        ASSERT_EQ(report.num_failed, 0U);
        std::multiset<std::string> expected;
        std::multiset<std::string> found;
        for (const auto& [time, text] : lines) expected.insert(fmt::format("{} {}", time, text));
        for (std::size_t i = 0; i < logs.size(); ++i)
            found.insert(fmt::format("{} {}", to_ns(logs.time[i]), logs.message(i)));
        ASSERT_EQ(found, expected) << "round " << round;
    }
}

TEST(LokiReaderTest, SaysWhatASingleNanosecondHides) {
    std::vector<std::pair<std::int64_t, std::string>> lines;
    lines.reserve(50);
    for (int k = 0; k < 50; ++k) lines.emplace_back(1000, fmt::format("line {}", k));
    lines.emplace_back(1001, "after");
    FakeTransport transport(loki_with(lines));
    const HttpClient client = client_of(transport);
    LogTable logs;
    const SourceReport report = collect_loki(client,
                                             {.range = {time_from_ns(0), time_from_ns(5000)},
                                              .query = "{pod=~\".+\"}",
                                              .page_lines = 4,
                                              .page_lines_max = 16},
                                             logs, {});
    EXPECT_EQ(logs.size(), 17U);
    ASSERT_EQ(report.missing.size(), 1U);
    EXPECT_THAT(report.missing[0], HasSubstr("one nanosecond"));
}

constexpr const char* otlp_trace = R"({"resourceSpans":[{"resource":{"attributes":[
 {"key":"service.name","value":{"stringValue":"vllm"}}]},"scopeSpans":[{"spans":[
 {"traceId":"0123456789ABCDEF0123456789abcdef","spanId":"00000000000000aa","parentSpanId":"",
  "name":"llm_request","kind":2,"startTimeUnixNano":"1700000000000000000",
  "endTimeUnixNano":1700000000250000000,"status":{"code":2},"attributes":[],"unknown":{"a":1}},
 {"traceId":"0123456789abcdef0123456789abcdef","spanId":"00000000000000ab",
  "parentSpanId":"00000000000000aa","name":"POST /v1","startTimeUnixNano":"1700000000000000000",
  "endTimeUnixNano":"1700000000100000000","attributes":[
  {"key":"http.response.status_code","value":{"intValue":"429"}},
  {"key":"http.route","value":{"stringValue":"/v1/completions"}}]}]}]}]})";

// Without percent encoding, and with ' for ", which would need a backslash in JSON.
std::string plain_text(const std::string& encoded) {
    std::string text;
    for (std::size_t i = 0; i < encoded.size(); ++i) {
        const bool is_code = encoded[i] == '%';
        const char c = is_code ? static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16))
                               : encoded[i];
        i += is_code ? 2 : 0;
        text += c == '"' ? '\'' : c;
    }
    return text;
}

// A Loki of streams with the labels given, whose one line is the query that found it; it allows 400
// lines a query.
FakeTransport::Handler loki_of_streams(const std::string& streams) {
    return [streams](const HttpRequest& request, std::size_t) -> FakeTransport::Answer {
        if (request.url.find("/series") != std::string::npos)
            return {.body = R"({"status":"success","data":[)" + streams + "]}"};
        if (std::stoull(parameter(request, "limit")) > 400)
            return {.status = 400, .body = "max entries limit per query exceeded, limit > 400"};
        const std::string query = plain_text(parameter(request, "query"));
        const std::string start = parameter(request, "start");
        return {.body =
                    R"({"status":"success","data":{"resultType":"streams","result":[)" +
                    fmt::format(R"({{"stream":{{}},"values":[["{}","{}"]]}}]}}}})", start, query)};
    };
}

TEST(LokiReaderTest, WithoutAQueryEveryStreamIsAskedForOnceBeforeAndAfterTheAlert) {
    FakeTransport transport(loki_of_streams(
        R"({"job":"a","pod":"p"},{"app":"x","job":"b"},{"app":"y"},{"unit":"ssh","a b":"c"})"));
    const HttpClient client = client_of(transport);
    LogTable logs;
    const SourceReport report = collect_loki(
        client, {.range = {time_from_ns(10), time_from_ns(30)}, .alert = time_from_ns(20)}, logs,
        {});
    ASSERT_FALSE(report.error.has_value());
    ASSERT_EQ(report.num_failed, 0U);
    std::vector<std::string> found;
    found.reserve(logs.size());
    for (std::size_t i = 0; i < logs.size(); ++i)
        found.push_back(fmt::format("{} {}", to_ns(logs.time[i]), logs.message(i)));
    EXPECT_THAT(found, ElementsAre("10 {job=~'.+'}", "10 {job='',app=~'.+'}",
                                   "10 {job='',app='',unit=~'.+'}", "20 {job=~'.+'}",
                                   "20 {job='',app=~'.+'}", "20 {job='',app='',unit=~'.+'}"));
}

TEST(LokiReaderTest, TheLimitOfLinesLeavesHalfForWhatCameAfterTheAlert) {
    std::vector<std::pair<std::int64_t, std::string>> lines;
    lines.reserve(200);
    for (std::int64_t t = 0; t < 200; ++t) lines.emplace_back(t, fmt::format("{}", t));
    FakeTransport transport(loki_with(lines));
    const HttpClient client = client_of(transport);
    LogTable logs;
    const SourceReport report = collect_loki(client,
                                             {.range = {time_from_ns(0), time_from_ns(200)},
                                              .alert = time_from_ns(150),
                                              .query = "{}",
                                              .lines_max = 100,
                                              .page_lines = 20},
                                             logs, {});
    ASSERT_EQ(logs.size(), 100U);
    EXPECT_EQ(to_ns(logs.time[49]), 49);
    EXPECT_EQ(to_ns(logs.time[50]), 150);
    EXPECT_EQ(to_ns(logs.time[99]), 199);
    EXPECT_EQ(report.missing.size(), 1U);
}

TEST(OtlpJsonTest, APointWithoutAValueIsAGapAndNoZero) {
    TelemetryStore store;
    ASSERT_TRUE(decode_otlp_json(R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"load","gauge":{"dataPoints":[{"timeUnixNano":"1000000000","asDouble":5},
                                              {"timeUnixNano":"2000000000","flags":1}]}},
        {"name":"lat","histogram":{"dataPoints":[{"timeUnixNano":"1000000000","flags":1}]}}]}]}]})",
                                 store)
                    .has_value());
    ASSERT_EQ(store.num_points(), 1U);
    EXPECT_THAT(store.series().at({"load", {}}).series.value, ElementsAre(5));
}

TEST(OtlpJsonTest, DecodesSpansLogsAndMetrics) {
    TelemetryStore store;
    ASSERT_TRUE(decode_otlp_json(otlp_trace, store).has_value());
    ASSERT_EQ(store.num_spans(), 2U);
    EXPECT_EQ(store.spans().record(0).trace_id, "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(store.spans().record(0).status, 500);
    EXPECT_EQ(store.spans().record(0).kind, "server");
    EXPECT_EQ(store.spans().record(0).duration_ns, 250'000'000);
    EXPECT_EQ(store.spans().record(1).status, 429);
    EXPECT_EQ(store.spans().record(1).parent_id, "00000000000000aa");
    EXPECT_EQ(store.spans().record(1).method, "/v1/completions");

    ASSERT_TRUE(decode_otlp_json(R"({"resourceLogs":[{"resource":{"attributes":[
        {"key":"k8s.pod.name","value":{"stringValue":"ray-1"}}]},"scopeLogs":[{"logRecords":[
        {"timeUnixNano":"5","body":{"stringValue":"hello"}},
        {"timeUnixNano":"0","observedTimeUnixNano":"6","body":{"kvlistValue":{"values":[
          {"key":"a","value":{"intValue":"1"}}]}}}]}]}]})",
                                 store)
                    .has_value());
    ASSERT_EQ(store.num_lines(), 2U);
    EXPECT_EQ(store.logs()[0].source, "ray-1");
    EXPECT_EQ(store.logs()[1].text, "a=1");
}

TEST(OtlpJsonTest, DeltaSumsAndHistogramsBecomeCumulativeSeries) {
    TelemetryStore store;
    const auto point = [](const char* time, const char* value) {
        return fmt::format(R"({{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[
            {{"name":"req","unit":"1","sum":{{"aggregationTemporality":1,"isMonotonic":true,
              "dataPoints":[{{"timeUnixNano":"{}","asInt":"{}"}}]}}}},
            {{"name":"lat","histogram":{{"aggregationTemporality":2,"dataPoints":[
              {{"timeUnixNano":"{}","count":"3","sum":1.5,"bucketCounts":["1","1","1"],
                "explicitBounds":[0.1,0.5]}}]}}}}]}}]}}]}})",
                           time, value, time);
    };
    ASSERT_TRUE(decode_otlp_json(point("1000000000", "4"), store).has_value());
    ASSERT_TRUE(decode_otlp_json(point("2000000000", "6"), store).has_value());
    const auto& requests = store.series().at({"req", {}});
    EXPECT_EQ(requests.type, "counter");
    EXPECT_THAT(requests.series.value, ElementsAre(4, 10));
    EXPECT_THAT(store.series().at({"lat_bucket", {{"le", "0.5"}}}).series.value, ElementsAre(2, 2));
    EXPECT_THAT(store.series().at({"lat_bucket", {{"le", "+Inf"}}}).series.value,
                ElementsAre(3, 3));
}

TEST(OtlpJsonTest, RefusesHostileInput) {
    TelemetryStore store;
    for (const char* bad :
         {"", "[]", "{", R"({"resourceSpans":[1]})",
          R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"9",
              "endTimeUnixNano":"1"}]}]}]})",
          R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]})",
          R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"h","histogram":{
              "dataPoints":[{"timeUnixNano":"1","bucketCounts":["1"],
              "explicitBounds":[1,2]}]}}]}]}]})"})
        EXPECT_FALSE(decode_otlp_json(bad, store).has_value()) << bad;
}

TEST(RecordLinesTest, EveryRecordReadsBackToItself) {
    std::string lines;
    const SpanRecord span{.trace_id = "t",
                          .span_id = "0a",
                          .service = "s\"\\\n",
                          .operation = "é",
                          .start_ns = 5,
                          .duration_ns = 7,
                          .status = 429};
    append_line(span, lines);
    append_line(LogRecord{.time_ns = 9, .source = "pod", .text = "a\tb\xff"}, lines);
    append_line(MetricPoint{.name = "m",
                            .labels = {{"a", "b"}},
                            .type = "counter",
                            .kind = PointKind::cumulative_sum,
                            .time_ns = 3'000'000,
                            .value = 0.1},
                lines);
    append_line(
        MetricPoint{.name = "m", .labels = {{"a", "b"}}, .time_ns = 4'000'000, .value = -HUGE_VAL},
        lines);
    TelemetryStore store;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);)
        ASSERT_TRUE(read_line(line, store).has_value()) << line;
    ASSERT_EQ(store.num_spans(), 1U);
    EXPECT_EQ(store.spans().record(0).service, span.service);
    EXPECT_EQ(store.spans().record(0).status, 429);
    EXPECT_EQ(store.logs()[0].text, "a\tb?");
    EXPECT_THAT(store.series().at({"m", {{"a", "b"}}}).series.value, ElementsAre(0.1, -HUGE_VAL));
    for (const char* bad : {"", "[]", "[\"s\",1]", "{}", "[\"p\",\"m\",{},\"\",\"\",9,1,1]",
                            "[\"l\",1,\"pod\",\"cut of"})
        EXPECT_FALSE(read_line(bad, store).has_value()) << bad;
}

TEST(ProbeTest, WhatAnswersIsInTheConfigurationThatReadsBack) {
    FakeTransport transport([](const HttpRequest& request, std::size_t) -> FakeTransport::Answer {
        if (request.url.find(":9090/") != std::string::npos)
            return {.body = R"({"status":"success","data":{"version":"2.42.0"}})"};
        if (request.url.find(":3100/") != std::string::npos) return {.status = 401};
        return {.status = 0};
    });
    const auto probes = probe_hosts({"a"}, transport, {});
    const std::string text = format_config(probes);
    EXPECT_THAT(text, HasSubstr("\nprometheus:\n  - url: http://a:9090   # 2.42.0"));
    EXPECT_THAT(text, HasSubstr("\n# tempo:\n"));
    const auto config = config_of(text);
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->prometheus.size(), 1U);
    EXPECT_EQ(config->loki.size(), 1U);
    EXPECT_TRUE(config->traces.empty());
}

TEST(OtlpFilesTest, ABrokenLineCostsOnlyItself) {
    const Folder folder;
    std::string one_line(otlp_trace);
    std::erase(one_line, '\n');
    folder.write("a.jsonl", one_line + "\n{\"resourceSp");
    TelemetryStore store;
    const SourceReport report = read_otlp_files({folder.path()}, store, {});
    EXPECT_EQ(store.num_spans(), 2U);
    ASSERT_EQ(report.missing.size(), 1U);
    EXPECT_THAT(report.missing[0], HasSubstr("a.jsonl:2"));
    EXPECT_TRUE(read_otlp_files({"/nowhere"}, store, {}).error.has_value());
}

// What the collector's file exporter wrote from the same three exports: JSON, protobuf, and both
// with zstd, each message behind its length.
TEST(OtlpFilesTest, ReadsEveryFormOfTheCollectorsFileExporter) {
    const std::string folder = CULPRIT_SOURCE_DIR "/tests/fuzz/corpus/otlp_frames/collector";
    std::string first;
    for (const char* extension : {".jsonl", ".binpb", ".jsonl.zst", ".binpb.zst"}) {
        TelemetryStore store;
        const SourceReport report = read_otlp_files({folder + extension}, store, {});
        EXPECT_TRUE(report.missing.empty()) << extension << ": " << report.missing.front();
        EXPECT_EQ(store.num_spans(), 2U);
        EXPECT_EQ(store.num_lines(), 3U);
        EXPECT_EQ(store.num_points(), 13U);  // 4 + 4 + three buckets, sum and count
        std::string lines;
        for (std::size_t i = 0; i < store.num_spans(); ++i)
            append_line(store.spans().record(i), lines);
        for (const LogRecord& record : store.logs()) append_line(record, lines);
        for (const auto& [key, stored] : store.series())
            for (std::size_t k = 0; k < stored.series.size(); ++k)
                append_line(MetricPoint{.name = key.first,
                                        .labels = key.second,
                                        .type = stored.type,
                                        .unit = stored.unit,
                                        .time_ns = stored.series.time_ms[k] * 1'000'000,
                                        .value = stored.series.value[k]},
                            lines);
        if (first.empty()) first = lines;
        EXPECT_EQ(lines, first) << extension;
    }
    EXPECT_THAT(first,
                HasSubstr("\"/v1/completions\",\"server\",1700000000000000000,250000000,429]"));
    EXPECT_THAT(first, HasSubstr("CUDA error: out of memory, attempt 2"));
}

TEST(OtlpFilesTest, AFrameThatPromisesTooMuchEndsTheFile) {
    const Folder folder;
    folder.write("a.binpb", std::string("\x00\x00\x00\x40half", 8));
    folder.write("b.binpb", std::string("\x08\xff\xff\xff", 4) + std::string(64, 'x'));
    folder.write("c.binpb", std::string("\x00\x00\x00\x02\xff\xff", 6));
    TelemetryStore store;
    const SourceReport report = read_otlp_files({folder.path()}, store, {});
    ASSERT_EQ(report.missing.size(), 3U);
    EXPECT_THAT(report.missing[0], HasSubstr("expected 64 bytes, found 4"));
    EXPECT_THAT(report.missing[1], HasSubstr("at most 134217728 bytes"));
    EXPECT_THAT(report.missing[2], HasSubstr("c.binpb:1: expected OTLP"));
}

TEST(SpanStoreTest, IdsOfAnyLengthStayApartAndUnusedNamesGo) {
    SpanStore store;
    for (const char* trace : {"7", "0123456789abcdef0123456789abcdef", "not hexadecimal", ""})
        store.add(SpanRecord{.trace_id = trace, .span_id = "aa", .operation = trace});
    EXPECT_EQ(store.record(0).trace_id, std::string(31, '0') + "7");
    EXPECT_EQ(store.record(1).trace_id, "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(store.record(2).trace_id.size(), 32U);
    EXPECT_EQ(store.record(3).trace_id, "");
    EXPECT_EQ(store.record(0).span_id, "00000000000000aa");
    EXPECT_EQ(store.record(0).parent_id, "");
    SpanStore other;
    for (int i = 0; i < 3000; ++i)
        other.add(SpanRecord{.operation = "user " + std::to_string(i), .start_ns = i});
    store.append(other);
    store.drop_before(2999);
    ASSERT_EQ(store.size(), 1U);
    EXPECT_EQ(store.record(0).operation, "user 2999");
}

TEST(TempoReaderTest, SplitsSearchesUntilNothingIsHidden) {
    // 100 traces, one per second; a search returns at most 8.
    FakeTransport transport([](const HttpRequest& request, std::size_t) -> FakeTransport::Answer {
        if (request.url.find("/api/traces/") != std::string::npos) return {.body = otlp_trace};
        const std::int64_t start = std::stoll(parameter(request, "start"));
        const std::int64_t end = std::stoll(parameter(request, "end"));
        std::string traces;
        int given = 0;
        for (std::int64_t t = std::max<std::int64_t>(start, 100); t < end && t < 200; ++t) {
            if (given == 8) break;
            traces += fmt::format("{}{{\"traceID\":\"{}\"}}", given++ == 0 ? "" : ",", t);
        }
        return {.body = "{\"traces\":[" + traces + "]}"};
    });
    const HttpClient client = client_of(transport);
    SpanTable spans;
    const SourceReport report = collect_tempo(
        client, {.range = {time_from_seconds(100), time_from_seconds(200)}, .page_traces = 8},
        spans, {});
    ASSERT_FALSE(report.error.has_value());
    EXPECT_EQ(report.num_asked, 100U);
    EXPECT_EQ(spans.size(), 200U);
    EXPECT_EQ(report.num_failed, 0U);
}

TEST(JaegerReaderTest, ABurstWithinTheFinestPieceIsAskedForWithLargerLimits) {
    // 30 traces in one microsecond.
    FakeTransport transport([](const HttpRequest& request, std::size_t) -> FakeTransport::Answer {
        const std::int64_t start = std::stoll(parameter(request, "start"));
        const std::int64_t end = std::stoll(parameter(request, "end"));
        const std::int64_t limit = std::stoll(parameter(request, "limit"));
        std::string traces;
        for (std::int64_t k = 0; k < std::min<std::int64_t>(limit, 30); ++k)
            if (start <= 100'500'000 && end > 100'500'000)
                traces += fmt::format(
                    "{}{{\"traceID\":\"{}\",\"spans\":[{{\"traceID\":\"{}\",\"spanID\":\"a\","
                    "\"operationName\":\"x\",\"startTime\":100500000,\"duration\":5,"
                    "\"processID\":\"p\"}}],\"processes\":{{\"p\":{{\"serviceName\":\"s\"}}}}}}",
                    k == 0 ? "" : ",", k, k);
        return {.body = "{\"data\":[" + traces + "]}"};
    });
    const HttpClient client = client_of(transport);
    const TimeRange range{time_from_seconds(100), time_from_seconds(101)};
    SpanTable spans;
    TraceRequest request{.range = range, .services = {"s"}, .traces_max = 100, .page_traces = 4};
    EXPECT_TRUE(collect_jaeger(client, request, spans, {}).missing.empty());
    EXPECT_EQ(spans.size(), 30U);
    request.traces_max = 20;
    const SourceReport report = collect_jaeger(client, request, spans, {});
    ASSERT_FALSE(report.missing.empty());
    EXPECT_THAT(report.missing[0], HasSubstr("more than one search returns"));
}

TEST(JaegerReaderTest, ReadsEveryServiceAndCountsSharedTracesOnce) {
    FakeTransport transport([](const HttpRequest& request, std::size_t) -> FakeTransport::Answer {
        if (request.url.find("/api/services") != std::string::npos)
            return {.body = R"({"data":["engine","proxy"]})"};
        return {.body = R"({"data":[{"traceID":"t1","spans":[
            {"traceID":"t1","spanID":"a","operationName":"GET /","references":[],
             "startTime":1000000,"duration":250,"processID":"p1",
             "tags":[{"key":"http.status_code","value":503},{"key":"span.kind","value":"server"}]},
            {"traceID":"t1","spanID":"b","operationName":"step","processID":"p2",
             "references":[{"refType":"CHILD_OF","spanID":"a"}],"startTime":1000010,"duration":20}],
            "processes":{"p1":{"serviceName":"proxy"},"p2":{"serviceName":"engine"}}}]})"};
    });
    const HttpClient client = client_of(transport);
    SpanTable spans;
    const SourceReport report =
        collect_jaeger(client, {.range = {time_from_seconds(0), time_from_seconds(10)}}, spans, {});
    ASSERT_FALSE(report.error.has_value());
    ASSERT_EQ(spans.size(), 2U);
    EXPECT_EQ(spans.status[0], 503);
    EXPECT_EQ(spans.services[spans.service[1]], "engine");
    EXPECT_EQ(spans.parent_id[1], spans.id[0]);
    EXPECT_EQ(spans.duration[0], std::chrono::microseconds(250));
}

TEST(KubernetesReaderTest, SnapshotGivesTopologyAndChanges) {
    const Folder folder;
    folder.write("pods.json", R"({"kind":"PodList","items":[{"metadata":{"name":"ray-0",
      "namespace":"ml","labels":{"app":"ray"},"ownerReferences":[{"kind":"ReplicaSet",
      "name":"ray-7f9c"}]},"spec":{"nodeName":"node-a","containers":[{"name":"c",
      "image":"vllm:1"}]},
      "status":{"podIP":"10.0.0.5","startTime":"2026-03-02T03:10:00Z","containerStatuses":[
      {"name":"c","restartCount":2,"state":{"running":{"startedAt":"2026-03-02T03:12:00Z"}},
       "lastState":{"terminated":{"reason":"OOMKilled","exitCode":137}}}]}}]})");
    folder.write("services.json", R"({"kind":"ServiceList","items":[{"metadata":{"name":"llm",
      "namespace":"ml"},"spec":{"selector":{"app":"ray"}}}]})");
    folder.write("events.json", R"({"kind":"EventList","items":[
      {"lastTimestamp":"2026-03-02T03:11:00Z","reason":"FailedScheduling",
       "message":"0/3 nodes are available: 3 Insufficient nvidia.com/gpu",
       "involvedObject":{"kind":"Pod","name":"ray-1"}},
      {"lastTimestamp":"2020-01-01T00:00:00Z","reason":"Old","involvedObject":{"name":"x"}}]})");
    folder.write("nodes.json", "no json");
    folder.write("controllerrevisions.json", R"({"kind":"ControllerRevisionList","items":[
      {"metadata":{"name":"prefill-5d8","creationTimestamp":"2026-03-02T03:13:00Z",
       "ownerReferences":[{"kind":"StatefulSet","name":"prefill"}]},"revision":4}]})");
    FakeTransport transport(
        [](const HttpRequest&, std::size_t) -> FakeTransport::Answer { return {.status = 0}; });
    IncidentFacts facts;
    const TimeRange range{*parse_time("2026-03-02T03:00:00Z"), *parse_time("2026-03-02T03:20:00Z")};
    const SourceReport report =
        collect_kubernetes({.snapshot = folder.path()}, range, transport, facts, {});
    EXPECT_FALSE(report.error.has_value());
    EXPECT_EQ(report.num_failed, 3U);  // nodes, and two lists that the snapshot lacks
    const Topology topology = facts.take_topology();
    std::set<std::string> edges;
    for (const TopologyEdge& edge : topology.edges) edges.insert(edge.from + ">" + edge.to);
    EXPECT_EQ(edges, (std::set<std::string>{"ray-0>node-a", "ray-0>ray", "llm>ray-0"}));
    const auto changes = facts.take_changes();
    ASSERT_EQ(changes.size(), 4U);
    EXPECT_EQ(changes[0].kind, "start");
    EXPECT_EQ(changes[1].kind, "event FailedScheduling");
    EXPECT_THAT(changes[2].description, HasSubstr("OOMKilled, exit code 137"));
    EXPECT_EQ(changes[3].kind, "rollout");
    EXPECT_EQ(changes[3].description, "revision 4 of StatefulSet prefill");
}

TEST(ClickHouseReaderTest, ReadsRowsOnceEvenWhenTheConnectionBreaks) {
    FakeTransport transport([](const HttpRequest& request,
                               std::size_t number) -> FakeTransport::Answer {
        if (request.url.find("otel_traces") != std::string::npos)
            return {.body = R"({"time_ns":"1000","TraceId":"t","SpanId":"0a","ParentSpanId":"",)"
                            R"("SpanName":"x","ServiceName":"s","Duration":"5000",)"
                            R"("StatusCode":"Error","SpanAttributes":{}})"
                            "\n"};
        std::string rows;
        for (int i = 0; i < 10; ++i)
            rows += fmt::format(
                R"({{"time_ns":"{}","ServiceName":"s","Body":"line {}","ResourceAttributes":{{}}}})"
                "\n",
                1000 + i, i);
        return {.body = rows, .broken_off = number == 0};
    });
    const HttpClient client = client_of(transport);
    LogTable logs;
    SpanTable spans;
    const SourceReport report =
        collect_clickhouse(client, {}, {time_from_ns(0), time_from_ns(10'000)}, logs, spans, {});
    EXPECT_FALSE(report.error.has_value());
    EXPECT_EQ(logs.size(), 10U);
    EXPECT_EQ(logs.message(9), "line 9");
    ASSERT_EQ(spans.size(), 1U);
    EXPECT_EQ(spans.status[0], 500);
}

TEST(ConfigTest, ReadsSourcesAndSubstitutesTheEnvironment) {
    const auto config = config_of(R"(
prometheus:
  - url: http://a:9090
    bearer_token: ${TOKEN}
    step: 5s
    headers: {X-Scope-OrgID: "${TENANT:-team-a}"}
    tls: {ca_file: /etc/ca.pem}
  - {url: "http://b:9090", resolution: grid}
loki: {url: "http://loki:3100", query: '{namespace="ray"}'}
window: {baseline: 20m}
)");
    ASSERT_TRUE(config.has_value()) << config.error().message;
    ASSERT_EQ(config->prometheus.size(), 2U);
    EXPECT_EQ(config->prometheus[0].endpoint.bearer_token, "secret");
    EXPECT_EQ(config->prometheus[0].endpoint.headers[0].second, "team-a");
    EXPECT_EQ(config->prometheus[0].step_seconds, 5);
    EXPECT_EQ(config->prometheus[0].endpoint.tls.ca_file, "/etc/ca.pem");
    EXPECT_TRUE(config->prometheus[1].on_server_grid);
    EXPECT_EQ(config->loki[0].query, "{namespace=\"ray\"}");
    EXPECT_EQ(config->baseline_seconds, 1200);
}

TEST(ConfigTest, ReceiverNeedsNoFile) {
    EXPECT_EQ(read_config("receiver")->receivers.at(0).endpoint.url, "http://localhost:4318");
    EXPECT_EQ(read_config("receiver=http://a:1")->receivers.at(0).endpoint.url, "http://a:1");
    EXPECT_THAT(read_config("receivers.yaml").error().message, HasSubstr("cannot read"));
}

TEST(ConfigTest, ErrorsNamePlaceAndRemedy) {
    const auto message = [](std::string_view yaml) {
        const auto config = config_of(yaml);
        return config ? std::string("accepted") : config.error().message;
    };
    EXPECT_THAT(message("prometheus: {url: x, bearer_tokn: y}"),
                HasSubstr("prod.yaml:1:22: prometheus knows no \"bearer_tokn\"; did you mean "
                          "\"bearer_token\"?"));
    EXPECT_THAT(message("prometheus: {url: \"${NOPE}\"}"), HasSubstr("NOPE is not set"));
    EXPECT_THAT(message("prometheus: {name: x}"), HasSubstr("needs \"url\""));
    EXPECT_THAT(message("prometheus: {url: x, step: soon}"), HasSubstr("must be a duration"));
    EXPECT_THAT(message("prometheus: {url: [x]}"), HasSubstr("single value"));
    EXPECT_THAT(message("window: {baseline: 1m}"), HasSubstr("at least one source"));
    EXPECT_THAT(message("a: [b"), HasSubstr("prod.yaml:"));
    EXPECT_THAT(message("- a"), HasSubstr("must be a map"));
}

// One Prometheus with two replicas of an engine, one of them slow from 150 s on.
FakeTransport::Answer two_replicas(const HttpRequest& request, std::size_t) {
    const auto has = [&](const char* text) { return request.url.find(text) != std::string::npos; };
    const std::string head = R"({"status":"success","data":)";
    if (has("/label/__name__/values")) return {.body = head + R"(["vllm:num_requests_running"]})"};
    if (has("/metadata")) return {.body = head + "{}}"};
    if (has("/buildinfo")) return {.body = head + R"({"version":"2.42.0"}})"};
    if (has("/targets"))
        return {.body = head + R"({"activeTargets":[{"labels":{},"scrapeInterval":"5s"}]}})"};
    std::string series;
    std::string labels;
    for (const char* pod : {"ray-0", "ray-1"}) {
        std::string values;
        for (int t = 100; t <= 200; t += 5)
            values += fmt::format("{}[{}.125,\"{}\"]", t == 100 ? "" : ",", t,
                                  t >= 150 && pod[4] == '1' ? 9.25 : 1.1);
        series += fmt::format(R"({}{{"metric":{{"__name__":"vllm:num_requests_running","pod":"{}",
            "engine":"0"}},"values":[{}]}})",
                              series.empty() ? "" : ",", pod, values);
        labels += fmt::format(R"({}{{"pod":"{}"}})", labels.empty() ? "" : ",", pod);
    }
    if (has("/series")) return {.body = head + "[" + labels + "]}"};
    return {.body = head + R"({"resultType":"matrix","result":[)" + series + "]}}"};
}

TEST(CollectTest, ASavedCaseIsTheSameCase) {
    const Folder folder;
    FakeTransport transport(two_replicas);
    CollectConfig config{.baseline_seconds = 50, .suspect_seconds = 50, .spool_directory = "/tmp"};
    config.prometheus.push_back({.endpoint = {.url = "http://p"}});
    config.loki.push_back({.endpoint = {.url = "http://dead", .attempts_max = 1}});
    const auto collection =
        collect_case(config, time_from_seconds(150), time_from_seconds(300), transport);
    ASSERT_TRUE(collection.has_value()) << collection.error().message;
    const Case& live = collection->incident_case;
    EXPECT_EQ(live.incident.metrics.num_columns(), 2U);
    ASSERT_FALSE(live.problems.empty());  // the log source answers nonsense
    EXPECT_EQ(live.problems[0].place, "loki");
    ASSERT_TRUE(write_case(live, folder.path("case")).has_value());
    EXPECT_FALSE(write_case(live, folder.path("case")).has_value());
    const auto read = read_case(folder.path("case"));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->incident.alert, live.incident.alert);
    EXPECT_EQ(read->incident.suspect, live.incident.suspect);
    const Frame& before = live.incident.metrics;
    const Frame& after = read->incident.metrics;
    ASSERT_EQ(after.num_columns(), before.num_columns());
    ASSERT_EQ(after.num_rows(), before.num_rows());
    for (std::size_t c = 0; c < before.num_columns(); ++c) {
        EXPECT_EQ(after.column(c).name, before.column(c).name);
        EXPECT_EQ(after.column(c).labels, before.column(c).labels);
        EXPECT_EQ(after.column(c).service, before.column(c).service);
        for (std::size_t i = 0; i < before.num_rows(); ++i)
            EXPECT_TRUE(after.values(c)[i] == before.values(c)[i] ||
                        (std::isnan(after.values(c)[i]) && std::isnan(before.values(c)[i])));
    }
}

TEST(CollectTest, NothingAtAllIsAnErrorThatSaysWhy) {
    FakeTransport transport(
        [](const HttpRequest&, std::size_t) -> FakeTransport::Answer { return {.status = 0}; });
    CollectConfig config{.spool_directory = "/tmp"};
    config.prometheus.push_back({.endpoint = {.url = "http://p", .attempts_max = 1}});
    const auto collection =
        collect_case(config, time_from_seconds(1000), time_from_seconds(2000), transport);
    ASSERT_FALSE(collection.has_value());
    EXPECT_EQ(collection.error().code, ErrorCode::unavailable);
    EXPECT_THAT(collection.error().message, HasSubstr("prometheus: http://p"));
}

}  // namespace
}  // namespace culprit
