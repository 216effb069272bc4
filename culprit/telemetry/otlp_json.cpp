#include "culprit/telemetry/otlp_json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace culprit {
namespace {

using simdjson::dom::element;

// Fields of an object, absent ones as defaults. simdjson's own lookups throw or need an error code
// each; these two calls are all that OTLP needs.
class Object {
public:
    explicit Object(simdjson::dom::object object) : object_(object) {}

    std::string_view text(std::string_view key) const {
        std::string_view value;
        return object_[key].get(value) == simdjson::SUCCESS ? value : std::string_view{};
    }
    // A number, or a number as text.
    std::optional<double> number(std::string_view key) const {
        element value;
        if (object_[key].get(value) != simdjson::SUCCESS) return {};
        double number = 0;
        if (value.get(number) == simdjson::SUCCESS) return number;
        std::string_view digits;
        if (value.get(digits) != simdjson::SUCCESS) return {};
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error == std::errc{} && end == digits.data() + digits.size()) return number;
        if (digits == "NaN") return std::nan("");
        if (digits == "Infinity") return HUGE_VAL;
        if (digits == "-Infinity") return -HUGE_VAL;
        return {};
    }
    std::int64_t integer(std::string_view key) const {
        element value;
        if (object_[key].get(value) != simdjson::SUCCESS) return 0;
        std::int64_t number = 0;
        if (value.get(number) == simdjson::SUCCESS) return number;
        std::string_view digits;
        if (value.get(digits) != simdjson::SUCCESS) return 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
        return number;
    }
    bool boolean(std::string_view key) const {
        bool value = false;
        return object_[key].get(value) == simdjson::SUCCESS && value;
    }
    std::optional<Object> object(std::string_view key) const {
        simdjson::dom::object value;
        if (object_[key].get(value) != simdjson::SUCCESS) return {};
        return Object(value);
    }
    std::optional<simdjson::dom::array> array(std::string_view key) const {
        simdjson::dom::array value;
        if (object_[key].get(value) != simdjson::SUCCESS) return {};
        return value;
    }
    // Calls `body` for every object in the array `key`; other elements are malformed.
    template <class Body>
    Status each(std::string_view key, Body body) const {
        const auto elements = array(key);
        if (!elements) return {};
        for (const element entry : *elements) {
            simdjson::dom::object object;
            if (entry.get(object) != simdjson::SUCCESS)
                return fail(ErrorCode::malformed_data,
                            fmt::format("expected objects in \"{}\"", key));
            CULPRIT_TRY_STATUS(body(Object(object)));
        }
        return {};
    }

private:
    simdjson::dom::object object_;
};

std::string any_value(const Object& value) {
    if (const auto text = value.text("stringValue"); !text.empty()) return std::string(text);
    if (value.boolean("boolValue")) return "true";
    if (const auto number = value.number("intValue")) return fmt::format("{:.0f}", *number);
    if (const auto number = value.number("doubleValue")) return fmt::format("{}", *number);
    return {};
}

// A log body may be a map or a list: kept as the JSON text.
std::string body_text(const Object& record) {
    const auto body = record.object("body");
    if (!body) return std::string(record.text("body"));
    for (const char* key : {"kvlistValue", "arrayValue"})
        if (const auto nested = body->object(key)) {
            std::string text;
            auto append = [&text](const Object& entry) -> Status {
                if (!text.empty()) text += ' ';
                const auto value = entry.object("value");
                const auto name = entry.text("key");
                text += name.empty() ? any_value(entry)
                                     : fmt::format("{}={}", name, value ? any_value(*value) : "");
                return {};
            };
            if (!nested->each("values", append)) return {};
            return text;
        }
    return any_value(*body);
}

Labels attributes_of(const Object& owner) {
    Labels labels;
    auto take = [&labels](const Object& entry) -> Status {
        const auto value = entry.object("value");
        if (value && labels.size() < 128)
            labels[std::string(entry.text("key"))] = any_value(*value);
        return {};
    };
    if (!owner.each("attributes", take)) labels.clear();
    return labels;
}

Labels resource_of(const Object& batch) {
    const auto resource = batch.object("resource");
    return resource ? attributes_of(*resource) : Labels{};
}

// Hexadecimal as it is, base64 as hexadecimal.
std::string hex_id(std::string_view text) {
    const bool is_hex = text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    if (is_hex && (text.size() == 16 || text.size() == 32 || text.empty())) {
        std::string lower(text);
        for (char& c : lower)
            if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
        return lower;
    }
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string hex;
    std::uint32_t bits = 0;
    int num_bits = 0;
    for (const char c : text) {
        const auto value = digits.find(c);
        if (value == std::string_view::npos) break;
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        num_bits += 6;
        if (num_bits >= 8) {
            num_bits -= 8;
            hex += fmt::format("{:02x}", (bits >> static_cast<unsigned>(num_bits)) & 255U);
        }
    }
    return hex;
}

std::string span_kind(std::int64_t kind) {
    static constexpr const char* names[] = {"",       "internal", "server",
                                            "client", "producer", "consumer"};
    return kind >= 1 && kind <= 5 ? names[kind] : "";
}

std::int32_t status_of(const Object& span, const Labels& attributes) {
    for (const char* key :
         {"http.response.status_code", "http.status_code", "rpc.grpc.status_code"}) {
        const auto found = attributes.find(key);
        if (found == attributes.end()) continue;
        std::int32_t status = 0;
        const std::string& text = found->second;
        if (std::from_chars(text.data(), text.data() + text.size(), status).ec == std::errc{}) {
            if (std::string_view(key) == "rpc.grpc.status_code") return status == 0 ? 200 : 500;
            return status;
        }
    }
    const auto status = span.object("status");
    const bool is_error =
        status && (status->integer("code") == 2 || status->text("code") == "STATUS_CODE_ERROR");
    return is_error ? 500 : 200;
}

Status decode_span(const Object& span, const std::string& service, TelemetrySink& sink) {
    const Labels attributes = attributes_of(span);
    SpanRecord record;
    record.trace_id = hex_id(span.text("traceId"));
    record.span_id = hex_id(span.text("spanId"));
    record.parent_id = hex_id(span.text("parentSpanId"));
    record.service = service;
    record.operation = span.text("name");
    for (const char* key : {"http.route", "url.path", "rpc.method"})
        if (const auto found = attributes.find(key); found != attributes.end()) {
            record.method = found->second;
            break;
        }
    record.kind = span_kind(span.integer("kind"));
    record.start_ns = span.integer("startTimeUnixNano");
    const std::int64_t end_ns = span.integer("endTimeUnixNano");
    if (record.start_ns <= 0 || end_ns < record.start_ns)
        return fail(ErrorCode::malformed_data,
                    fmt::format("span \"{}\": expected a start before its end", record.operation));
    record.duration_ns = end_ns - record.start_ns;
    record.status = status_of(span, attributes);
    sink.on_span(std::move(record));
    return {};
}

Status decode_log(const Object& log, const std::string& source, TelemetrySink& sink) {
    LogRecord record;
    record.time_ns = log.integer("timeUnixNano");
    if (record.time_ns <= 0) record.time_ns = log.integer("observedTimeUnixNano");
    if (record.time_ns <= 0) return fail(ErrorCode::malformed_data, "a log record has no time");
    record.source = source;
    record.text = body_text(log);
    sink.on_log(std::move(record));
    return {};
}

class MetricDecoder {
public:
    MetricDecoder(const Object& metric, const Labels& resource, TelemetrySink& sink)
        : name_(metric.text("name")),
          unit_(metric.text("unit")),
          resource_(resource),
          sink_(sink) {}

    Status decode(const Object& metric) {
        if (const auto gauge = metric.object("gauge"))
            return gauge->each("dataPoints", [&](const Object& point) {
                return number(point, "gauge", PointKind::gauge);
            });
        if (const auto sum = metric.object("sum")) {
            const bool monotonic = sum->boolean("isMonotonic");
            const PointKind kind = !monotonic ? PointKind::gauge
                                   : sum->integer("aggregationTemporality") == 1
                                       ? PointKind::delta_sum
                                       : PointKind::cumulative_sum;
            return sum->each("dataPoints", [&](const Object& point) {
                return number(point, monotonic ? "counter" : "gauge", kind);
            });
        }
        for (const char* key : {"histogram", "exponentialHistogram", "summary"})
            if (const auto histogram = metric.object(key)) {
                const PointKind kind = histogram->integer("aggregationTemporality") == 1
                                           ? PointKind::delta_sum
                                           : PointKind::cumulative_sum;
                return histogram->each(
                    "dataPoints", [&](const Object& point) { return distribution(point, kind); });
            }
        return {};
    }

private:
    MetricPoint start(const Object& point, std::string name, std::string type, PointKind kind) {
        MetricPoint out;
        out.name = std::move(name);
        out.labels = resource_;
        for (auto& [label, value] : attributes_of(point)) out.labels[label] = value;
        out.type = std::move(type);
        out.unit = unit_;
        out.kind = kind;
        out.time_ns = point.integer("timeUnixNano");
        return out;
    }
    // A point may say that there is no value: the collector's staleness mark.
    static bool is_without_value(const Object& point) { return (point.integer("flags") & 1) != 0; }

    Status number(const Object& point, std::string type, PointKind kind) {
        if (is_without_value(point)) return {};
        MetricPoint out = start(point, name_, std::move(type), kind);
        const auto as_double = point.number("asDouble");
        const auto value = as_double ? as_double : point.number("asInt");
        if (!value || out.time_ns <= 0)
            return fail(ErrorCode::malformed_data,
                        fmt::format("metric \"{}\": a point lacks its value or time", name_));
        out.value = *value;
        sink_.on_point(std::move(out));
        return {};
    }
    Status distribution(const Object& point, PointKind kind) {
        if (is_without_value(point)) return {};
        MetricPoint base = start(point, name_, "histogram", kind);
        if (base.time_ns <= 0)
            return fail(ErrorCode::malformed_data,
                        fmt::format("metric \"{}\": a point lacks its time", name_));
        const auto emit = [&](const char* suffix, double value, std::string bound = {}) {
            MetricPoint part = base;
            part.name += suffix;
            part.value = value;
            if (!bound.empty()) part.labels["le"] = std::move(bound);
            sink_.on_point(std::move(part));
        };
        if (const auto sum = point.number("sum")) emit("_sum", *sum);
        if (const auto count = point.number("count")) emit("_count", *count);
        const auto counts = numbers(point, "bucketCounts");
        const auto bounds = numbers(point, "explicitBounds");
        if (counts.empty()) return {};
        if (counts.size() != bounds.size() + 1)
            return fail(ErrorCode::malformed_data,
                        fmt::format("metric \"{}\": {} buckets do not fit {} bounds", name_,
                                    counts.size(), bounds.size()));
        double cumulative = 0;
        for (std::size_t b = 0; b < counts.size(); ++b) {
            cumulative += counts[b];
            emit("_bucket", cumulative, b < bounds.size() ? fmt::format("{}", bounds[b]) : "+Inf");
        }
        return {};
    }
    static std::vector<double> numbers(const Object& point, std::string_view key) {
        std::vector<double> out;
        const auto elements = point.array(key);
        if (!elements) return out;
        for (const element entry : *elements) {
            double number = 0;
            std::string_view digits;
            if (entry.get(number) != simdjson::SUCCESS && entry.get(digits) == simdjson::SUCCESS)
                std::from_chars(digits.data(), digits.data() + digits.size(), number);
            out.push_back(number);
        }
        return out;
    }

    std::string name_;
    std::string unit_;
    const Labels& resource_;
    TelemetrySink& sink_;
};

// Both spellings of the level between resource and record.
template <class Body>
Status each_scope(const Object& batch, std::string_view scopes, std::string_view old_scopes,
                  Body body) {
    CULPRIT_TRY_STATUS(batch.each(scopes, body));
    return batch.each(old_scopes, body);
}

Status decode_batches(const Object& message, TelemetrySink& sink) {
    const auto spans = [&](const Object& batch) {
        const std::string service = [&] {
            const Labels resource = resource_of(batch);
            const auto named = resource.find("service.name");
            return named != resource.end() && !named->second.empty() ? named->second
                                                                     : source_of_resource(resource);
        }();
        return each_scope(
            batch, "scopeSpans", "instrumentationLibrarySpans", [&](const Object& scope) {
                return scope.each(
                    "spans", [&](const Object& span) { return decode_span(span, service, sink); });
            });
    };
    CULPRIT_TRY_STATUS(message.each("resourceSpans", spans));
    CULPRIT_TRY_STATUS(message.each("batches", spans));
    CULPRIT_TRY_STATUS(message.each("resourceLogs", [&](const Object& batch) {
        const std::string source = source_of_resource(resource_of(batch));
        return each_scope(
            batch, "scopeLogs", "instrumentationLibraryLogs", [&](const Object& scope) {
                return scope.each("logRecords",
                                  [&](const Object& log) { return decode_log(log, source, sink); });
            });
    }));
    return message.each("resourceMetrics", [&](const Object& batch) {
        const Labels resource = resource_of(batch);
        return each_scope(batch, "scopeMetrics", "instrumentationLibraryMetrics",
                          [&](const Object& scope) {
                              return scope.each("metrics", [&](const Object& metric) {
                                  return MetricDecoder(metric, resource, sink).decode(metric);
                              });
                          });
    });
}

}  // namespace

Status decode_otlp_json(std::string_view json, TelemetrySink& sink) {
    thread_local simdjson::dom::parser parser;
    element root;
    if (const auto error = parser.parse(json.empty() ? "" : json.data(), json.size()).get(root);
        error != simdjson::SUCCESS)
        return fail(ErrorCode::malformed_data,
                    fmt::format("expected OTLP JSON: {}", simdjson::error_message(error)));
    simdjson::dom::object message;
    if (root.get(message) != simdjson::SUCCESS)
        return fail(ErrorCode::malformed_data, "expected an OTLP object");
    const Object object(message);
    if (const auto trace = object.object("trace")) CULPRIT_TRY_STATUS(decode_batches(*trace, sink));
    return decode_batches(object, sink);
}

}  // namespace culprit
