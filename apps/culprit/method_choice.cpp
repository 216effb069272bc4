#include "apps/culprit/method_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "culprit/methods/catalog.h"

namespace culprit::cli {
namespace {

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        if (end > begin) parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

void add_variants(const MethodInfo& info, const std::string& variant,
                  std::vector<Contender>& contenders) {
    if (variant == "both" || info.variants.size() == 1) {
        for (const Variant v : info.variants) contenders.push_back({info.name, v});
        return;
    }
    for (const Variant v : info.variants)
        if (to_string(v) == variant) contenders.push_back({info.name, v});
}

}  // namespace

Result<std::vector<Contender>> contenders_of(const std::string& methods,
                                             const std::string& variant) {
    std::vector<std::string> names;
    for (const std::string& name : split(methods)) {
        if (name != "all") {
            names.push_back(name);
            continue;
        }
        for (const CatalogEntry& entry : catalog()) names.emplace_back(entry.name);
    }
    std::vector<Contender> contenders;
    std::vector<std::string> seen;
    for (const std::string& name : names) {
        if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
        seen.push_back(name);
        CULPRIT_TRY(const auto method, make_method(name));
        add_variants(method->info(), variant, contenders);
    }
    if (contenders.empty())
        return fail(ErrorCode::invalid_input, "expected at least one method, found none");
    return contenders;
}

Result<std::map<std::string, double>> options_of(const std::vector<std::string>& assignments) {
    std::map<std::string, double> options;
    for (const std::string& text : assignments) {
        const std::size_t equals = text.find('=');
        double value = 0.0;
        const char* begin = text.data() + std::min(equals, text.size() - 1) + 1;
        const char* end = text.data() + text.size();
        const auto read = std::from_chars(begin, end, value);
        if (equals == std::string::npos || equals == 0 || read.ec != std::errc() || read.ptr != end)
            return fail(ErrorCode::invalid_input,
                        fmt::format("--option: expected name=number, found \"{}\"", text));
        options[text.substr(0, equals)] = value;
    }
    return options;
}

}  // namespace culprit::cli
