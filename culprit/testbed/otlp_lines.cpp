#include "culprit/testbed/otlp_lines.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace culprit::testbed {
namespace {

using Json = nlohmann::json;

Json attribute(const char* key, const Json& value) { return {{"key", key}, {"value", value}}; }

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string otlp_log_line(const LogLine& line) {
    const Json record{{"timeUnixNano", fmt::format("{}", line.time_ns)},
                      {"body", {{"stringValue", line.text}}}};
    const Json resource{{"attributes",
                         {attribute("k8s.pod.name", {{"stringValue", line.container}}),
                          attribute("log.file.name", {{"stringValue", line.file}})}}};
    return dump({{"resourceLogs",
                  {{{"resource", resource}, {"scopeLogs", {{{"logRecords", {record}}}}}}}}});
}

std::string otlp_proxy_span_line(const AccessRecord& record) {
    const std::int64_t end_ns = to_ns(record.end);
    const std::int64_t duration_ns = std::llround(1e9 * record.seconds);
    const Json span{{"traceId", record.trace_id},
                    {"spanId", record.span_id},
                    {"name", record.method + " " + record.uri},
                    {"kind", 2},
                    {"startTimeUnixNano", fmt::format("{}", end_ns - duration_ns)},
                    {"endTimeUnixNano", fmt::format("{}", end_ns)},
                    {"attributes",
                     {attribute("http.route", {{"stringValue", record.uri}}),
                      attribute("http.response.status_code",
                                {{"intValue", fmt::format("{}", record.status)}})}},
                    {"status", {{"code", record.status >= 500 ? 2 : 1}}}};
    const Json resource{
        {"attributes", Json::array({attribute("service.name", {{"stringValue", "nginx-proxy"}})})}};
    return dump(
        {{"resourceSpans", {{{"resource", resource}, {"scopeSpans", {{{"spans", {span}}}}}}}}});
}

}  // namespace culprit::testbed
