#include "culprit/report/html_page.h"

#include <nlohmann/json.hpp>

namespace culprit {

// Written by the build from the files in assets/ and from the chart library.
namespace assets {
std::string_view chart_library();
std::string_view element_script();
std::string_view evaluation_script();
std::string_view incident_script();
std::string_view report_style();
}  // namespace assets

namespace {

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '&')
            safe += "&amp;";
        else if (c == '<')
            safe += "&lt;";
        else
            safe += c;
    }
    return safe;
}

// "<" only occurs inside strings of a JSON text, where it may be written as an escape.
std::string inert_json(const nlohmann::ordered_json& data) {
    const std::string text =
        data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    std::string safe;
    safe.reserve(text.size());
    for (const char c : text) {
        if (c == '<')
            safe += "\\u003c";
        else
            safe += c;
    }
    return safe;
}

}  // namespace

std::string html_page(std::string_view title, PageScript script,
                      const nlohmann::ordered_json& data) {
    std::string page =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
    page += escaped(title);
    page += "</title>\n<style>\n";
    page += assets::report_style();
    page +=
        "</style>\n</head>\n<body>\n<main id=\"app\"><noscript>This report draws its charts "
        "with JavaScript.</noscript></main>\n<script type=\"application/json\" id=\"data\">";
    page += inert_json(data);
    page += "</script>\n<script>\n";
    page += assets::chart_library();
    page += "\n</script>\n<script>\n";
    page += assets::element_script();
    page +=
        script == PageScript::incident ? assets::incident_script() : assets::evaluation_script();
    page += "</script>\n</body>\n</html>\n";
    return page;
}

}  // namespace culprit
