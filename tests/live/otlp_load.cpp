// Sends OTLP spans as fast as a server takes them, for tests/live/otlp_rate.py:
//     otlp_load http|grpc HOST PORT SECONDS CONNECTIONS [SPANS_PER_REQUEST]
// Each connection repeats one prepared request of spans with eight attributes, whose times are now.
// Prints what was accepted, refused (429, RESOURCE_EXHAUSTED) and failed.
#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

void put_varint(std::uint64_t value, std::string& out) {
    for (; value >= 128; value >>= 7U) out += static_cast<char>(value | 128U);
    out += static_cast<char>(value);
}
void put_bytes(std::uint32_t field, std::string_view bytes, std::string& out) {
    put_varint(field << 3U | 2U, out);
    put_varint(bytes.size(), out);
    out += bytes;
}
void put_number(std::uint32_t field, std::uint64_t value, std::string& out) {
    put_varint(field << 3U, out);
    put_varint(value, out);
}
void put_fixed64(std::uint32_t field, std::uint64_t value, std::string& out) {
    put_varint(field << 3U | 1U, out);
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}
void put_attribute(std::uint32_t field, std::string_view key, std::string_view text,
                   std::string& out) {
    std::string value;
    put_bytes(1, text, value);
    std::string pair;
    put_bytes(1, key, pair);
    put_bytes(2, value, pair);
    put_bytes(field, pair, out);
}
void put_attribute(std::uint32_t field, std::string_view key, std::uint64_t number,
                   std::string& out) {
    std::string value;
    put_number(3, number, value);
    std::string pair;
    put_bytes(1, key, pair);
    put_bytes(2, value, pair);
    put_bytes(field, pair, out);
}

std::string span(std::uint64_t number, std::uint64_t now_ns) {
    std::string out;
    std::string id(8, '\0');
    for (std::size_t i = 0; i < 8; ++i)
        id[i] = static_cast<char>(number * 0x9e3779b97f4a7c15U >> 8 * i);
    put_bytes(1, id + id, out);
    put_bytes(2, id, out);
    put_bytes(4, id, out);
    put_bytes(5, number % 2 == 0 ? "POST /v1/completions" : "engine.decode", out);
    put_number(6, 1 + number % 3, out);
    put_fixed64(7, now_ns, out);
    put_fixed64(8, now_ns + 1'000'000 * (1 + number % 400), out);
    put_attribute(9, "http.request.method", "POST", out);
    put_attribute(9, "http.route", "/v1/completions", out);
    put_attribute(9, "http.response.status_code", 200, out);
    put_attribute(9, "server.address", "ray-replicas-2.ray.svc.cluster.local", out);
    put_attribute(9, "network.protocol.version", "1.1", out);
    put_attribute(9, "gen_ai.request.model", "meta-llama/Llama-3.1-8B-Instruct", out);
    put_attribute(9, "gen_ai.usage.input_tokens", 512 + number % 100, out);
    put_attribute(9, "gen_ai.usage.output_tokens", 200 + number % 50, out);
    put_bytes(15, {}, out);
    return out;
}

std::string request(std::uint64_t num_spans) {
    const auto now_ns =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                       std::chrono::system_clock::now().time_since_epoch())
                                       .count());
    std::string scope;
    for (std::uint64_t i = 0; i < num_spans; ++i) put_bytes(2, span(i + 1, now_ns), scope);
    std::string resource;
    for (const auto& [key, value] :
         {std::pair{"service.name", "ray-replicas-2"}, std::pair{"k8s.pod.name", "ray-replicas-2"},
          std::pair{"k8s.namespace.name", "ray"}, std::pair{"telemetry.sdk.language", "python"}})
        put_attribute(1, key, value, resource);
    std::string batch;
    put_bytes(1, resource, batch);
    put_bytes(2, scope, batch);
    std::string out;
    put_bytes(1, batch, out);
    return out;
}

struct Counts {
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> failed{0};
};
using Clock = std::chrono::steady_clock;

void send_http(const std::string& host, int port, Clock::time_point end, const std::string& body,
               Counts& counts) {
    httplib::Client client(host, port);
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_read_timeout(30);
    while (Clock::now() < end) {
        const auto answer = client.Post("/v1/traces", body, "application/x-protobuf");
        auto& count = !answer                 ? counts.failed
                      : answer->status == 200 ? counts.accepted
                      : answer->status == 429 ? counts.refused
                                              : counts.failed;
        ++count;
    }
}

void send_grpc(const std::string& host, int port, Clock::time_point end, const std::string& body,
               Counts& counts) {
    grpc::ChannelArguments arguments;
    arguments.SetInt("grpc.use_local_subchannel_pool", 1);
    grpc::GenericStub stub(grpc::CreateCustomChannel(
        fmt::format("{}:{}", host, port), grpc::InsecureChannelCredentials(), arguments));
    const grpc::Slice slice(body);
    const grpc::ByteBuffer buffer(&slice, 1);
    while (Clock::now() < end) {
        grpc::ClientContext context;
        grpc::CompletionQueue queue;
        const auto call = stub.PrepareUnaryCall(
            &context, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", buffer,
            &queue);
        call->StartCall();
        grpc::ByteBuffer response;
        grpc::Status status;
        call->Finish(&response, &status, &queue);
        void* tag = nullptr;
        bool ok = false;
        queue.Next(&tag, &ok);
        auto& count = status.ok() ? counts.accepted
                      : status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ? counts.refused
                                                                                    : counts.failed;
        ++count;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 6) {
        fmt::print(stderr, "usage: {} http|grpc HOST PORT SECONDS CONNECTIONS [SPANS]\n", argv[0]);
        return 2;
    }
    const bool is_grpc = std::string_view(argv[1]) == "grpc";
    const std::string host = argv[2];
    const int port = std::atoi(argv[3]);
    const double seconds = std::atof(argv[4]);
    const int connections = std::atoi(argv[5]);
    const std::uint64_t num_spans = argc > 6 ? std::strtoull(argv[6], nullptr, 10) : 512;
    const std::string body = request(num_spans);
    Counts counts;
    const auto begin = Clock::now();
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    {
        std::vector<std::jthread> senders;
        senders.reserve(static_cast<std::size_t>(connections));
        for (int i = 0; i < connections; ++i)
            senders.emplace_back(
                [&] { (is_grpc ? send_grpc : send_http)(host, port, end, body, counts); });
    }
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    fmt::print(
        "{{\"spans\":{},\"requests\":{},\"refused\":{},\"failed\":{},\"seconds\":{:.3f},"
        "\"request_bytes\":{}}}\n",
        counts.accepted * num_spans, counts.accepted.load(), counts.refused.load(),
        counts.failed.load(), took, body.size());
    return 0;
}
