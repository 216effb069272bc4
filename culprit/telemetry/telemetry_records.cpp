#include "culprit/telemetry/telemetry_records.h"

#include <charconv>

namespace culprit {
namespace {

std::uint64_t id_of(std::string_view text) {
    if (text.empty()) return 0;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error == std::errc{} && end == text.data() + text.size() && text.size() <= 16) return value;
    // FNV-1a (Fowler, Noll, Vo).
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

std::string hexadecimal(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

}  // namespace

void TelemetrySink::on_span_view(const SpanView& span) {
    on_span({.trace_id = hexadecimal(span.trace_id),
             .span_id = hexadecimal(span.span_id),
             .parent_id = hexadecimal(span.parent_id),
             .service = std::string(span.service),
             .operation = std::string(span.operation),
             .method = std::string(span.method),
             .kind = std::string(span.kind),
             .start_ns = span.start_ns,
             .duration_ns = span.duration_ns,
             .status = span.status});
}

void add_span(const SpanRecord& span, SpanTable& table) {
    // Whole microseconds, as case folders have them: a saved case is the same case.
    table.start.push_back(time_from_ns(span.start_ns / 1000 * 1000));
    table.duration.push_back(Duration(span.duration_ns / 1000 * 1000));
    table.trace.push_back(table.traces.intern(span.trace_id));
    table.id.push_back(id_of(span.span_id));
    table.parent_id.push_back(id_of(span.parent_id));
    table.service.push_back(table.services.intern(span.service));
    table.operation.push_back(table.operations.intern(span.operation));
    table.method.push_back(table.operations.intern(span.method));
    table.status.push_back(span.status);
}

std::string source_of_resource(const Labels& attributes) {
    const Labels known = Catalogue::builtin().canonical_labels(attributes);
    for (const char* label : {"pod", "container", "service", "deployment", "application", "job",
                              "host", "instance", "filename"}) {
        const auto found = known.find(label);
        if (found != known.end() && !found->second.empty()) return found->second;
    }
    return "unknown";
}

}  // namespace culprit
