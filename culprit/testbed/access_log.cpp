#include "culprit/testbed/access_log.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace culprit::testbed {
namespace {

// nginx lists one value per upstream tried, "0.001, 0.020"; the last one answered.
std::string last_of_list(const std::string& text) {
    const auto comma = text.rfind(", ");
    return comma == std::string::npos ? text : text.substr(comma + 2);
}

double number_or_zero(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

}  // namespace

std::optional<AccessRecord> parse_access_line(std::string_view line) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    try {
        AccessRecord record;
        const auto time = parse_time(json.at("time").get<std::string>());
        if (!time) return std::nullopt;
        record.end = *time;
        record.seconds = json.at("seconds").get<double>();
        record.status = json.at("status").get<int>();
        record.method = json.at("method").get<std::string>();
        record.uri = json.at("uri").get<std::string>();
        record.trace_id = json.at("trace").get<std::string>();
        record.span_id = json.at("span").get<std::string>();
        record.upstream = last_of_list(json.at("upstream").get<std::string>());
        record.upstream_status = static_cast<int>(
            number_or_zero(last_of_list(json.at("upstream_status").get<std::string>())));
        record.upstream_header_seconds =
            number_or_zero(last_of_list(json.at("upstream_header").get<std::string>()));
        record.upstream_seconds =
            number_or_zero(last_of_list(json.at("upstream_seconds").get<std::string>()));
        return record;
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
}

}  // namespace culprit::testbed
