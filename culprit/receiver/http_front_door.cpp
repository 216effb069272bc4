#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "culprit/receiver/receiver.h"

namespace culprit {
namespace {

std::int64_t integer_parameter(const httplib::Request& request, const char* name,
                               std::int64_t otherwise) {
    const std::string text = request.get_param_value(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : otherwise;
}

std::int64_t content_length(const httplib::Request& request) {
    const std::string text = request.get_header_value("Content-Length");
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

class HttpServer final : public HttpFrontDoor {
public:
    explicit HttpServer(Receiver& receiver) : receiver_(receiver) {}
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer() override {
        server_.stop();
        if (thread_.joinable()) thread_.join();
    }
    int port() const override { return port_; }

    Status start(const std::string& host, int port) {
        server_.set_payload_max_length(receiver_.options().body_bytes_max);
        server_.set_read_timeout(10, 0);
        server_.set_tcp_nodelay(true);
        server_.set_keep_alive_max_count(1'000'000);
        server_.new_task_queue = [] { return new httplib::ThreadPool(8); };
        add_otlp("/v1/traces", WireFormat::otlp_traces);
        add_otlp("/v1/metrics", WireFormat::otlp_metrics);
        add_otlp("/v1/logs", WireFormat::otlp_logs);
        server_.Post("/api/v1/write", [this](const httplib::Request& request,
                                             httplib::Response& response,
                                             const httplib::ContentReader& reader) {
            // A sender of version 2 falls back to 1 on this answer.
            if (request.get_header_value("Content-Type").find("write.v2") != std::string::npos) {
                response.status = 415;
                response.set_header("Connection", "close");
                response.set_content("remote write 1.0 is taken\n", "text/plain");
                return;
            }
            answer(WireFormat::remote_write, request, response, reader);
            if (response.status == 200) response.status = 204;
        });
        server_.Get("/healthz", [this](const auto&, auto& response) {
            const ReceiverCounts counts = receiver_.counts();
            response.set_content(
                fmt::format("{{\"spans\":{},\"lines\":{},\"points\":{},\"refused\":{},"
                            "\"malformed\":{}}}\n",
                            counts.num_spans, counts.num_lines, counts.num_points,
                            counts.num_refused, counts.num_malformed),
                "application/json");
        });
        server_.Get("/culprit/window",
                    [this](const auto& request, auto& response) { window(request, response); });
        port_ = port == 0 ? server_.bind_to_any_port(host.c_str())
                          : (server_.bind_to_port(host.c_str(), port) ? port : -1);
        if (port_ < 0)
            return fail(ErrorCode::unavailable,
                        fmt::format("cannot listen on {}:{}; is it in use?", host, port));
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        return {};
    }

private:
    void add_otlp(const char* path, WireFormat format) {
        server_.Post(
            path, [this, format](const httplib::Request& request, httplib::Response& response,
                                 const httplib::ContentReader& reader) {
                const std::string type = request.get_header_value("Content-Type");
                const bool is_json = type.find("json") != std::string::npos;
                answer(is_json ? WireFormat::otlp_json : format, request, response, reader);
                if (response.status == 200)
                    response.set_content(is_json ? "{}" : "",
                                         is_json ? "application/json" : "application/x-protobuf");
            });
    }
    void answer(WireFormat format, const httplib::Request& request, httplib::Response& response,
                const httplib::ContentReader& reader) {
        // The server's own limit is for what is on the wire; this one is for what that unpacks to.
        const std::uint64_t bytes_max = receiver_.options().body_bytes_max;
        std::string body;
        body.reserve(std::min<std::uint64_t>(
            static_cast<std::uint64_t>(std::max<std::int64_t>(content_length(request), 0)),
            bytes_max));
        bool is_too_large = false;
        const bool is_whole = reader([&](const char* data, std::size_t size) {
            is_too_large = body.size() + size > bytes_max;
            if (!is_too_large) body.append(data, size);
            return !is_too_large;
        });
        if (!is_whole) {
            response.status = is_too_large ? 413 : 400;
            // What is left of the body must not be read as the next request.
            response.set_header("Connection", "close");
            response.set_content(
                is_too_large ? fmt::format("a body of at most {} bytes is taken\n", bytes_max)
                             : "the body is cut off or damaged\n",
                "text/plain");
            return;
        }
        const auto status = receiver_.accept(format, body);
        response.status = 200;
        if (status) return;
        const bool is_full = status.error().code == ErrorCode::unavailable;
        response.status = is_full                                            ? 429
                          : status.error().code == ErrorCode::malformed_data ? 400
                                                                             : 503;
        if (is_full) response.set_header("Retry-After", "5");
        response.set_content(status.error().message + "\n", "text/plain");
    }
    void window(const httplib::Request& request, httplib::Response& response) {
        const TimeRange range{time_from_ns(integer_parameter(request, "begin_ns", 0)),
                              time_from_ns(integer_parameter(request, "end_ns", INT64_MAX))};
        response.set_chunked_content_provider(
            "application/x-ndjson", [this, range](std::size_t, httplib::DataSink& sink) {
                const auto written =
                    receiver_.write_window(range, [&sink](const std::string& piece) {
                        return sink.write(piece.data(), piece.size());
                    });
                if (written) sink.done();
                return written.has_value();
            });
    }

    Receiver& receiver_;
    httplib::Server server_;
    std::thread thread_;
    int port_ = -1;
};

}  // namespace

Result<std::unique_ptr<HttpFrontDoor>> HttpFrontDoor::open(Receiver& receiver,
                                                           const std::string& host, int port) {
    auto server = std::make_unique<HttpServer>(receiver);
    CULPRIT_TRY_STATUS(server->start(host, port));
    return std::unique_ptr<HttpFrontDoor>(std::move(server));
}

}  // namespace culprit
