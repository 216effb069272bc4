#include <fmt/format.h>

#include <charconv>

#include "culprit/telemetry/wire_decoder.h"
#include "culprit/telemetry/wire_fields.h"

// OTLP traces straight from the bytes: of a span's fields and attributes few are kept, and most of
// a decoder's time would go into building the others. Field numbers of opentelemetry-proto 1.x,
// trace/v1/trace.proto, common/v1/common.proto and resource/v1/resource.proto.

namespace culprit {
namespace {

struct Attribute {
    std::string_view key;
    std::string_view text;  ///< of a string value
    std::int64_t number = 0;
    bool is_number = false;
};

bool read_attribute(std::string_view bytes, Attribute& attribute) {
    WireFields fields(bytes);
    while (fields.next()) {
        if (fields.is_bytes(1)) attribute.key = fields.bytes();
        if (!fields.is_bytes(2)) continue;
        WireFields value(fields.bytes());
        while (value.next()) {
            if (value.is_bytes(1)) attribute.text = value.bytes();
            if (value.is_varint(3)) {
                attribute.number = static_cast<std::int64_t>(value.number());
                attribute.is_number = true;
            }
        }
        if (!value.ok()) return false;
    }
    return fields.ok();
}

std::int64_t number_of(const Attribute& attribute, std::int64_t otherwise) {
    if (attribute.is_number) return attribute.number;
    std::int64_t value = otherwise;
    std::from_chars(attribute.text.data(), attribute.text.data() + attribute.text.size(), value);
    return value;
}

void take_attribute(const Attribute& attribute, SpanView& span) {
    const std::string_view key = attribute.key;
    // Most keys are none of these: the first letters tell.
    if (key.size() < 8 || (key[0] != 'h' && key[0] != 'u' && key[0] != 'r')) return;
    if (key == "http.route" || (span.method.empty() && (key == "url.path" || key == "rpc.method")))
        span.method = attribute.text;
    else if (key == "http.response.status_code" || key == "http.status_code")
        span.status = static_cast<std::int32_t>(number_of(attribute, span.status));
    else if (key == "rpc.grpc.status_code")
        span.status = number_of(attribute, -1) == 0 ? 200 : 500;
}

std::string_view kind_name(std::uint64_t kind) {
    static constexpr std::string_view names[] = {"",       "internal", "server",
                                                 "client", "producer", "consumer"};
    return kind <= 5 ? names[kind] : "";
}

class TraceDecoder {
public:
    explicit TraceDecoder(TelemetrySink& sink) : sink_(sink) {}

    bool message(std::string_view bytes) {
        WireFields fields(bytes);
        while (fields.next())
            if (fields.is_bytes(1) && !resource_spans(fields.bytes())) return false;
        return fields.ok();
    }

private:
    // The resource may come after its spans, so that it is looked for first.
    bool resource_spans(std::string_view bytes) {
        service_.clear();
        WireFields first(bytes);
        while (first.next())
            if (first.is_bytes(1) && !resource(first.bytes())) return false;
        if (!first.ok()) return false;
        if (service_.empty()) service_ = "unknown";
        WireFields second(bytes);
        while (second.next())
            if (second.is_bytes(2) && !scope(second.bytes())) return false;
        return true;
    }
    bool resource(std::string_view bytes) {
        Labels labels;
        WireFields fields(bytes);
        while (fields.next()) {
            if (!fields.is_bytes(1)) continue;
            Attribute attribute;
            if (!read_attribute(fields.bytes(), attribute)) return false;
            if (attribute.key == "service.name" && !attribute.text.empty())
                service_ = attribute.text;
            else if (labels.size() < 128)
                labels.emplace(attribute.key, attribute.text);
        }
        if (service_.empty() && fields.ok()) service_ = source_of_resource(labels);
        return fields.ok();
    }
    bool scope(std::string_view bytes) {
        WireFields fields(bytes);
        while (fields.next())
            if (fields.is_bytes(2) && !span(fields.bytes())) return false;
        return fields.ok();
    }
    bool span(std::string_view bytes) {
        SpanView span{.service = service_};
        std::uint64_t start = 0;
        std::uint64_t end = 0;
        bool has_failed = false;
        std::int32_t http_status = -1;
        WireFields fields(bytes);
        while (fields.next()) {
            switch (fields.field()) {
                case 1:
                    span.trace_id = fields.bytes();
                    continue;
                case 2:
                    span.span_id = fields.bytes();
                    continue;
                case 4:
                    span.parent_id = fields.bytes();
                    continue;
                case 5:
                    span.operation = fields.bytes();
                    continue;
                case 9: {
                    Attribute attribute;
                    if (!read_attribute(fields.bytes(), attribute)) return false;
                    span.status = http_status;
                    take_attribute(attribute, span);
                    http_status = span.status;
                    continue;
                }
                case 15:
                    if (!status(fields.bytes(), has_failed)) return false;
                    continue;
                default:
                    break;
            }
            if (fields.is_varint(6)) span.kind = kind_name(fields.number());
            if (fields.is_fixed64(7)) start = fields.number();
            if (fields.is_fixed64(8)) end = fields.number();
        }
        if (!fields.ok()) return false;
        span.status = http_status >= 0 ? http_status : has_failed ? 500 : 200;
        if (start == 0 || end < start || end > INT64_MAX) return true;
        span.start_ns = static_cast<std::int64_t>(start);
        span.duration_ns = static_cast<std::int64_t>(end - start);
        sink_.on_span_view(span);
        return true;
    }
    static bool status(std::string_view bytes, bool& has_failed) {
        WireFields fields(bytes);
        while (fields.next())
            if (fields.is_varint(3)) has_failed = fields.number() == 2;
        return fields.ok();
    }

    TelemetrySink& sink_;
    std::string service_;
};

// The first message of that number inside the message.
std::string_view first_inside(std::string_view message, std::uint32_t field) {
    WireFields fields(message);
    while (fields.next())
        if (fields.is_bytes(field)) return fields.bytes();
    return {};
}

}  // namespace

Status decode_otlp(std::string_view bytes, TelemetrySink& sink) {
    // Batches, and scopes inside them, may be empty: the first with a record decides.
    WireFields batches(bytes);
    while (batches.next()) {
        WireFields scopes(batches.bytes());
        while (batches.is_bytes(1) && scopes.next()) {
            if (!scopes.is_bytes(2)) continue;
            WireFields record(first_inside(scopes.bytes(), 2));
            bool is_metric = false;
            while (record.next()) {
                if (record.is_fixed64(7) || record.is_fixed64(8))
                    return decode_otlp_traces(bytes, sink);
                if (record.is_fixed64(1) || record.is_fixed64(11))
                    return decode_otlp_logs(bytes, sink);
                is_metric |= record.field() != 0;
            }
            if (is_metric) return decode_otlp_metrics(bytes, sink);
        }
    }
    return decode_otlp_traces(bytes, sink);
}

Status decode_otlp_traces(std::string_view bytes, TelemetrySink& sink) {
    if (TraceDecoder(sink).message(bytes)) return {};
    return fail(
        ErrorCode::malformed_data,
        fmt::format("expected OTLP traces in protobuf, found {} other bytes", bytes.size()));
}

}  // namespace culprit
