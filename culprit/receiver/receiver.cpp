#include "culprit/receiver/receiver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "culprit/base/duration.h"
#include "culprit/telemetry/otlp_json.h"
#include "culprit/telemetry/receiver_source.h"
#include "culprit/telemetry/record_lines.h"
#include "culprit/telemetry/wire_decoder.h"

namespace culprit {
namespace {

// How often old records are looked for: the window is that much longer at most. A full window is
// swept more often, but not at every request that it turns away.
constexpr std::int64_t sweep_ns = 10'000'000'000;
constexpr std::int64_t full_sweep_ns = 1'000'000'000;

// Records of one request until it is accepted.
struct Batch final : TelemetrySink {
    SpanStore spans;
    std::vector<LogRecord> logs;
    std::vector<MetricPoint> points;

    void on_span(SpanRecord span) override { spans.add(span); }
    void on_span_view(const SpanView& span) override { spans.add(span); }
    void on_log(LogRecord record) override { logs.push_back(std::move(record)); }
    void on_point(MetricPoint point) override { points.push_back(std::move(point)); }
    std::uint64_t size() const { return spans.size() + logs.size() + points.size(); }
};

Status decode(WireFormat format, std::string_view body, std::uint64_t bytes_max, Batch& batch) {
    switch (format) {
        case WireFormat::otlp_traces:
            return decode_otlp_traces(body, batch);
        case WireFormat::otlp_metrics:
            return decode_otlp_metrics(body, batch);
        case WireFormat::otlp_logs:
            return decode_otlp_logs(body, batch);
        case WireFormat::otlp_json:
            return decode_otlp_json(body, batch);
        case WireFormat::remote_write:
            return decode_remote_write(body, bytes_max, batch);
    }
    return fail(ErrorCode::unsupported, "unknown format");
}

std::string lines_of(const Batch& batch) {
    std::string lines;
    for (std::size_t i = 0; i < batch.spans.size(); ++i) append_line(batch.spans.record(i), lines);
    for (const LogRecord& record : batch.logs) append_line(record, lines);
    for (const MetricPoint& point : batch.points) append_line(point, lines);
    return lines;
}

}  // namespace

Result<std::unique_ptr<Receiver>> Receiver::open(ReceiverOptions options, Clock now_ns) {
    std::unique_ptr<Receiver> receiver(new Receiver(std::move(options), std::move(now_ns)));
    if (!receiver->options_.journal.empty()) CULPRIT_TRY_STATUS(receiver->read_journal());
    return receiver;
}

Receiver::~Receiver() {
    if (segment_ >= 0) ::close(segment_);
}

std::uint64_t Receiver::num_records() const {
    return store_.num_spans() + store_.num_lines() + store_.num_points();
}

Status Receiver::accept(WireFormat format, std::string_view body) {
    Batch batch;
    if (auto decoded = decode(format, body, options_.body_bytes_max, batch); !decoded) {
        const std::scoped_lock lock(mutex_);
        ++counts_.num_malformed;
        return decoded;
    }
    const std::string lines = options_.journal.empty() ? std::string{} : lines_of(batch);
    const std::scoped_lock lock(mutex_);
    const std::int64_t now = now_ns_();
    const bool is_full = num_records() + batch.size() > options_.records_max;
    // Positions in the window must stay what they are while someone reads it.
    if (num_window_readers_ == 0 && now - swept_ns_ > (is_full ? full_sweep_ns : sweep_ns)) {
        const auto window_ns = duration_from_seconds(options_.window_seconds).count();
        store_.drop_before(now - window_ns);
        drop_old_segments(now - window_ns);
        swept_ns_ = now;
    }
    if (num_records() + batch.size() > options_.records_max) {
        ++counts_.num_refused;
        return fail(ErrorCode::unavailable,
                    fmt::format("the window holds {} records, its limit; try again later",
                                options_.records_max));
    }
    if (!lines.empty()) CULPRIT_TRY_STATUS(append_to_journal(lines));
    counts_.num_spans += batch.spans.size();
    counts_.num_lines += batch.logs.size();
    counts_.num_points += batch.points.size();
    store_.add_spans(batch.spans);
    for (LogRecord& record : batch.logs) store_.on_log(std::move(record));
    for (MetricPoint& point : batch.points) store_.on_point(std::move(point));
    return {};
}

Status Receiver::read_journal() {
    std::error_code error;
    std::filesystem::create_directories(options_.journal, error);
    const std::int64_t begin_ns =
        now_ns_() - duration_from_seconds(options_.window_seconds).count();
    for (const std::string& segment : journal_segments(options_.journal)) {
        std::ifstream in(segment, std::ios::binary);
        std::string line;
        // Only the last line can be half: each request was written with one call.
        while (std::getline(in, line))
            if (!read_line(line, store_)) ++counts_.num_malformed;
        store_.drop_before(begin_ns);
    }
    counts_.num_spans = store_.num_spans();
    counts_.num_lines = store_.num_lines();
    counts_.num_points = store_.num_points();
    return open_segment();
}

Status Receiver::open_segment() {
    if (segment_ >= 0) ::close(segment_);
    const std::string path = fmt::format("{}/{:020}.journal", options_.journal, now_ns_());
    segment_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    segment_bytes_ = 0;
    if (segment_ < 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("cannot write {}: {}", path, std::strerror(errno)));
    return {};
}

Status Receiver::append_to_journal(const std::string& lines) {
    if (segment_bytes_ + lines.size() > options_.segment_bytes_max && segment_bytes_ > 0)
        CULPRIT_TRY_STATUS(open_segment());
    std::size_t done = 0;
    while (done < lines.size()) {
        const ssize_t written = ::write(segment_, lines.data() + done, lines.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0)
            return fail(ErrorCode::io_failure,
                        fmt::format("cannot write the journal: {}", std::strerror(errno)));
        done += static_cast<std::size_t>(written);
    }
    segment_bytes_ += lines.size();
    return {};
}

// A segment's last record is not younger than its last write.
void Receiver::drop_old_segments(std::int64_t begin_ns) {
    if (options_.journal.empty()) return;
    std::vector<std::string> segments = journal_segments(options_.journal);
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
        // The next segment's name is the time at which this one ended.
        const std::string next = std::filesystem::path(segments[i + 1]).stem().string();
        if (std::strtoll(next.c_str(), nullptr, 10) >= begin_ns) return;
        std::error_code ignored;
        std::filesystem::remove(segments[i], ignored);
    }
}

// Where a reader of the window is. Records are only added meanwhile, and neither an index nor a
// map's iterator minds that.
class Receiver::WindowReader {
public:
    WindowReader(const Receiver& receiver, TimeRange range) : receiver_(receiver), range_(range) {
        const std::scoped_lock lock(receiver_.mutex_);
        ++receiver_.num_window_readers_;
        // What comes in from now on is not waited for.
        num_spans_ = receiver_.store_.num_spans();
        num_lines_ = receiver_.store_.num_lines();
        series_ = receiver_.store_.series().begin();
    }
    ~WindowReader() {
        const std::scoped_lock lock(receiver_.mutex_);
        --receiver_.num_window_readers_;
    }
    WindowReader(const WindowReader&) = delete;
    WindowReader& operator=(const WindowReader&) = delete;

    // Empty at the end.
    std::string next_piece() {
        std::string piece;
        const std::scoped_lock lock(receiver_.mutex_);
        const TelemetryStore& store = receiver_.store_;
        for (; span_ < num_spans_ && piece.size() < piece_bytes; ++span_)
            if (range_.contains(time_from_ns(store.spans().start_ns(span_))))
                append_line(store.spans().record(span_), piece);
        for (; line_ < num_lines_ && piece.size() < piece_bytes; ++line_)
            if (range_.contains(time_from_ns(store.logs()[line_].time_ns)))
                append_line(store.logs()[line_], piece);
        for (; series_ != store.series().end() && piece.size() < piece_bytes; ++series_)
            append_series(series_->first.first, series_->first.second, series_->second, piece);
        return piece;
    }

private:
    static constexpr std::size_t piece_bytes = 1U << 20U;

    void append_series(const std::string& name, const Labels& labels,
                       const TelemetryStore::Stored& stored, std::string& piece) const {
        for (std::size_t k = 0; k < stored.series.size(); ++k) {
            const std::int64_t time_ns = stored.series.time_ms[k] * 1'000'000;
            if (!range_.contains(time_from_ns(time_ns))) continue;
            // Delta sums were added up when they came in.
            append_line(MetricPoint{.name = name,
                                    .labels = labels,
                                    .type = stored.type,
                                    .unit = stored.unit,
                                    .kind = PointKind::cumulative_sum,
                                    .time_ns = time_ns,
                                    .value = stored.series.value[k]},
                        piece);
        }
    }

    const Receiver& receiver_;
    TimeRange range_;
    std::size_t span_ = 0;
    std::size_t line_ = 0;
    std::size_t num_spans_ = 0;
    std::size_t num_lines_ = 0;
    std::map<std::pair<std::string, Labels>, TelemetryStore::Stored>::const_iterator series_;
};

Status Receiver::write_window(TimeRange range,
                              const std::function<bool(const std::string& piece)>& out) const {
    const auto begin = std::chrono::steady_clock::now();
    const std::chrono::duration<double> allowed(options_.read_seconds_max);
    WindowReader reader(*this, range);
    for (std::string piece = reader.next_piece(); !piece.empty(); piece = reader.next_piece()) {
        const bool is_late = std::chrono::steady_clock::now() - begin > allowed;
        if (is_late || !out(piece))
            return fail(ErrorCode::unavailable, is_late ? "the reader of the window is too slow"
                                                        : "the reader of the window went away");
    }
    return {};
}

ReceiverCounts Receiver::counts() const {
    const std::scoped_lock lock(mutex_);
    return counts_;
}

}  // namespace culprit
