#include <fmt/format.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <array>

#include "culprit/receiver/receiver.h"

namespace culprit {
namespace {

struct Method {
    std::string_view path;
    WireFormat format;
};
constexpr std::array<Method, 3> methods = {{
    {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", WireFormat::otlp_traces},
    {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", WireFormat::otlp_metrics},
    {"/opentelemetry.proto.collector.logs.v1.LogsService/Export", WireFormat::otlp_logs},
}};

std::string bytes_of(const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    std::string bytes;
    if (!buffer.Dump(&slices).ok()) return bytes;
    bytes.reserve(buffer.Length());
    for (const grpc::Slice& slice : slices)
        bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    return bytes;
}

// One call: read the request, hand it over, answer. gRPC owns it until OnDone.
class ExportCall final : public grpc::ServerGenericBidiReactor {
public:
    ExportCall(Receiver& receiver, WireFormat format) : receiver_(receiver), format_(format) {
        StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
        if (!ok) {
            Finish({grpc::StatusCode::INVALID_ARGUMENT, "expected a message"});
            return;
        }
        const auto status = receiver_.accept(format_, bytes_of(request_));
        if (!status) {
            const bool is_full = status.error().code == ErrorCode::unavailable;
            Finish({is_full ? grpc::StatusCode::RESOURCE_EXHAUSTED
                            : grpc::StatusCode::INVALID_ARGUMENT,
                    status.error().message});
            return;
        }
        // An empty message is an answer without partial success.
        const grpc::Slice nothing;
        response_ = grpc::ByteBuffer(&nothing, 1);
        StartWriteAndFinish(&response_, {}, grpc::Status::OK);
    }
    void OnDone() override { delete this; }

private:
    Receiver& receiver_;
    WireFormat format_;
    grpc::ByteBuffer request_;
    grpc::ByteBuffer response_;
};

class Refusal final : public grpc::ServerGenericBidiReactor {
public:
    explicit Refusal(const std::string& method) {
        Finish({grpc::StatusCode::UNIMPLEMENTED, "no such method: " + method});
    }
    void OnDone() override { delete this; }
};

// OTLP's services without generated stubs: the method's name says what the bytes are.
class ExportService final : public grpc::CallbackGenericService {
public:
    explicit ExportService(Receiver& receiver) : receiver_(receiver) {}
    grpc::ServerGenericBidiReactor* CreateReactor(
        grpc::GenericCallbackServerContext* context) override {
        for (const Method& method : methods)
            if (context->method() == method.path) return new ExportCall(receiver_, method.format);
        return new Refusal(context->method());
    }

private:
    Receiver& receiver_;
};

class GrpcServer final : public GrpcFrontDoor {
public:
    explicit GrpcServer(Receiver& receiver) : service_(receiver) {}
    GrpcServer(const GrpcServer&) = delete;
    GrpcServer& operator=(const GrpcServer&) = delete;
    ~GrpcServer() override {
        if (server_) server_->Shutdown();
    }
    int port() const override { return port_; }

    Status start(const std::string& host, int port, std::uint64_t bytes_max) {
        grpc::ServerBuilder builder;
        builder.AddListeningPort(fmt::format("{}:{}", host, port),
                                 grpc::InsecureServerCredentials(), &port_);
        builder.SetMaxReceiveMessageSize(
            static_cast<int>(std::min<std::uint64_t>(bytes_max, INT32_MAX)));
        builder.RegisterCallbackGenericService(&service_);
        server_ = builder.BuildAndStart();
        if (!server_ || port_ == 0)
            return fail(ErrorCode::unavailable,
                        fmt::format("cannot listen on {}:{}; is it in use?", host, port));
        return {};
    }

private:
    ExportService service_;
    std::unique_ptr<grpc::Server> server_;
    int port_ = 0;
};

}  // namespace

Result<std::unique_ptr<GrpcFrontDoor>> GrpcFrontDoor::open(Receiver& receiver,
                                                           const std::string& host, int port) {
    auto server = std::make_unique<GrpcServer>(receiver);
    CULPRIT_TRY_STATUS(server->start(host, port, receiver.options().body_bytes_max));
    return std::unique_ptr<GrpcFrontDoor>(std::move(server));
}

}  // namespace culprit
