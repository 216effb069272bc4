#include <fmt/format.h>

#include <csignal>
#include <memory>

#include "apps/culprit/command.h"
#include "culprit/base/clock.h"
#include "culprit/receiver/receiver.h"

namespace culprit::cli {
namespace {

struct ReceiveRequest {
    std::string host = "127.0.0.1";
    int http_port = 4318;
    int grpc_port = 4317;
    ReceiverOptions options;
};

std::int64_t now_ns() { return to_ns(wall_clock_now()); }

// Waits for the signals that ask a service to end.
void wait_for_end() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    int received = 0;
    sigwait(&set, &received);
}

Status run_receive(const ReceiveRequest& request) {
    // Before any thread begins, so that all of them leave the signals to sigwait.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    CULPRIT_TRY(const auto receiver, Receiver::open(request.options, now_ns));
    CULPRIT_TRY(const auto http, HttpFrontDoor::open(*receiver, request.host, request.http_port));
    CULPRIT_TRY(const auto grpc, GrpcFrontDoor::open(*receiver, request.host, request.grpc_port));
    const ReceiverCounts before = receiver->counts();
    CULPRIT_TRY_STATUS(write_out(fmt::format(
        "OTLP/HTTP and remote write on {0}:{1}, OTLP/gRPC on {0}:{2}; window {3:g} s{4}\n",
        request.host, http->port(), grpc->port(), request.options.window_seconds,
        request.options.journal.empty()
            ? ""
            : fmt::format("; journal {} ({} spans, {} lines, {} points read back)",
                          request.options.journal, before.num_spans, before.num_lines,
                          before.num_points))));
    wait_for_end();
    const ReceiverCounts counts = receiver->counts();
    return write_out(fmt::format(
        "{} spans, {} lines, {} points; {} requests refused, {} malformed\n", counts.num_spans,
        counts.num_lines, counts.num_points, counts.num_refused, counts.num_malformed));
}

constexpr const char* footer =
    R"(Nothing but Culprit is needed on the machine: point exporters here, then ask.

  culprit receive --journal /var/lib/culprit
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 vllm serve ...
  remote_write: [{url: "http://localhost:4318/api/v1/write"}]    in prometheus.yml
  culprit diagnose --from receiver --at now
  culprit assess --from receiver)";

}  // namespace

void add_receive_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "receive", "Take telemetry from exporters: OTLP and Prometheus remote write");
    auto request = std::make_shared<ReceiveRequest>();
    command.option("--host", request->host, "Address to listen on").default_text(request->host);
    command.option("--http-port", request->http_port, "OTLP/HTTP and remote write")
        .check(whole_between(0, 65535))
        .default_text("4318");
    command.option("--grpc-port", request->grpc_port, "OTLP/gRPC")
        .check(whole_between(0, 65535))
        .default_text("4317");
    command.option("--window", request->options.window_seconds, "Seconds of telemetry to keep")
        .check(between(1.0, 86400.0))
        .default_text("1800");
    command
        .option("--records-max", request->options.records_max,
                "Spans, lines and points to hold; more are refused with 429")
        .check(between(1.0, 1e10))
        .default_text("4000000");
    command.option("--journal", request->options.journal,
                   "Folder that keeps the window across a crash");
    command.footer(footer);
    on_run(command, shell, [request] { return run_receive(*request); });
}

}  // namespace culprit::cli
