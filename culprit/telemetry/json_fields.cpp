#include "culprit/telemetry/json_fields.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace culprit {

using nlohmann::json;

std::string text_field(const json& object, const char* key, const std::string& otherwise) {
    if (!object.is_object()) return otherwise;
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

std::int64_t integer_field(const json& object, const char* key, std::int64_t otherwise) {
    if (!object.is_object()) return otherwise;
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return otherwise;
    if (found->is_number_unsigned() && found->get<std::uint64_t>() > INT64_MAX) return otherwise;
    // A number with a fraction or exponent may be larger than any integer.
    if (found->is_number_float() && !(std::abs(found->get<double>()) < 9.2e18)) return otherwise;
    return found->get<std::int64_t>();
}

const json& object_field(const json& object, const char* key) {
    static const json empty = json::object();
    if (!object.is_object()) return empty;
    const auto found = object.find(key);
    return found != object.end() && found->is_object() ? *found : empty;
}

const json& array_field(const json& object, const char* key) {
    static const json empty = json::array();
    if (!object.is_object()) return empty;
    const auto found = object.find(key);
    return found != object.end() && found->is_array() ? *found : empty;
}

}  // namespace culprit
