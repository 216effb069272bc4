#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace culprit {

// Fields of foreign JSON: absent ones, and ones of another type, are the default. nlohmann's own
// `value` throws when the type differs.

std::string text_field(const nlohmann::json& object, const char* key,
                       const std::string& otherwise = {});
std::int64_t integer_field(const nlohmann::json& object, const char* key,
                           std::int64_t otherwise = 0);
/// The object or array under `key`; an empty one when absent.
const nlohmann::json& object_field(const nlohmann::json& object, const char* key);
const nlohmann::json& array_field(const nlohmann::json& object, const char* key);

}  // namespace culprit
