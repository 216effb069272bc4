#include "culprit/testbed/exposition.h"

#include <fmt/format.h>

#include <cmath>

namespace culprit::testbed {
namespace {

std::string escaped(std::string_view value) {
    std::string result;
    for (const char letter : value) {
        if (letter == '\\' || letter == '"') result += '\\';
        if (letter == '\n')
            result += "\\n";
        else
            result += letter;
    }
    return result;
}

}  // namespace

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

void Exposition::sample(const Labels& labels, double value, std::string_view suffix) {
    text_ += name_;
    text_ += suffix;
    if (!labels.empty()) {
        char separator = '{';
        for (const auto& [label, content] : labels) {
            text_ += fmt::format("{}{}=\"{}\"", separator, label, escaped(content));
            separator = ',';
        }
        text_ += '}';
    }
    if (std::isnan(value))
        text_ += " NaN\n";
    else if (std::isinf(value))
        text_ += value > 0 ? " +Inf\n" : " -Inf\n";
    else
        text_ += fmt::format(" {}\n", value);
}

}  // namespace culprit::testbed
