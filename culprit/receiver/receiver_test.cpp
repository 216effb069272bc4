#include "culprit/receiver/receiver.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <snappy.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "culprit/telemetry/collect.h"
#include "culprit/telemetry/http_client.h"
#include "culprit/telemetry/receiver_source.h"
#include "culprit/telemetry/wire_decoder.h"
#include "wire.pb.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t now_ns = 1'700'000'000'000'000'000;
std::int64_t fixed_clock() { return now_ns; }

std::string trace_message(int num_spans, std::int64_t start_ns = now_ns - 1'000'000'000) {
    wire::TracesData data;
    auto* batch = data.add_resource_spans();
    auto* service = batch->mutable_resource()->add_attributes();
    service->set_key("service.name");
    service->mutable_value()->set_string_value("engine");
    auto* scope = batch->add_scope_spans();
    for (int i = 0; i < num_spans; ++i) {
        auto* span = scope->add_spans();
        span->set_trace_id(std::string(16, '\x01'));
        span->set_span_id(std::string(7, '\0') + static_cast<char>(i + 1));
        span->set_name("step");
        span->set_kind(2);
        span->set_start_time_unix_nano(static_cast<std::uint64_t>(start_ns));
        span->set_end_time_unix_nano(static_cast<std::uint64_t>(start_ns + 5'000'000));
        auto* status = span->add_attributes();
        status->set_key("http.response.status_code");
        status->mutable_value()->set_int_value(503);
    }
    return data.SerializeAsString();
}

std::string write_message(double value, std::int64_t time_ms) {
    wire::WriteRequest request;
    auto* series = request.add_timeseries();
    for (const auto& [name, content] : {std::pair{"__name__", "up"}, std::pair{"job", "node"}}) {
        auto* label = series->add_labels();
        label->set_name(name);
        label->set_value(content);
    }
    auto* sample = series->add_samples();
    sample->set_value(value);
    sample->set_timestamp(time_ms);
    std::string packed;
    const std::string bytes = request.SerializeAsString();
    snappy::Compress(bytes.data(), bytes.size(), &packed);
    return packed;
}

std::unique_ptr<Receiver> open_receiver(ReceiverOptions options = {}) {
    auto receiver = Receiver::open(std::move(options), fixed_clock);
    EXPECT_TRUE(receiver.has_value());
    return std::move(*receiver);
}

class JournalFolder {
public:
    JournalFolder()
        : path_((std::filesystem::temp_directory_path() /
                 fmt::format("culprit_journal_{}", ::getpid()))
                    .string()) {
        std::filesystem::remove_all(path_);
    }
    ~JournalFolder() { std::filesystem::remove_all(path_); }
    JournalFolder(const JournalFolder&) = delete;
    JournalFolder& operator=(const JournalFolder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

TEST(ReceiverTest, TakesEveryFormat) {
    const auto receiver = open_receiver();
    ASSERT_TRUE(receiver->accept(WireFormat::otlp_traces, trace_message(3)).has_value());
    ASSERT_TRUE(receiver->accept(WireFormat::remote_write, write_message(1, now_ns / 1'000'000))
                    .has_value());
    ASSERT_TRUE(receiver
                    ->accept(WireFormat::otlp_json,
                             R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[
                                {"timeUnixNano":"1700000000000000000",
                                 "body":{"stringValue":"hi"}}]}]}]})")
                    .has_value());
    const ReceiverCounts counts = receiver->counts();
    EXPECT_EQ(counts.num_spans, 3U);
    EXPECT_EQ(counts.num_lines, 1U);
    EXPECT_EQ(counts.num_points, 1U);
    std::string lines;
    ASSERT_TRUE(receiver->write_window({time_from_ns(0), TimePoint::max()},
                                       [&lines](const std::string& piece) {
                                           lines += piece;
                                           return true;
                                       }));
    EXPECT_THAT(lines, HasSubstr("\"0000000000000001\",\"\",\"engine\",\"step\",\"\",\"server\","));
    EXPECT_THAT(lines, HasSubstr(",5000000,503]"));
}

TEST(ReceiverTest, APointWithoutAValueIsAGapAndNoZero) {
    wire::MetricsData data;
    auto* scope = data.add_resource_metrics()->add_scope_metrics();
    auto* gauge = scope->add_metrics();
    gauge->set_name("load");
    auto* histogram = scope->add_metrics();
    histogram->set_name("latency");
    constexpr std::uint32_t no_recorded_value = 1;
    for (const std::uint32_t flags : {0U, no_recorded_value}) {
        auto* point = gauge->mutable_gauge()->add_data_points();
        point->set_time_unix_nano(static_cast<std::uint64_t>(now_ns + flags));
        point->set_flags(flags);
        auto* distribution = histogram->mutable_histogram()->add_data_points();
        distribution->set_time_unix_nano(static_cast<std::uint64_t>(now_ns + flags));
        distribution->set_flags(flags);
        distribution->add_bucket_counts(0);
    }
    const auto receiver = open_receiver();
    ASSERT_TRUE(receiver->accept(WireFormat::otlp_metrics, data.SerializeAsString()).has_value());
    EXPECT_EQ(receiver->counts().num_points, 1U + 2U);
}

TEST(ReceiverTest, TelemetryComesInWhileTheWindowIsRead) {
    // Old records that a sweep would drop, more than one piece of them.
    std::int64_t now = now_ns;
    auto receiver = Receiver::open({.window_seconds = 60}, [&now] { return now; });
    ASSERT_TRUE(receiver.has_value());
    for (int k = 0; k < 300; ++k)
        ASSERT_TRUE((*receiver)->accept(WireFormat::otlp_traces, trace_message(100)).has_value());
    now += 3'600'000'000'000;
    std::size_t num_pieces = 0;
    std::size_t num_lines = 0;
    const auto read = [&](const std::string& piece) {
        ++num_pieces;
        num_lines += static_cast<std::size_t>(std::ranges::count(piece, '\n'));
        return (*receiver)->accept(WireFormat::otlp_traces, trace_message(1, now)).has_value();
    };
    ASSERT_TRUE((*receiver)->write_window({time_from_ns(0), TimePoint::max()}, read));
    EXPECT_GT(num_pieces, 2U);
    EXPECT_EQ(num_lines, 30'000U);
    // With nobody reading, the next request sweeps.
    ASSERT_TRUE((*receiver)->accept(WireFormat::otlp_traces, trace_message(1, now)).has_value());
    num_lines = 0;
    ASSERT_TRUE((*receiver)->write_window({time_from_ns(0), TimePoint::max()}, read));
    EXPECT_LT(num_lines, 100U);
    EXPECT_EQ((*receiver)
                  ->write_window({time_from_ns(0), TimePoint::max()},
                                 [](const std::string&) { return false; })
                  .error()
                  .code,
              ErrorCode::unavailable);
}

TEST(ReceiverTest, RefusesHostileBytesAndCountsThem) {
    const auto receiver = open_receiver({.body_bytes_max = 1000});
    for (const WireFormat format : {WireFormat::otlp_traces, WireFormat::otlp_json,
                                    WireFormat::remote_write, WireFormat::otlp_metrics})
        EXPECT_EQ(receiver->accept(format, "\xff\xff\xff not a message").error().code,
                  ErrorCode::malformed_data);
    // A snappy block that claims four gigabytes.
    EXPECT_FALSE(receiver->accept(WireFormat::remote_write, "\xff\xff\xff\xff\x0f").has_value());
    EXPECT_EQ(receiver->counts().num_malformed, 5U);
}

TEST(ReceiverTest, AFullWindowTurnsAwayWholeRequestsUntilItEmpties) {
    std::int64_t clock = now_ns;
    auto receiver =
        Receiver::open({.window_seconds = 60, .records_max = 10}, [&clock] { return clock; });
    ASSERT_TRUE(receiver.has_value());
    ASSERT_TRUE((*receiver)->accept(WireFormat::otlp_traces, trace_message(8)).has_value());
    const auto refused = (*receiver)->accept(WireFormat::otlp_traces, trace_message(3));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    EXPECT_EQ((*receiver)->counts().num_spans, 8U);
    clock += 120'000'000'000;  // the first eight are older than the window now
    ASSERT_TRUE((*receiver)->accept(WireFormat::otlp_traces, trace_message(3, clock)).has_value());
    EXPECT_EQ((*receiver)->counts().num_refused, 1U);
}

TEST(ReceiverTest, TheJournalSurvivesAKilledProcess) {
    const JournalFolder folder;
    const pid_t child = ::fork();
    if (child == 0) {
        auto receiver = Receiver::open({.journal = folder.path()}, fixed_clock);
        if (receiver && (*receiver)->accept(WireFormat::otlp_traces, trace_message(5)))
            ::kill(::getpid(), SIGKILL);
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child should have been killed";
    // What a kill in the middle of a write would have left.
    std::ofstream(journal_segments(folder.path()).back(), std::ios::app) << "[\"s\",\"cut";
    const auto receiver = open_receiver({.journal = folder.path()});
    EXPECT_EQ(receiver->counts().num_spans, 5U);
    EXPECT_EQ(receiver->counts().num_malformed, 1U);
}

std::string gzipped(const std::string& text) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(text.size() + 1000, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

TEST(ReceiverTest, HttpTakesGzipAnswersBackPressureAndFeedsADiagnosis) {
    const auto receiver = open_receiver({.records_max = 30});
    auto http = HttpFrontDoor::open(*receiver, "127.0.0.1", 0);
    ASSERT_TRUE(http.has_value()) << http.error().message;
    const std::string url = fmt::format("http://127.0.0.1:{}", (*http)->port());
    const auto transport = make_curl_transport();
    const HttpClient client(*transport, {.url = url, .attempts_max = 1});
    ASSERT_TRUE(client.post("/v1/traces", trace_message(3), "application/x-protobuf", {}));
    const HttpClient packed(
        *transport, {.url = url, .headers = {{"Content-Encoding", "gzip"}}, .attempts_max = 1});
    ASSERT_TRUE(packed.post("/v1/traces", gzipped(trace_message(1)), "application/x-protobuf", {}));
    for (int k = 0; k < 10; ++k)
        ASSERT_TRUE(client.post(
            "/api/v1/write", write_message(k, now_ns / 1'000'000 - 10'000 + std::int64_t{1000} * k),
            "application/x-protobuf", {}));
    EXPECT_THAT(client
                    .post("/api/v1/write", write_message(1, now_ns / 1'000'000),
                          "application/x-protobuf;proto=io.prometheus.write.v2.Request", {})
                    .error()
                    .message,
                HasSubstr("HTTP 415"));
    EXPECT_THAT(client.post("/v1/traces", "junk\xff", "application/x-protobuf", {}).error().message,
                HasSubstr("HTTP 400"));
    EXPECT_THAT(
        client.post("/v1/traces", trace_message(20), "application/x-protobuf", {}).error().message,
        HasSubstr("HTTP 429"));
    CollectConfig config{.baseline_seconds = 8, .suspect_seconds = 4, .spool_directory = "/tmp"};
    config.receivers.push_back({.endpoint = {.url = url}});
    const auto collection = collect_case(config, time_from_ns(now_ns - 3'000'000'000),
                                         time_from_ns(now_ns + 1'000'000'000), *transport);
    ASSERT_TRUE(collection.has_value()) << collection.error().message;
    EXPECT_EQ(collection->incident_case.incident.metrics.num_columns(), 1U);
    EXPECT_EQ(collection->incident_case.incident.spans->size(), 4U);
}

// A valid message whose one long name packs to almost nothing.
std::string swollen_message(std::size_t bytes) {
    wire::TracesData data;
    auto* span = data.add_resource_spans()->add_scope_spans()->add_spans();
    span->set_name(std::string(bytes, 'x'));
    span->set_start_time_unix_nano(now_ns);
    span->set_end_time_unix_nano(now_ns + 1);
    return data.SerializeAsString();
}

TEST(ReceiverTest, ASmallBodyThatUnpacksToALargeOneIsRefused) {
    const auto receiver = open_receiver({.body_bytes_max = 1U << 20U});
    auto http = HttpFrontDoor::open(*receiver, "127.0.0.1", 0);
    ASSERT_TRUE(http.has_value()) << http.error().message;
    const auto transport = make_curl_transport();
    const HttpClient packed(*transport, {.url = fmt::format("http://127.0.0.1:{}", (*http)->port()),
                                         .headers = {{"Content-Encoding", "gzip"}},
                                         .attempts_max = 1});
    const auto post = [&](const std::string& body) {
        return packed.post("/v1/traces", body, "application/x-protobuf", {});
    };
    EXPECT_TRUE(post(gzipped(swollen_message(500'000))));
    const std::string bomb = gzipped(swollen_message(64U << 20U));
    EXPECT_LT(bomb.size(), 100'000U);
    EXPECT_THAT(post(bomb).error().message, HasSubstr("HTTP 413"));
    EXPECT_THAT(post("no gzip").error().message, HasSubstr("HTTP 400"));
    EXPECT_EQ(receiver->counts().num_spans, 1U);
}

grpc::Status export_over_grpc(int port, const std::string& method, const std::string& bytes,
                              grpc_compression_algorithm packing = GRPC_COMPRESS_NONE) {
    grpc::GenericStub stub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", port), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_compression_algorithm(packing);
    context.set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_seconds(20, GPR_TIMESPAN)));
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, &queue);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    queue.Shutdown();
    return status;
}

TEST(ReceiverTest, GrpcTakesExportsAndAnswersResourceExhausted) {
    const auto receiver = open_receiver({.records_max = 10});
    auto grpc = GrpcFrontDoor::open(*receiver, "127.0.0.1", 0);
    ASSERT_TRUE(grpc.has_value()) << grpc.error().message;
    const std::string traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    EXPECT_TRUE(export_over_grpc((*grpc)->port(), traces, trace_message(6)).ok());
    EXPECT_EQ(export_over_grpc((*grpc)->port(), traces, trace_message(6)).error_code(),
              grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(export_over_grpc((*grpc)->port(), traces, "junk\xff\xff").error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(export_over_grpc((*grpc)->port(), "/other.Service/Call", "").error_code(),
              grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_EQ(receiver->counts().num_spans, 6U);
}

TEST(ReceiverTest, GrpcTakesGzipButNotWhatUnpacksBeyondTheLimit) {
    const auto receiver = open_receiver({.body_bytes_max = 1U << 20U});
    auto grpc = GrpcFrontDoor::open(*receiver, "127.0.0.1", 0);
    ASSERT_TRUE(grpc.has_value()) << grpc.error().message;
    const std::string traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    const auto packed = [&](std::size_t bytes) {
        return export_over_grpc((*grpc)->port(), traces, swollen_message(bytes),
                                GRPC_COMPRESS_GZIP);
    };
    EXPECT_TRUE(packed(500'000).ok());
    EXPECT_EQ(packed(8U << 20U).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(receiver->counts().num_spans, 1U);
}

}  // namespace
}  // namespace culprit
