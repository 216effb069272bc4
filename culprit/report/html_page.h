#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace culprit {

enum class PageScript { incident, evaluation };

/// A self-contained page: style, chart library, script and data in one file. The data are escaped
/// so that no text in them can end the element or start another.
std::string html_page(std::string_view title, PageScript script,
                      const nlohmann::ordered_json& data);

}  // namespace culprit
