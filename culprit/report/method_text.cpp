#include "culprit/report/method_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "culprit/base/check.h"
#include "culprit/report/text_table.h"

namespace culprit {
namespace {

std::string variants_of(const MethodInfo& method) {
    std::string text;
    for (const Variant variant : method.variants)
        text += (text.empty() ? "" : ", ") + std::string(to_string(variant));
    return text;
}

// The text broken at spaces into lines of at most `width` characters.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
    std::vector<std::string> lines{""};
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        std::string& line = lines.back();
        if (line.empty())
            line = word;
        else if (display_width(line) + 1 + display_width(word) <= width)
            line.append(" ").append(word);
        else
            lines.emplace_back(word);
    }
    return lines;
}

nlohmann::ordered_json json_of(const MethodInfo& method) {
    nlohmann::ordered_json json;
    json["name"] = method.name;
    json["summary"] = method.summary;
    json["family"] = to_string(method.family);
    json["in_study"] = method.in_study;
    json["citation"] = method.citation;
    json["reads"] = method.reads;
    json["ranks"] = method.ranks;
    json["cost"] = method.cost;
    json["uses_randomness"] = method.uses_randomness;
    json["variants"] = nlohmann::ordered_json::array();
    for (const Variant variant : method.variants) json["variants"].push_back(to_string(variant));
    json["options"] = nlohmann::ordered_json::array();
    for (const OptionInfo& option : method.options)
        json["options"].push_back({{"name", option.name},
                                   {"default", option.default_value},
                                   {"minimum", option.minimum},
                                   {"maximum", option.maximum},
                                   {"help", option.help}});
    json["divergences"] = nlohmann::ordered_json::array();
    for (const Divergence& divergence : method.divergences)
        json["divergences"].push_back(
            {{"reference", divergence.reference}, {"published", divergence.published}});
    return json;
}

TextTable options_table(const MethodInfo& method) {
    TextTable table({{"option"}, {"default", Align::right}, {"range"}, {"what it does"}});
    for (const OptionInfo& option : method.options)
        table.add_row({option.name, fmt::format("{:g}", option.default_value),
                       fmt::format("{:g} to {:g}", option.minimum, option.maximum), option.help});
    return table;
}

}  // namespace

std::string methods_table(std::span<const MethodInfo> methods, const Style& style) {
    TextTable table({{"method"}, {"family"}, {"reads"}, {"ranks"}, {"variants"}, {"summary"}});
    for (const MethodInfo& method : methods)
        table.add_row({style.bold(method.name), std::string(to_string(method.family)), method.reads,
                       method.ranks, variants_of(method), method.summary});
    std::string text = table.to_text(style);
    if (style.width() == 0) return text;
    // On a terminal the summary goes below its method rather than over the edge.
    const auto width = static_cast<std::size_t>(std::max(40, style.width()));
    text.clear();
    for (const MethodInfo& method : methods) {
        text +=
            fmt::format("{}  {}\n", style.bold(method.name),
                        style.dim(fmt::format("{}, reads {}, ranks {}", to_string(method.family),
                                              method.reads, method.ranks)));
        for (const std::string& line : wrapped(method.summary, width - 4))
            text += "    " + line + "\n";
    }
    return text + style.dim("More about one: culprit methods NAME") + "\n";
}

std::string method_page(const MethodInfo& method, const Style& style) {
    const auto width =
        static_cast<std::size_t>(style.width() > 0 ? std::clamp(style.width(), 40, 110) : 100);
    std::string text = style.bold(method.name) + "\n";
    const auto add = [&](std::string_view label, std::string_view value) {
        std::string lead = fmt::format("{:<12}", label);
        for (const std::string& line : wrapped(value, width - 14)) {
            text += "  " + style.dim(lead) + line + "\n";
            lead.assign(12, ' ');
        }
    };
    add("what", method.summary);
    add("paper", method.citation);
    add("family", fmt::format("{}{}", to_string(method.family),
                              method.in_study ? ", one of the study's 24" : ""));
    add("reads", method.reads);
    add("ranks", method.ranks);
    add("cost", method.cost);
    add("variants", variants_of(method));
    add("randomness", method.uses_randomness ? "yes, from --seed" : "none");
    for (const Divergence& divergence : method.divergences) {
        add("reference", divergence.reference);
        add("published", divergence.published);
    }
    if (!method.options.empty()) text += "\n" + options_table(method).to_text(style, "  ");
    return text;
}

std::string methods_markdown(std::span<const MethodInfo> methods) {
    std::string text;
    for (const MethodInfo& method : methods) {
        text +=
            fmt::format("{}## {}\n\n{}\n\n", text.empty() ? "" : "\n", method.name, method.summary);
        text += fmt::format("- Paper: {}\n- Family: {}{}\n- Reads: {}\n- Ranks: {}\n- Cost: {}\n",
                            method.citation, to_string(method.family),
                            method.in_study ? ", one of the study's 24" : "", method.reads,
                            method.ranks, method.cost);
        text += fmt::format("- Variants: {}\n- Randomness: {}\n", variants_of(method),
                            method.uses_randomness ? "yes, from the seed" : "none");
        for (const Divergence& divergence : method.divergences)
            text += fmt::format("- `reference`: {}; `published`: {}\n", divergence.reference,
                                divergence.published);
        if (!method.options.empty()) text += "\n" + options_table(method).to_markdown();
    }
    return text;
}

std::string methods_json(std::span<const MethodInfo> methods, bool as_array) {
    if (!as_array) {
        CULPRIT_CHECK(methods.size() == 1);
        return json_of(methods.front()).dump(2) + "\n";
    }
    auto all = nlohmann::ordered_json::array();
    for (const MethodInfo& method : methods) all.push_back(json_of(method));
    return all.dump(2) + "\n";
}

}  // namespace culprit
