#include "culprit/readers/case_writer.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "culprit/readers/case_annex.h"

namespace culprit {
namespace {

namespace fs = std::filesystem;

// A file that is written in order; the first failure sticks.
class TextFile {
public:
    explicit TextFile(const fs::path& path) : path_(path), out_(path, std::ios::binary) {}
    void add(std::string_view text) {
        buffer_.append(text);
        if (buffer_.size() >= buffer_bytes) flush();
    }
    void cell(std::string_view text) {
        if (text.find_first_of(",\"\n\r") == std::string_view::npos) return add(text);
        add("\"");
        for (const char c : text)
            add(c == '"' ? std::string_view("\"\"") : std::string_view(&c, 1));
        add("\"");
    }
    Status finish() {
        flush();
        out_.flush();
        if (out_) return {};
        return fail(ErrorCode::io_failure, fmt::format("cannot write {}", path_.string()));
    }

private:
    static constexpr std::size_t buffer_bytes = 1U << 20U;
    void flush() {
        out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
        buffer_.clear();
    }
    fs::path path_;
    std::ofstream out_;
    std::string buffer_;
};

// Unix seconds without loss.
std::string unix_seconds(TimePoint time) {
    const std::int64_t ns = to_ns(time);
    if (ns % 1'000'000'000 == 0) return fmt::format("{}", ns / 1'000'000'000);
    return fmt::format("{}.{:09}", ns / 1'000'000'000, ns % 1'000'000'000);
}

Status write_frame(const Frame& frame, const fs::path& path) {
    TextFile file(path);
    file.add("time");
    for (const Column& column : frame.columns()) {
        file.add(",");
        file.cell(column.name);
    }
    file.add("\n");
    for (std::size_t row = 0; row < frame.num_rows(); ++row) {
        file.add(unix_seconds(frame.times()[row]));
        for (std::size_t c = 0; c < frame.num_columns(); ++c) {
            const double value = frame.values(c)[row];
            file.add(",");
            if (std::isfinite(value)) file.add(fmt::format("{}", value));
        }
        file.add("\n");
    }
    return file.finish();
}

Status write_logs(const LogTable& logs, const fs::path& path) {
    TextFile file(path);
    file.add("time,container_name,message,timestamp\n");
    for (std::size_t i = 0; i < logs.size(); ++i) {
        file.add(format_time(logs.time[i]) + ",");
        file.cell(logs.sources[logs.source[i]]);
        file.add(",");
        file.cell(logs.message(i));
        file.add(fmt::format(",{}\n", to_ns(logs.time[i])));
    }
    return file.finish();
}

std::string id_text(std::uint64_t id) { return id == 0 ? "" : fmt::format("{:016x}", id); }

Status write_spans(const SpanTable& spans, const fs::path& path) {
    TextFile file(path);
    file.add(
        "duration,serviceName,time,operationName,statusCode,traceID,spanID,parentSpanID,"
        "methodName,startTimeMillis,startTime\n");
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const std::int64_t start_us = to_ns(spans.start[i]) / 1000;
        file.add(fmt::format("{},", spans.duration[i].count() / 1000));
        file.cell(spans.services[spans.service[i]]);
        file.add("," + format_time(spans.start[i], 6) + ",");
        file.cell(spans.operations[spans.operation[i]]);
        file.add(spans.status[i] == SpanTable::no_status ? ","
                                                         : fmt::format(",{}", spans.status[i]));
        file.add(",");
        file.cell(spans.traces[spans.trace[i]]);
        file.add(fmt::format(",{},{},", id_text(spans.id[i]), id_text(spans.parent_id[i])));
        file.cell(spans.operations[spans.method[i]]);
        file.add(fmt::format(",{},{}\n", start_us / 1000, start_us));
    }
    return file.finish();
}

Status write_topology(const Topology& topology, const fs::path& path) {
    TextFile file(path);
    file.add("source,destination\n");
    for (const TopologyEdge& edge : topology.edges) {
        file.cell(edge.from);
        file.add(",");
        file.cell(edge.to);
        file.add("\n");
    }
    return file.finish();
}

Status write_files(const Case& written, const fs::path& folder, CaseLayout layout) {
    const Incident& incident = written.incident;
    const bool has_records = incident.logs || incident.spans;
    const bool is_study = layout == CaseLayout::study;
    const char* const metrics_name = is_study || !has_records ? "data.csv" : "simple_metrics.csv";
    if (incident.metrics.num_rows() > 0)
        CULPRIT_TRY_STATUS(write_frame(incident.metrics, folder / metrics_name));
    TextFile alert(folder / "inject_time.txt");
    alert.add(unix_seconds(incident.alert) + "\n");
    CULPRIT_TRY_STATUS(alert.finish());
    if (incident.logs) CULPRIT_TRY_STATUS(write_logs(*incident.logs, folder / "logs.csv"));
    if (incident.spans) CULPRIT_TRY_STATUS(write_spans(*incident.spans, folder / "traces.csv"));
    const auto write_series = [&](const std::optional<Frame>& frame, const char* name) -> Status {
        return frame ? write_frame(*frame, folder / name) : Status{};
    };
    CULPRIT_TRY_STATUS(write_series(incident.log_counts, "logts.csv"));
    CULPRIT_TRY_STATUS(write_series(incident.span_errors, "tracets_err.csv"));
    CULPRIT_TRY_STATUS(write_series(incident.span_successes, "tracets_lat.csv"));
    if (!is_study) return {};
    CULPRIT_TRY_STATUS(write_series(incident.edge_latency, "latency_merged_90.csv"));
    if (incident.topology)
        CULPRIT_TRY_STATUS(write_topology(*incident.topology, folder / "mpg.csv"));
    TextFile annex(folder / case_annex_name);
    annex.add(format_case_annex(written));
    return annex.finish();
}

}  // namespace

Status write_case(const Case& written, const std::string& folder, CaseLayout layout) {
    std::error_code error;
    if (fs::exists(folder, error))
        return fail(ErrorCode::io_failure, fmt::format("{} exists already", folder));
    const fs::path temporary = folder + ".partial";
    fs::remove_all(temporary, error);
    if (!fs::create_directories(temporary, error))
        return fail(ErrorCode::io_failure,
                    fmt::format("cannot make {}: {}", temporary.string(), error.message()));
    auto status = write_files(written, temporary, layout);
    if (status) {
        fs::rename(temporary, folder, error);
        if (error)
            status = fail(ErrorCode::io_failure,
                          fmt::format("cannot make {}: {}", folder, error.message()));
    }
    if (!status) fs::remove_all(temporary, error);
    return status;
}

}  // namespace culprit
