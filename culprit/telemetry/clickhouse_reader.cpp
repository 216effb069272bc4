#include "culprit/telemetry/clickhouse_reader.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "culprit/base/stopwatch.h"
#include "culprit/telemetry/json_fields.h"

namespace culprit {
namespace {

using nlohmann::json;

// One JSON object per line, in pieces.
class Rows final : public StreamReceiver {
public:
    using OnRow = std::function<Status(const json& row)>;
    explicit Rows(OnRow on_row) : on_row_(std::move(on_row)) {}
    // Rows that were handed over stay; those of the repeated attempt are skipped.
    void restart() override {
        skip_ = num_rows_;
        num_rows_ = 0;
        line_.clear();
    }
    Status write(std::string_view piece) override {
        for (std::size_t begin = 0; begin < piece.size();) {
            const std::size_t end = piece.find('\n', begin);
            line_.append(piece.substr(begin, end - begin));
            if (end == std::string_view::npos) return {};
            begin = end + 1;
            CULPRIT_TRY_STATUS(end_line());
        }
        return {};
    }
    Status finish() { return line_.empty() ? Status{} : end_line(); }
    std::uint64_t num_rows() const { return num_rows_; }

private:
    Status end_line() {
        const json row = json::parse(line_, nullptr, false);
        if (!row.is_object())
            return fail(ErrorCode::malformed_data,
                        fmt::format("expected a row of JSON, found \"{}\"", line_.substr(0, 120)));
        line_.clear();
        if (++num_rows_ <= skip_) return {};
        return on_row_(row);
    }

    OnRow on_row_;
    std::string line_;
    std::uint64_t num_rows_ = 0;
    std::uint64_t skip_ = 0;
};

// ClickHouse prints 64-bit integers as text unless told otherwise.
std::int64_t big_integer(const json& row, const char* key) {
    const std::string text = text_field(row, key);
    if (text.empty()) return integer_field(row, key);
    return std::strtoll(text.c_str(), nullptr, 10);
}

Labels map_of(const json& row, const char* key) {
    Labels labels;
    for (const auto& [label, value] : object_field(row, key).items())
        if (value.is_string()) labels[label] = value.get<std::string>();
    return labels;
}

bool is_identifier(const std::string& name) {
    return !name.empty() && name.find_first_not_of(
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU"
                                "VWXYZ0123456789_.") == std::string::npos;
}

Status query(const HttpClient& client, const ClickHouseConfig& config, const std::string& columns,
             const std::string& table, TimeRange range, SourceReport& report,
             const Rows::OnRow& on_row, const Stop& stop) {
    if (!is_identifier(table) || !is_identifier(config.database))
        return fail(ErrorCode::invalid_input,
                    fmt::format("\"{}.{}\" is no table name", config.database, table));
    const std::string sql = fmt::format(
        "SELECT toUnixTimestamp64Nano(Timestamp) AS time_ns, {} FROM {}.{} WHERE Timestamp >= "
        "fromUnixTimestamp64Nano({}) AND Timestamp < fromUnixTimestamp64Nano({}) ORDER BY "
        "Timestamp LIMIT {} FORMAT JSONEachRow",
        columns, config.database, table, to_ns(range.begin), to_ns(range.end), config.rows_max);
    Rows rows(on_row);
    ++report.num_asked;
    CULPRIT_TRY_STATUS(client.stream("/", {{"query", sql}}, rows, stop));
    CULPRIT_TRY_STATUS(rows.finish());
    report.num_items += rows.num_rows();
    if (rows.num_rows() >= config.rows_max)
        report.add_missing(
            fmt::format("{}: the limit of {} rows is reached", table, config.rows_max));
    return {};
}

Status take_span(const json& row, SpanTable& spans) {
    SpanRecord span;
    span.trace_id = text_field(row, "TraceId");
    span.span_id = text_field(row, "SpanId");
    span.parent_id = text_field(row, "ParentSpanId");
    span.service = text_field(row, "ServiceName");
    span.operation = text_field(row, "SpanName");
    span.start_ns = big_integer(row, "time_ns");
    span.duration_ns = big_integer(row, "Duration");
    const Labels attributes = map_of(row, "SpanAttributes");
    if (const auto route = attributes.find("http.route"); route != attributes.end())
        span.method = route->second;
    const std::string status = text_field(row, "StatusCode");
    if (status == "Error" || status == "STATUS_CODE_ERROR") span.status = 500;
    for (const char* key : {"http.response.status_code", "http.status_code"})
        if (const auto code = attributes.find(key); code != attributes.end())
            span.status = static_cast<std::int32_t>(std::strtol(code->second.c_str(), nullptr, 10));
    if (span.start_ns <= 0) return fail(ErrorCode::malformed_data, "a span has no time");
    if (span.duration_ns < 0 || span.duration_ns > INT64_MAX - span.start_ns)
        return fail(ErrorCode::malformed_data,
                    fmt::format("a span is {} ns long", span.duration_ns));
    add_span(span, spans);
    return {};
}

}  // namespace

SourceReport collect_clickhouse(const HttpClient& client, const ClickHouseConfig& config,
                                TimeRange range, LogTable& logs, SpanTable& spans,
                                const Stop& stop) {
    SourceReport report{.kind = "clickhouse"};
    const Stopwatch stopwatch;
    const auto log_status = query(
        client, config, "ServiceName, Body, ResourceAttributes", config.logs_table, range, report,
        [&logs](const json& row) -> Status {
            Labels labels = map_of(row, "ResourceAttributes");
            labels.try_emplace("service.name", text_field(row, "ServiceName"));
            logs.add(time_from_ns(big_integer(row, "time_ns")), source_of_resource(labels),
                     text_field(row, "Body"));
            return {};
        },
        stop);
    const auto span_status = query(
        client, config,
        "TraceId, SpanId, ParentSpanId, SpanName, ServiceName, Duration, StatusCode, "
        "SpanAttributes",
        config.traces_table, range, report,
        [&spans](const json& row) { return take_span(row, spans); }, stop);
    if (!log_status && !span_status) {
        report.error = log_status.error();
    } else {
        if (!log_status) report.add_missing("logs: " + log_status.error().message);
        if (!span_status) report.add_missing("traces: " + span_status.error().message);
    }
    report.seconds = stopwatch.seconds();
    return report;
}

}  // namespace culprit
