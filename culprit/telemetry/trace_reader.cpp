#include "culprit/telemetry/trace_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "culprit/base/stopwatch.h"
#include "culprit/telemetry/json_elements.h"
#include "culprit/telemetry/json_fields.h"
#include "culprit/telemetry/otlp_json.h"

namespace culprit {
namespace {

using nlohmann::json;

class SpanSink final : public TelemetrySink {
public:
    SpanSink(SpanTable& table, SourceReport& report) : table_(table), report_(report) {}
    void on_span(SpanRecord span) override {
        add_span(span, table_);
        ++report_.num_items;
    }
    void on_log(LogRecord) override {}
    void on_point(MetricPoint) override {}

private:
    SpanTable& table_;
    SourceReport& report_;
};

struct Found {
    bool is_full = false;  // as many as asked for: there may be more
};

using Search = std::function<Result<Found>(TimeRange piece, std::uint64_t limit)>;

// Calls `search` over halves of the range until no answer is full; a shortest piece that still is
// gets larger limits.
Status search_all(const TraceRequest& request, Duration shortest, SourceReport& report,
                  const Search& search) {
    std::vector<TimeRange> open = {request.range};
    while (!open.empty()) {
        const TimeRange piece = open.back();
        open.pop_back();
        std::uint64_t limit = request.page_traces;
        CULPRIT_TRY(Found found, search(piece, limit));
        if (!found.is_full) continue;
        if (piece.length() <= shortest) {
            while (found.is_full && limit < request.traces_max) {
                limit = std::min(10 * limit, request.traces_max);
                const auto more = search(piece, limit);
                if (!more) break;
                found = *more;
            }
            if (found.is_full)
                report.add_missing(fmt::format("some traces at {}: more than one search returns",
                                               format_rfc3339(piece.begin)));
            continue;
        }
        const Duration half = piece.length() / 2 / shortest * shortest;
        const TimePoint middle = piece.begin + std::max(half, shortest);
        open.push_back({middle, piece.end});
        open.push_back({piece.begin, middle});
    }
    return {};
}

Status tempo(const HttpClient& client, const TraceRequest& request, SpanTable& spans,
             SourceReport& report, const Stop& stop) {
    std::set<std::string> ids;
    const auto search = [&](TimeRange piece, std::uint64_t limit) -> Result<Found> {
        const auto seconds = [](TimePoint t, std::int64_t round_ns) {
            return std::to_string((to_ns(t) + round_ns) / 1'000'000'000);
        };
        CULPRIT_TRY(const auto body, client.get("/api/search",
                                                {{"q", request.query},
                                                 {"start", seconds(piece.begin, 0)},
                                                 {"end", seconds(piece.end, 999'999'999)},
                                                 {"limit", std::to_string(limit)}},
                                                stop));
        const json parsed = json::parse(body, nullptr, false);
        if (!parsed.is_object()) return fail(ErrorCode::malformed_data, "search is no JSON object");
        std::uint64_t num_found = 0;
        for (const json& trace : array_field(parsed, "traces")) {
            if (!trace.is_object()) continue;
            ++num_found;
            ids.insert(text_field(trace, "traceID"));
        }
        return Found{.is_full = num_found >= limit};
    };
    CULPRIT_TRY_STATUS(search_all(request, std::chrono::seconds(1), report, search));
    SpanSink sink(spans, report);
    for (const std::string& id : ids) {
        if (report.num_asked >= request.traces_max) {
            report.add_missing(fmt::format("{} of {} traces: the limit is {}",
                                           ids.size() - report.num_asked, ids.size(),
                                           request.traces_max));
            break;
        }
        ++report.num_asked;
        auto body = client.get("/api/traces/" + percent_encode(id), {}, stop);
        const auto decoded = body ? decode_otlp_json(*body, sink)
                                  : Status(tl::unexpected<Error>(std::move(body).error()));
        if (!decoded) report.add_missing(fmt::format("trace {}: {}", id, decoded.error().message));
        CULPRIT_TRY_STATUS(stop.check());
    }
    return {};
}

Result<std::vector<std::string>> jaeger_services(const HttpClient& client, const Stop& stop) {
    CULPRIT_TRY(const auto body, client.get("/api/services", {}, stop));
    const json parsed = json::parse(body, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("data"))
        return fail(ErrorCode::malformed_data, "expected Jaeger's list of services");
    std::vector<std::string> services;
    if (parsed["data"].is_array())
        for (const json& name : parsed["data"])
            if (name.is_string()) services.push_back(name.get<std::string>());
    std::ranges::sort(services);
    return services;
}

Status jaeger(const HttpClient& client, const TraceRequest& request, SpanTable& spans,
              SourceReport& report, const Stop& stop) {
    std::vector<std::string> services = request.services;
    if (services.empty()) {
        CULPRIT_TRY(services, jaeger_services(client, stop));
    }
    std::set<std::string> seen;
    SpanSink sink(spans, report);
    for (const std::string& service : services) {
        const auto search = [&](TimeRange piece, std::uint64_t limit) -> Result<Found> {
            std::uint64_t num_found = 0;
            // A body is small enough to be decoded whole, so that a repeated attempt adds nothing.
            std::vector<std::string> bodies;
            JsonElements elements(
                "data",
                [&](std::string_view element) -> Status {
                    bodies.emplace_back(element);
                    return {};
                },
                [&] { bodies.clear(); });
            CULPRIT_TRY_STATUS(
                client.stream("/api/traces",
                              {{"service", service},
                               {"start", std::to_string(to_ns(piece.begin) / 1000)},
                               {"end", std::to_string((to_ns(piece.end) + 999) / 1000)},
                               {"limit", std::to_string(limit)}},
                              elements, stop));
            CULPRIT_TRY_STATUS(elements.finish());
            num_found = bodies.size();
            if (num_found >= limit && piece.length() > std::chrono::milliseconds(1))
                return Found{.is_full = true};
            for (const std::string& body : bodies) {
                const json parsed = json::parse(body, nullptr, false);
                const std::string id =
                    parsed.is_object() ? text_field(parsed, "traceID") : std::string{};
                if (!seen.insert(id).second) continue;
                ++report.num_asked;
                if (auto decoded = decode_jaeger_trace(body, sink); !decoded)
                    report.add_missing(fmt::format("trace {}: {}", id, decoded.error().message));
            }
            return Found{.is_full = num_found >= limit};
        };
        auto status = search_all(request, std::chrono::milliseconds(1), report, search);
        if (!status) report.add_missing(service + ": " + status.error().message);
        CULPRIT_TRY_STATUS(stop.check());
        if (seen.size() >= request.traces_max) {
            report.add_missing(
                fmt::format("the limit of {} traces is reached", request.traces_max));
            return {};
        }
    }
    return {};
}

using Collect = Status (*)(const HttpClient&, const TraceRequest&, SpanTable&, SourceReport&,
                           const Stop&);

SourceReport run(const char* kind, Collect collect, const HttpClient& client,
                 const TraceRequest& request, SpanTable& spans, const Stop& stop) {
    SourceReport report{.kind = kind};
    const Stopwatch stopwatch;
    auto status = collect(client, request, spans, report, stop);
    if (!status && report.num_items == 0)
        report.error = std::move(status).error();
    else if (!status)
        report.add_missing("the rest of the traces: " + status.error().message);
    report.seconds = stopwatch.seconds();
    return report;
}

std::string tag_text(const json& span, std::initializer_list<const char*> keys) {
    for (const char* key : keys)
        for (const json& tag : array_field(span, "tags")) {
            if (!tag.is_object() || text_field(tag, "key") != key || !tag.contains("value"))
                continue;
            const json& value = tag["value"];
            if (value.is_string()) return value.get<std::string>();
            return value.is_primitive() ? value.dump() : std::string();
        }
    return {};
}

std::int32_t jaeger_status(const json& span) {
    const std::string http = tag_text(span, {"http.response.status_code", "http.status_code"});
    if (!http.empty() && http.find_first_not_of("0123456789") == std::string::npos &&
        http.size() <= 4)
        return std::stoi(http);
    const std::string error = tag_text(span, {"error", "otel.status_code"});
    return error == "true" || error == "ERROR" ? 500 : 200;
}

}  // namespace

Status decode_jaeger_trace(std::string_view text, TelemetrySink& sink) {
    const json trace = json::parse(text, nullptr, false);
    if (!trace.is_object() || !trace.contains("spans") || !trace["spans"].is_array())
        return fail(ErrorCode::malformed_data, "expected a Jaeger trace with \"spans\"");
    const json processes = object_field(trace, "processes");
    for (const json& span : trace["spans"]) {
        if (!span.is_object() || !span.contains("startTime") || !span["startTime"].is_number())
            return fail(ErrorCode::malformed_data, "expected a span with \"startTime\"");
        SpanRecord record;
        record.trace_id = text_field(span, "traceID");
        record.span_id = text_field(span, "spanID");
        record.operation = text_field(span, "operationName");
        const std::int64_t start_us = integer_field(span, "startTime");
        const std::int64_t duration_us = integer_field(span, "duration");
        // A few centuries: both and their sum stay within 64-bit nanoseconds.
        constexpr std::int64_t us_max = INT64_MAX / 2000;
        if (start_us < 0 || start_us > us_max || duration_us < 0 || duration_us > us_max)
            return fail(ErrorCode::malformed_data,
                        fmt::format("a span from {} us on, {} us long", start_us, duration_us));
        record.start_ns = start_us * 1000;
        record.duration_ns = duration_us * 1000;
        for (const json& reference : array_field(span, "references"))
            if (reference.is_object() && text_field(reference, "refType") == "CHILD_OF")
                record.parent_id = text_field(reference, "spanID");
        const std::string process = text_field(span, "processID");
        if (processes.is_object() && processes.contains(process) && processes[process].is_object())
            record.service = text_field(processes[process], "serviceName");
        record.method = tag_text(span, {"http.route", "url.path", "rpc.method"});
        record.kind = tag_text(span, {"span.kind"});
        record.status = jaeger_status(span);
        sink.on_span(std::move(record));
    }
    return {};
}

SourceReport collect_tempo(const HttpClient& client, const TraceRequest& request, SpanTable& spans,
                           const Stop& stop) {
    return run("tempo", tempo, client, request, spans, stop);
}

SourceReport collect_jaeger(const HttpClient& client, const TraceRequest& request, SpanTable& spans,
                            const Stop& stop) {
    return run("jaeger", jaeger, client, request, spans, stop);
}

}  // namespace culprit
