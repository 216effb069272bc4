#include "culprit/telemetry/span_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace culprit {
namespace {

constexpr std::uint64_t fnv_offset = 0xcbf29ce484222325U;

// FNV-1a (Fowler, Noll, Vo).
std::uint64_t hash_of(std::string_view text, std::uint64_t hash) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

// Big-endian; up to eight bytes.
std::uint64_t number_of(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
    return value;
}

std::uint64_t id_of_bytes(std::string_view bytes) {
    return bytes.size() <= 8 ? number_of(bytes) : hash_of(bytes, fnv_offset);
}

bool read_hexadecimal(std::string_view text, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return error == std::errc{} && end == text.data() + text.size();
}

std::uint64_t id_of_text(std::string_view text) {
    std::uint64_t value = 0;
    if (text.empty()) return 0;
    return text.size() <= 16 && read_hexadecimal(text, value) ? value : hash_of(text, fnv_offset);
}

std::array<std::uint64_t, 2> trace_of_text(std::string_view text) {
    const std::size_t low_begin = text.size() > 16 ? text.size() - 16 : 0;
    std::array<std::uint64_t, 2> trace{};
    const bool is_number =
        text.size() <= 32 &&
        (low_begin == 0 || read_hexadecimal(text.substr(0, low_begin), trace[0])) &&
        read_hexadecimal(text.substr(low_begin), trace[1]);
    if (is_number) return trace;
    return {hash_of(text, fnv_offset), hash_of(text, ~fnv_offset)};
}

std::array<std::uint64_t, 2> trace_of_bytes(std::string_view bytes) {
    if (bytes.size() > 16) return {hash_of(bytes, fnv_offset), hash_of(bytes, ~fnv_offset)};
    const std::size_t low_begin = bytes.size() > 8 ? bytes.size() - 8 : 0;
    return {number_of(bytes.substr(0, low_begin)), number_of(bytes.substr(low_begin))};
}

}  // namespace

template <class Span>
void SpanStore::keep(const Span& span, std::array<std::uint64_t, 2> trace, std::uint64_t id,
                     std::uint64_t parent) {
    spans_.push_back({.trace = trace,
                      .id = id,
                      .parent = parent,
                      .start_ns = span.start_ns,
                      .duration_ns = span.duration_ns,
                      .service = names_.intern(span.service),
                      .operation = names_.intern(span.operation),
                      .method = names_.intern(span.method),
                      .status = span.status,
                      .kind = names_.intern(span.kind),
                      .has_trace = !span.trace_id.empty()});
}

void SpanStore::add(const SpanView& span) {
    keep(span, trace_of_bytes(span.trace_id), id_of_bytes(span.span_id),
         id_of_bytes(span.parent_id));
}

void SpanStore::add(const SpanRecord& span) {
    keep(span, trace_of_text(span.trace_id), id_of_text(span.span_id), id_of_text(span.parent_id));
}

void SpanStore::append(const SpanStore& other) {
    std::vector<std::uint32_t> here(other.names_.size());
    for (std::uint32_t i = 0; i < here.size(); ++i) here[i] = names_.intern(other.names_[i]);
    for (Stored span : other.spans_) {
        for (std::uint32_t* name : {&span.service, &span.operation, &span.method, &span.kind})
            *name = here[*name];
        spans_.push_back(span);
    }
}

SpanRecord SpanStore::record(std::size_t index) const {
    const Stored& span = spans_[index];
    const auto id_text = [](std::uint64_t id) {
        return id == 0 ? std::string() : fmt::format("{:016x}", id);
    };
    return {.trace_id = span.has_trace ? fmt::format("{:016x}{:016x}", span.trace[0], span.trace[1])
                                       : std::string(),
            .span_id = id_text(span.id),
            .parent_id = id_text(span.parent),
            .service = std::string(names_[span.service]),
            .operation = std::string(names_[span.operation]),
            .method = std::string(names_[span.method]),
            .kind = std::string(names_[span.kind]),
            .start_ns = span.start_ns,
            .duration_ns = span.duration_ns,
            .status = span.status};
}

void SpanStore::drop_before(std::int64_t begin_ns) {
    const std::size_t num_dropped =
        std::erase_if(spans_, [&](const Stored& span) { return span.start_ns < begin_ns; });
    // Names that come and go (an operation per user) must not pile up.
    if (num_dropped == 0 || names_.size() <= 1024) return;
    SpanStore kept;
    kept.spans_.reserve(spans_.size());
    constexpr auto unset = ~std::uint32_t{0};
    std::vector<std::uint32_t> there(names_.size(), unset);
    for (Stored span : spans_) {
        for (std::uint32_t* name : {&span.service, &span.operation, &span.method, &span.kind}) {
            if (there[*name] == unset) there[*name] = kept.names_.intern(names_[*name]);
            *name = there[*name];
        }
        kept.spans_.push_back(span);
    }
    *this = std::move(kept);
}

}  // namespace culprit
