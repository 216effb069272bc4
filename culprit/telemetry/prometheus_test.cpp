#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "culprit/telemetry/fake_transport.h"
#include "culprit/telemetry/json_elements.h"
#include "culprit/telemetry/metric_plan.h"
#include "culprit/telemetry/prometheus_collector.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

HttpClient client_of(FakeTransport& transport, std::vector<double>* slept = nullptr) {
    return {transport, HttpEndpoint{.url = "http://prometheus:9090/"},
            [slept](double seconds, const Stop&) {
                if (slept != nullptr) slept->push_back(seconds);
            }};
}

TEST(HttpClientTest, RetriesWithBackOffAndHonoursRetryAfter) {
    std::vector<double> slept;
    FakeTransport transport([](const HttpRequest&, std::size_t number) -> FakeTransport::Answer {
        if (number == 0) return {.status = 503};
        if (number == 1) return {.status = 429, .headers = {{"retry-after", "3"}}};
        if (number == 2) return {.body = "half and half", .broken_off = true};
        return {.body = "whole"};
    });
    const auto body = client_of(transport, &slept).get("/x", {}, {});
    ASSERT_TRUE(body.has_value());
    EXPECT_EQ(*body, "whole");
    EXPECT_THAT(slept, ElementsAre(0.25, 3.0, 1.0));
}

TEST(HttpClientTest, DoesNotRepeatWhatWasRefused) {
    FakeTransport transport([](const HttpRequest&, std::size_t) -> FakeTransport::Answer {
        return {.status = 401, .body = "no org id"};
    });
    const auto body = client_of(transport).get("/x", {}, {});
    ASSERT_FALSE(body.has_value());
    EXPECT_THAT(body.error().message, HasSubstr("HTTP 401: no org id"));
    EXPECT_EQ(transport.requests().size(), 1U);
}

TEST(HttpClientTest, SendsCredentialsAndEncodesQueries) {
    FakeTransport transport(
        [](const HttpRequest&, std::size_t) -> FakeTransport::Answer { return {.body = "x"}; });
    const HttpClient client(transport, {.url = "https://p", .username = "u", .password = "pass"});
    ASSERT_TRUE(client.get("/q", {{"query", "up{job=\"a b\"}"}}, {}).has_value());
    EXPECT_EQ(transport.requests()[0].url, "https://p/q?query=up%7Bjob%3D%22a%20b%22%7D");
    EXPECT_EQ(transport.requests()[0].headers[0].second, "Basic dTpwYXNz");
}

TEST(JsonElementsTest, CutsElementsOutOfAnyPieces) {
    const std::string text = R"({"status":"success","data":{"resultType":"matrix",)"
                             R"("result":[{"a":"]}\"{"}, [1,[2]] ,3],"x":1}})";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        std::vector<std::string> seen;
        JsonElements elements("result", [&seen](std::string_view element) -> Status {
            seen.emplace_back(element);
            return {};
        });
        for (std::size_t i = 0; i < text.size(); i += piece)
            ASSERT_TRUE(elements.write(std::string_view(text).substr(i, piece)).has_value());
        ASSERT_TRUE(elements.finish().has_value());
        EXPECT_THAT(seen, ElementsAre(R"({"a":"]}\"{"})", "[1,[2]]", "3"));
        EXPECT_EQ(elements.envelope(),
                  R"({"status":"success","data":{"resultType":"matrix","result":[],"x":1}})");
    }
}

TEST(JsonElementsTest, RefusesHostileAnswers) {
    const auto read = [](std::string_view text) {
        JsonElements elements(
            "result", [](std::string_view) -> Status { return {}; }, {}, 1000);
        auto status = elements.write(text);
        return status ? elements.finish() : status;
    };
    EXPECT_FALSE(read("").has_value());
    EXPECT_FALSE(read("{\"result\":[1,2").has_value());
    EXPECT_FALSE(read("}}").has_value());
    EXPECT_FALSE(read("{\"result\":[\"" + std::string(2000, 'x') + "\"]}").has_value());
    EXPECT_FALSE(read(std::string(100'000, '[')).has_value());
    EXPECT_FALSE(read("<html>not json</html>\"").has_value());
}

TEST(PrometheusReaderTest, ReadsSpecialValuesAndRefusesOddSamples) {
    const auto series = parse_matrix_element(
        R"({"metric":{"__name__":"up","job":"é\n"},"values":[[1,"NaN"],[2.5,"+Inf"],[3,"-1e3"]]})");
    ASSERT_TRUE(series.has_value());
    EXPECT_EQ(series->name, "up");
    EXPECT_EQ(series->labels.at("job"), "é\n");
    EXPECT_THAT(series->time_ms, ElementsAre(1000, 2500, 3000));
    EXPECT_TRUE(std::isnan(series->value[0]) && std::isinf(series->value[1]));
    for (const char* bad :
         {R"({"values":[]})", R"({"metric":{},"values":[[1]]})",
          R"({"metric":{},"values":[[1,2]]})", R"({"metric":{},"values":[[1,"x"]]})",
          R"({"metric":{},"values":[[2,"1"],[1,"1"]]})", R"({"metric":{},"values":[[1e300,"1"]]})",
          R"({"metric":{"a":1},"values":[]})", "nope"})
        EXPECT_FALSE(parse_matrix_element(bad).has_value()) << bad;
    EXPECT_EQ(parse_matrix_element(R"({"metric":{},"histograms":[]})").error().code,
              ErrorCode::unsupported);
}

TEST(PrometheusReaderTest, SplitsQueryRangeAtElevenThousandPoints) {
    std::vector<std::pair<double, double>> asked;
    FakeTransport transport(
        [&asked](const HttpRequest& request, std::size_t) -> FakeTransport::Answer {
            const auto number = [&](const std::string& key) {
                return std::stod(request.url.substr(request.url.find(key) + key.size()));
            };
            const double start = number("start=");
            const double end = number("end=");
            asked.emplace_back(start, end);
            EXPECT_LE((end - start) / 1.0 + 1, 11'000);
            return {.body = fmt::format(
                        R"({{"status":"success","data":{{"resultType":"matrix","result":[)"
                        R"({{"metric":{{"__name__":"x"}},"values":[[{},"1"],[{},"2"]]}}]}}}})",
                        start, end)};
        });
    const HttpClient client = client_of(transport);
    std::vector<Series> all;
    const auto status = PrometheusReader(client).query_range(
        "x", {time_from_seconds(0), time_from_seconds(25'000)}, 1000,
        [&all](Series series) -> Status {
            all.push_back(std::move(series));
            return {};
        },
        {}, {});
    ASSERT_TRUE(status.has_value()) << status.error().message;
    EXPECT_THAT(asked, ElementsAre(std::pair{0.0, 10'999.0}, std::pair{11'000.0, 21'999.0},
                                   std::pair{22'000.0, 25'000.0}));
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].size(), 6U);
}

TEST(MetricPlanTest, GroupsHistogramsAndTakesTheTypeFromTheExposition) {
    const auto plans = plan_metrics(
        {"foo_bucket", "foo_count", "foo_sum", "bar_total", "baz", "ray_vllm_num_requests_running",
         "vllm:iteration_tokens_total_bucket", "vllm:iteration_tokens_total_count",
         "vllm:iteration_tokens_total_sum", "odd_count", "app_info"},
        {{"baz", {"counter", "", ""}}, {"odd_count", {"gauge", "", ""}}}, Catalogue::builtin());
    std::map<std::string, SignalType> type;
    for (const MetricPlan& plan : plans) type[plan.canonical_name] = plan.type;
    EXPECT_EQ(type.at("foo"), SignalType::histogram);
    EXPECT_EQ(type.at("bar_total"), SignalType::counter);
    EXPECT_EQ(type.at("baz"), SignalType::counter);
    EXPECT_EQ(type.at("odd_count"), SignalType::gauge);
    EXPECT_EQ(type.at("app_info"), SignalType::info);
    EXPECT_EQ(type.at("vllm:num_requests_running"), SignalType::gauge);
    EXPECT_EQ(type.at("vllm:iteration_tokens_total"), SignalType::histogram);
    EXPECT_EQ(plans.size(), 7U);
    EXPECT_NE(plans[0].signal, nullptr);  // catalogued ones first
}

TEST(MetricPlanTest, PartitionMatchesEverySeriesExactlyOnce) {
    std::vector<Labels> series;
    for (int i = 0; i < 30; ++i)
        for (const char* le : {"1", "+Inf"})
            series.push_back({{"pod", i < 20 ? "big" : "p." + std::to_string(i)},
                              {"id", std::to_string(i)},
                              {"le", le}});
    const auto parts = partition_matchers(series, 10);
    EXPECT_GT(parts.size(), 5U);
    EXPECT_THAT(parts[0], HasSubstr("id=~\"0|1|"));
    EXPECT_THAT(partition_matchers({{{"pod", "a"}}}, 10), ElementsAre(""));
    const std::vector<Labels> dots = {{{"pod", "a.b"}}, {{"pod", "c\"d"}}};
    EXPECT_THAT(partition_matchers(dots, 1), ElementsAre("pod=~\"a\\\\.b\"", "pod=~\"c\\\"d\""));
}

TEST(MetricPlanTest, NamesThatPromQlWouldNotTakeAreMatchers) {
    EXPECT_EQ(metric_selector("vllm:queue", ""), "vllm:queue");
    EXPECT_EQ(metric_selector("up", "job=\"a\""), "up{job=\"a\"}");
    EXPECT_EQ(metric_selector("http.server.duration", ""), "{__name__=\"http.server.duration\"}");
    EXPECT_EQ(metric_selector("9\"\n", "job=\"a\""), "{__name__=\"9\\\"\\n\",job=\"a\"}");
    // A label that cannot be named in a query does not split.
    const std::vector<Labels> odd = {{{"k8s.pod", "a"}, {"pod", "a"}},
                                     {{"k8s.pod", "b"}, {"pod", "a"}}};
    EXPECT_THAT(partition_matchers(odd, 1), ElementsAre(""));
}

// A small server with one gauge, one counter that resets, one histogram and one that always fails.
FakeTransport::Answer small_server(const HttpRequest& request, std::size_t) {
    const auto has = [&](const char* text) { return request.url.find(text) != std::string::npos; };
    const std::string head = R"({"status":"success","data":)";
    const auto matrix = [&](const std::string& name, const std::string& labels,
                            const std::string& values) {
        return FakeTransport::Answer{
            .body = head + R"({"resultType":"matrix","result":[{"metric":{"__name__":")" + name +
                    "\"," + labels + "},\"values\":[" + values + "]}]}}"};
    };
    if (has("/label/__name__/values"))
        return {.body = head + R"(["vllm:num_requests_running","vllm:generation_tokens_total",)"
                               R"("vllm:time_to_first_token_seconds_bucket","broken"]})"};
    if (has("/metadata")) return {.status = 404};
    if (has("/buildinfo")) return {.body = head + R"({"version":"2.42.0"}})"};
    if (has("broken")) return {.status = 422, .body = "cannot"};
    if (has("/series"))
        return {.body = head + R"([{"__name__":"x","pod":"ray_0","model_name":"m"}]})"};
    const std::string pod = R"("pod":"ray_0","model_name":"m")";
    if (has("running")) return matrix("vllm:num_requests_running", pod, R"([100,"1"],[105,"2"])");
    if (has("generation"))
        return matrix("vllm:generation_tokens_total", pod, R"([100,"50"],[105,"100"],[110,"20"])");
    if (has("_sum") || has("_count"))
        return {.body = head + R"({"resultType":"matrix","result":[]}})"};
    return {.body = head + R"({"resultType":"matrix","result":[)" + R"({"metric":{)" + pod +
                    R"(,"le":"1"},"values":[[100,"0"],[105,"5"]]},)" + R"({"metric":{)" + pod +
                    R"(,"le":"+Inf"},"values":[[100,"0"],[105,"10"]]}]}})"};
}

TEST(PrometheusCollectorTest, CollectsWhatArrivesAndSaysWhatDoesNot) {
    FakeTransport transport(small_server);
    const HttpClient client = client_of(transport);
    const TimeRange range{time_from_seconds(100), time_from_seconds(110)};
    auto builder = FrameBuilder::open(SampleGrid::covering(range, 5000), "/tmp");
    ASSERT_TRUE(builder.has_value());
    IncidentFacts facts;
    const SourceReport report = collect_metrics(PrometheusReader(client), {.range = range},
                                                Catalogue::builtin(), **builder, facts, {});
    EXPECT_FALSE(report.error.has_value());
    EXPECT_EQ(report.version, "prometheus 2.42.0");
    EXPECT_EQ(report.num_asked, 4U);
    EXPECT_EQ(report.num_failed, 2U);  // "broken" and the types
    const auto frame = (*builder)->build();
    ASSERT_TRUE(frame.has_value());
    const auto running = frame->find("ray-0_vllm:num_requests_running");
    ASSERT_TRUE(running.has_value());
    EXPECT_EQ(frame->column(*running).service, "ray_0");
    EXPECT_EQ(frame->column(*running).labels.at("quantity"), "engine.running");
    EXPECT_EQ(frame->values(*running)[1], 2);
    EXPECT_TRUE(std::isnan(frame->values(*running)[2]));
    const auto tokens = frame->find("ray-0_vllm:generation_tokens_total");
    ASSERT_TRUE(tokens.has_value());
    EXPECT_EQ(frame->column(*tokens).unit, "{token}/s");
    EXPECT_EQ(frame->values(*tokens)[1], 10);
    EXPECT_EQ(frame->values(*tokens)[2], 4);  // reset: 20 in 5 s
    const auto median = frame->find("ray-0_vllm:time_to_first_token_seconds:p50");
    ASSERT_TRUE(median.has_value());
    EXPECT_DOUBLE_EQ(frame->values(*median)[1], 1.0);
}

TEST(FrameBuilderTest, ScrapesGoToWhatTheyScrape) {
    auto builder = FrameBuilder::open(
        SampleGrid::covering({time_from_seconds(100), time_from_seconds(110)}, 5000), "/tmp");
    ASSERT_TRUE(builder.has_value());
    const auto add = [&](const char* service, const char* metric, const char* job,
                         const Labels& labels) {
        LiveColumn column{.service = service, .metric = metric, .labels = labels};
        column.labels["job"] = job;
        column.labels["instance"] = "10.0.0.9:9400";
        const std::vector<double> values((*builder)->grid().num_points, 1.0);
        ASSERT_TRUE((*builder)->add(std::move(column), values).has_value());
    };
    for (const char* job : {"nginx", "gpu", "mixed"}) add("10.0.0.9", "up", job, {});
    add("proxy", "requests", "nginx", {});
    for (const char* pod : {"ray-0", "ray-1"}) {
        add(pod, "clock", "gpu", {{"host", "node-a"}});
        add(pod, "clock", "mixed", {{"host", pod}});
    }
    (*builder)->lay_scrapes_at_what_they_scrape();
    std::vector<std::string> services;
    services.reserve(3);
    for (std::size_t c = 0; c < 3; ++c) services.push_back((*builder)->column(c).service);
    EXPECT_THAT(services, ElementsAre("proxy", "node-a", "10.0.0.9"));
}

TEST(PrometheusCollectorTest, AServerThatIsDownIsAnErrorOfTheSource) {
    FakeTransport transport(
        [](const HttpRequest&, std::size_t) -> FakeTransport::Answer { return {.status = 0}; });
    const HttpClient client = client_of(transport);
    const TimeRange range{time_from_seconds(100), time_from_seconds(110)};
    auto builder = FrameBuilder::open(SampleGrid::covering(range, 5000), "/tmp");
    ASSERT_TRUE(builder.has_value());
    IncidentFacts facts;
    const SourceReport report = collect_metrics(PrometheusReader(client), {.range = range},
                                                Catalogue::builtin(), **builder, facts, {});
    ASSERT_TRUE(report.error.has_value());
    EXPECT_THAT(report.error->message, HasSubstr("connection refused"));
}

TEST(IncidentFactsTest, ConfigurationAndRestartsAreChangeEvents) {
    const Catalogue& catalogue = Catalogue::builtin();
    IncidentFacts facts;
    ChangeDetector changes(110'000);
    const MetricPlan info{.stored_name = "vllm:cache_config_info",
                          .signal = catalogue.find("vllm:cache_config_info"),
                          .type = SignalType::info,
                          .canonical_name = "vllm:cache_config_info"};
    const Series old_series{.time_ms = {100'000}, .value = {1}};
    const Series new_series{.time_ms = {150'000}, .value = {1}};
    changes.take_info(
        describe_live_column(info, catalogue, {{"pod", "a"}, {"num_gpu_blocks", "9"}}), old_series);
    changes.take_info(
        describe_live_column(info, catalogue, {{"pod", "a"}, {"num_gpu_blocks", "5"}}), new_series);
    changes.finish(facts);
    const MetricPlan start{.stored_name = "process_start_time_seconds",
                           .signal = catalogue.find("process_start_time_seconds"),
                           .canonical_name = "process_start_time_seconds"};
    ChangeDetector::take_value(
        describe_live_column(start, catalogue, {{"pod", "a"}}),
        Series{.time_ms = {100'000, 105'000, 110'000}, .value = {50.0, 50.01, 108.0}}, facts);
    const auto events = facts.take_changes();
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].kind, "restart");
    EXPECT_EQ(to_unix_seconds(events[0].time), 110);
    EXPECT_EQ(events[1].kind, "configuration");
    EXPECT_THAT(events[1].description, HasSubstr("num_gpu_blocks: 9 -> 5"));
}

}  // namespace
}  // namespace culprit
