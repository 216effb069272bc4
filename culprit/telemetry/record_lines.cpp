#include "culprit/telemetry/record_lines.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>
#include <iterator>
#include <limits>

namespace culprit {
namespace {

void append_text(std::string_view text, std::string& out) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

// Invalid UTF-8 would make the whole line unreadable: each bad byte becomes "?".
std::string valid_utf8(std::string_view text) {
    if (simdjson::validate_utf8(text.data(), text.size())) return std::string(text);
    std::string out(text);
    for (char& c : out)
        if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    return out;
}

}  // namespace

void append_line(const SpanRecord& span, std::string& out) {
    out += "[\"s\"";
    for (const std::string* text : {&span.trace_id, &span.span_id, &span.parent_id, &span.service,
                                    &span.operation, &span.method, &span.kind}) {
        out += ',';
        append_text(valid_utf8(*text), out);
    }
    fmt::format_to(std::back_inserter(out), ",{},{},{}]\n", span.start_ns, span.duration_ns,
                   span.status);
}

void append_line(const LogRecord& record, std::string& out) {
    fmt::format_to(std::back_inserter(out), "[\"l\",{},", record.time_ns);
    append_text(valid_utf8(record.source), out);
    out += ',';
    append_text(valid_utf8(record.text), out);
    out += "]\n";
}

void append_line(const MetricPoint& point, std::string& out) {
    out += "[\"p\",";
    append_text(valid_utf8(point.name), out);
    out += ",{";
    bool is_first = true;
    for (const auto& [label, value] : point.labels) {
        if (!is_first) out += ',';
        is_first = false;
        append_text(valid_utf8(label), out);
        out += ':';
        append_text(valid_utf8(value), out);
    }
    out += "},";
    append_text(point.type, out);
    out += ',';
    append_text(valid_utf8(point.unit), out);
    fmt::format_to(std::back_inserter(out), ",{},{},", static_cast<int>(point.kind), point.time_ns);
    if (std::isfinite(point.value))
        fmt::format_to(std::back_inserter(out), "{}]\n", point.value);
    else
        out += std::isnan(point.value) ? "\"NaN\"]\n"
               : point.value > 0       ? "\"+Inf\"]\n"
                                       : "\"-Inf\"]\n";
}

Status read_line(std::string_view line, TelemetrySink& sink) {
    thread_local simdjson::dom::parser parser;
    const auto bad = [&] {
        return fail(ErrorCode::malformed_data,
                    fmt::format("expected a telemetry record, found \"{}\"", line.substr(0, 60)));
    };
    simdjson::dom::array fields;
    if (parser.parse(line.empty() ? "" : line.data(), line.size()).get(fields) != simdjson::SUCCESS)
        return bad();
    const auto text = [&](std::size_t i) {
        std::string_view value;
        return fields.at(i).get(value) == simdjson::SUCCESS ? std::string(value) : std::string{};
    };
    const auto integer = [&](std::size_t i) {
        std::int64_t value = 0;
        return fields.at(i).get(value) == simdjson::SUCCESS ? value : 0;
    };
    const std::string kind = text(0);
    if (kind == "s" && fields.size() == 11) {
        if (integer(8) < 0 || integer(9) < 0 || integer(9) > INT64_MAX - integer(8)) return bad();
        sink.on_span({.trace_id = text(1),
                      .span_id = text(2),
                      .parent_id = text(3),
                      .service = text(4),
                      .operation = text(5),
                      .method = text(6),
                      .kind = text(7),
                      .start_ns = integer(8),
                      .duration_ns = integer(9),
                      .status = static_cast<std::int32_t>(integer(10))});
        return {};
    }
    if (kind == "l" && fields.size() == 4) {
        sink.on_log({.time_ns = integer(1), .source = text(2), .text = text(3)});
        return {};
    }
    if (kind != "p" || fields.size() != 8) return bad();
    simdjson::dom::object labels;
    if (fields.at(2).get(labels) != simdjson::SUCCESS) return bad();
    MetricPoint point{.name = text(1), .type = text(3), .unit = text(4)};
    for (const auto& [label, value] : labels) {
        std::string_view content;
        if (value.get(content) == simdjson::SUCCESS) point.labels.emplace(label, content);
    }
    const std::int64_t number = integer(5);
    if (number < 0 || number > static_cast<int>(PointKind::delta_sum)) return bad();
    point.kind = static_cast<PointKind>(number);
    point.time_ns = integer(6);
    if (fields.at(7).get(point.value) != simdjson::SUCCESS) {
        const std::string special = text(7);
        point.value = special == "NaN"    ? std::numeric_limits<double>::quiet_NaN()
                      : special == "+Inf" ? std::numeric_limits<double>::infinity()
                                          : -std::numeric_limits<double>::infinity();
    }
    sink.on_point(std::move(point));
    return {};
}

}  // namespace culprit
