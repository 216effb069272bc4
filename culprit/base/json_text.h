#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "culprit/base/result.h"
#include "culprit/base/text_position.h"

namespace culprit {

/// Why a text is no JSON, and where: "expected JSON, found a syntax error at \"x }\"".
struct JsonFault {
    TextPosition at;
    std::string message;
};

/// Parses a whole text. Any bytes and any depth are safe to give.
tl::expected<nlohmann::json, JsonFault> parse_json(std::string_view text);

/// A value as a message shows it: in ASCII, at most some 60 bytes; lists and objects, which may be
/// of any size and depth, by their kind alone.
std::string json_for_message(const nlohmann::json& value);

}  // namespace culprit
