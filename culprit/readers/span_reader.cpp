#include "culprit/readers/span_reader.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <cmath>

#include "culprit/readers/column_finder.h"
#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/number.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

// With a start before 2115 the end fits into 64 bits of nanoseconds.
constexpr double duration_us_max = 4e15;

struct SpanFields {
    std::size_t count = 0;
    std::size_t trace = no_field;
    std::size_t id = no_field;
    std::size_t parent = no_field;
    std::size_t service = no_field;
    std::size_t operation = no_field;
    std::size_t method = no_field;
    std::size_t start = no_field;
    std::size_t duration = no_field;
    std::size_t status = no_field;
};

Result<SpanFields> find_fields(const CsvCursor& cursor, const ProblemList& problems) {
    const auto& header = cursor.fields();
    SpanFields fields;
    fields.count = header.size();
    fields.trace = find_field(header, {"traceID", "trace_id", "TraceID"});
    fields.id = find_field(header, {"spanID", "span_id", "SpanID"});
    fields.parent = find_field(header, {"parentSpanID", "parent_span_id", "ParentID"});
    fields.service = find_field(header, {"serviceName", "service_name", "service"});
    fields.operation = find_field(header, {"operationName", "operation_name", "operation"});
    fields.method = find_field(header, {"methodName", "method_name", "method"});
    fields.start = find_field(header, {"startTime", "startTimeMillis", "start_time", "time"});
    fields.duration = find_field(header, {"duration"});
    fields.status = find_field(header, {"statusCode", "status_code"});
    struct Needed {
        std::size_t field;
        std::string_view name;
    };
    for (const auto& [field, name] :
         {Needed{fields.trace, "traceID"}, Needed{fields.service, "serviceName"},
          Needed{fields.start, "startTime"}, Needed{fields.duration, "duration"}})
        if (field == no_field)
            return problems.refuse({cursor.line(), 0},
                                   fmt::format("expected a column \"{}\", found none", name));
    return fields;
}

std::uint64_t hash_id(std::string_view text) {
    if (text.empty()) return 0;
    const std::uint64_t hash = XXH3_64bits(text.data(), text.size());
    return hash == 0 ? 1 : hash;
}

class SpanBuilder {
public:
    SpanBuilder(const SpanFields& fields, ProblemList& problems)
        : fields_(fields), problems_(problems) {}

    Status add(const CsvCursor& cursor);
    SpanTable take() { return std::move(spans_); }

private:
    // Spans of a trace often stand together: remembers the last one.
    std::uint32_t intern_trace(std::string_view text) {
        if (spans_.traces.size() == 0 || spans_.traces[last_trace_] != text)
            last_trace_ = spans_.traces.intern(text);
        return last_trace_;
    }
    Status add_status(std::string_view text, CellPosition at);
    Status unused(std::string_view kind, CellPosition at, std::string_view expected,
                  std::string_view found) {
        return problems_.note(kind, at,
                              fmt::format("expected {}, found {}; the span was not used", expected,
                                          quote_for_message(found)));
    }

    const SpanFields& fields_;
    ProblemList& problems_;
    SpanTable spans_;
    std::uint32_t last_trace_ = 0;
};

Status SpanBuilder::add_status(std::string_view text, CellPosition at) {
    std::int32_t status = SpanTable::no_status;
    const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), status);
    const bool whole = code == std::errc() && rest == text.data() + text.size();
    if (!whole) {
        double value = 0.0;
        const CellKind kind = parse_cell(text, value);
        status = SpanTable::no_status;
        if (kind == CellKind::number && std::abs(value) < 1e6)
            status = static_cast<std::int32_t>(value);
        else if (kind != CellKind::missing)
            CULPRIT_TRY_STATUS(problems_.note(
                "status", at,
                fmt::format("expected a status number, found {}; the span counts as without one",
                            quote_for_message(text))));
    }
    spans_.status.push_back(status);
    return {};
}

Status SpanBuilder::add(const CsvCursor& cursor) {
    const auto& row = cursor.fields();
    const CellPosition line{cursor.line(), 0};
    if (cursor.malformed())
        return problems_.note("quote", line,
                              "expected a closed quote followed by a comma; the span was not used");
    if (row.size() != fields_.count)
        return problems_.note("ragged", line,
                              fmt::format("expected {} fields, found {}; the span was not used",
                                          fields_.count, row.size()));
    const auto text = [&](std::size_t field) {
        return field == no_field ? std::string_view{} : row[field];
    };
    const auto at = [&](std::size_t field) { return CellPosition{cursor.line(), field + 1}; };
    if (text(fields_.trace).empty()) return unused("trace", at(fields_.trace), "a trace id", "");
    if (text(fields_.service).empty())
        return unused("service", at(fields_.service), "a service", "");
    const auto start = parse_time_text(text(fields_.start));
    if (!start) return unused("start", at(fields_.start), "a start time", text(fields_.start));
    const auto duration_us = parse_number(text(fields_.duration));
    if (!duration_us || std::abs(*duration_us) > duration_us_max)
        return unused("duration", at(fields_.duration), "a duration in microseconds",
                      text(fields_.duration));
    CULPRIT_TRY_STATUS(add_status(text(fields_.status), at(fields_.status)));
    spans_.start.push_back(*start);
    spans_.duration.emplace_back(std::llround(*duration_us * 1e3));
    spans_.trace.push_back(intern_trace(text(fields_.trace)));
    spans_.id.push_back(hash_id(text(fields_.id)));
    spans_.parent_id.push_back(hash_id(text(fields_.parent)));
    spans_.service.push_back(spans_.services.intern(text(fields_.service)));
    spans_.operation.push_back(spans_.operations.intern(text(fields_.operation)));
    spans_.method.push_back(spans_.operations.intern(text(fields_.method)));
    return {};
}

}  // namespace

Result<SpanTable> read_span_table(std::string_view bytes, ProblemList& problems) {
    const auto text = as_text(bytes);
    if (!text) return problems.refuse({}, text.error().message);
    CsvCursor cursor(*text);
    if (!cursor.next()) return problems.refuse({}, "expected a header, found an empty file");
    CULPRIT_TRY(const SpanFields fields, find_fields(cursor, problems));
    SpanBuilder builder(fields, problems);
    while (cursor.next()) CULPRIT_TRY_STATUS(builder.add(cursor));
    SpanTable spans = builder.take();
    const std::size_t changed = make_printable(spans.traces, {&spans.trace}) +
                                make_printable(spans.services, {&spans.service}) +
                                make_printable(spans.operations, {&spans.operation, &spans.method});
    if (changed > 0)
        CULPRIT_TRY_STATUS(problems.note(
            "name", {}, "expected printable UTF-8 names, found others; replaced by U+FFFD",
            changed));
    return spans;
}

}  // namespace culprit
