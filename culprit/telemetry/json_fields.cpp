#include "culprit/telemetry/json_fields.h"

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
    return found != object.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
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
