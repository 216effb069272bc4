#include "culprit/base/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace culprit {
namespace {

using Json = nlohmann::json;

constexpr std::size_t shown_bytes_max = 60;

std::string ascii(const Json& value) {
    return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

tl::expected<nlohmann::json, JsonFault> parse_json(std::string_view text) {
    try {
        return Json::parse(text.begin(), text.end());
    } catch (const Json::parse_error& error) {
        // `byte` counts from 1 what was read; at the end of the text, that too.
        const std::size_t offset = error.byte == 0 ? 0 : error.byte - 1;
        const std::string found =
            offset >= text.size()
                ? "the end of the text"
                : "a syntax error at " + ascii(std::string(text.substr(offset, 20)));
        return tl::unexpected<JsonFault>(
            {position_in(text, offset), "expected JSON, found " + found});
    } catch (const Json::exception&) {
        return tl::unexpected<JsonFault>({{}, "expected JSON, found a number too large for it"});
    }
}

std::string json_for_message(const nlohmann::json& value) {
    if (value.is_array()) return value.empty() ? "an empty list" : "a list";
    if (value.is_object()) return value.empty() ? "an empty object" : "an object";
    if (value.is_string() && value.get_ref<const std::string&>().size() > shown_bytes_max)
        return ascii(value.get_ref<const std::string&>().substr(0, shown_bytes_max)) + "...";
    return ascii(value);
}

}  // namespace culprit
