#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "culprit/base/result.h"
#include "culprit/telemetry/series_store.h"

namespace culprit {

enum class WireFormat : std::uint8_t {
    otlp_traces,
    otlp_metrics,
    otlp_logs,
    otlp_json,  ///< any of the three
    remote_write,
};

struct ReceiverOptions {
    double window_seconds = 1800.0;         ///< what is older is forgotten
    std::uint64_t records_max = 4'000'000;  ///< spans, lines and points together: bounds memory
    std::uint64_t body_bytes_max = 64U << 20U;
    std::string journal;  ///< folder; empty = none
    std::uint64_t segment_bytes_max = 64U << 20U;
    double read_seconds_max = 60.0;  ///< for one reader of the window
};

struct ReceiverCounts {
    std::uint64_t num_spans = 0;
    std::uint64_t num_lines = 0;
    std::uint64_t num_points = 0;
    std::uint64_t num_refused = 0;    ///< requests turned away because the window is full
    std::uint64_t num_malformed = 0;  ///< requests that could not be decoded
};

/// A bounded window of recent telemetry that exporters push into. A request is taken whole or not
/// at all; one that would exceed `records_max` even after old records are dropped is refused
/// (unavailable), so that the exporter keeps it and tries again. Safe to use from several threads;
/// decoding happens outside the lock.
///
/// With a journal every accepted request is written (write(2), not fsync) before it is
/// acknowledged: what was acknowledged survives a killed process, not a power failure. Opening
/// reads the window back; a half-written last line is skipped. Segments older than the window are
/// deleted.
class Receiver {
public:
    /// `now_ns`: the time, e.g. of the system clock.
    using Clock = std::function<std::int64_t()>;
    static Result<std::unique_ptr<Receiver>> open(ReceiverOptions options, Clock now_ns);
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;
    ~Receiver();

    /// malformed_data, or unavailable when the window is full.
    Status accept(WireFormat format, std::string_view body);
    /// The records of the range as lines (record_lines.h), in pieces. Between pieces telemetry is
    /// taken as ever, but nothing is dropped until the window is written; a reader slower than
    /// `read_seconds_max` is left (unavailable), as is one that returns false.
    Status write_window(TimeRange range,
                        const std::function<bool(const std::string& piece)>& out) const;
    ReceiverCounts counts() const;
    const ReceiverOptions& options() const { return options_; }

private:
    Receiver(ReceiverOptions options, Clock now_ns)
        : options_(std::move(options)), now_ns_(std::move(now_ns)) {}
    Status read_journal();
    Status append_to_journal(const std::string& lines);
    Status open_segment();
    void drop_old_segments(std::int64_t begin_ns);
    std::uint64_t num_records() const;
    class WindowReader;

    ReceiverOptions options_;
    Clock now_ns_;
    mutable std::mutex mutex_;
    mutable std::uint64_t num_window_readers_ = 0;
    TelemetryStore store_;
    ReceiverCounts counts_;
    std::int64_t swept_ns_ = 0;
    int segment_ = -1;
    std::uint64_t segment_bytes_ = 0;
};

/// OTLP over HTTP (`POST /v1/traces|metrics|logs`, protobuf and JSON, gzip), Prometheus remote
/// write
/// (`POST /api/v1/write`), and for Culprit itself `GET /culprit/window` and `GET /healthz`. A full
/// window answers 429 with Retry-After.
class HttpFrontDoor {
public:
    /// Port 0 = any free one. unavailable when the address cannot be had.
    static Result<std::unique_ptr<HttpFrontDoor>> open(Receiver& receiver, const std::string& host,
                                                       int port);
    virtual ~HttpFrontDoor() = default;
    virtual int port() const = 0;
};

/// OTLP over gRPC. A full window answers RESOURCE_EXHAUSTED, which exporters try again.
class GrpcFrontDoor {
public:
    static Result<std::unique_ptr<GrpcFrontDoor>> open(Receiver& receiver, const std::string& host,
                                                       int port);
    virtual ~GrpcFrontDoor() = default;
    virtual int port() const = 0;
};

}  // namespace culprit
