#include "culprit/readers/case_label.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "culprit/base/json_text.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

using Json = nlohmann::json;

// The text or texts at `key`; none where there is no such key, or null.
Result<std::vector<std::string>> strings_at(const Json& object, const char* key,
                                            ProblemList& problems) {
    std::vector<std::string> found;
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) return found;
    const auto add = [&](const Json& value) -> Status {
        if (!value.is_string())
            return problems.note(key, {},
                                 fmt::format("expected \"{}\" to be a text or a list of texts, "
                                             "found {}; not used",
                                             key, json_for_message(value)));
        found.push_back(value.get<std::string>());
        make_printable(found.back());
        return {};
    };
    if (it->is_array()) {
        for (const Json& element : *it) CULPRIT_TRY_STATUS(add(element));
    } else {
        CULPRIT_TRY_STATUS(add(*it));
    }
    return found;
}

std::optional<TimePoint> time_at(const Json& object, const char* key) {
    const auto it = object.find(key);
    if (it == object.end()) return std::nullopt;
    if (it->is_string()) return parse_time_text(it->get<std::string>());
    if (it->is_number()) return parse_time_text(it->dump());
    return std::nullopt;
}

/// What was done to each component: `"faults": [{"kind": ..., "target": ...}, ...]`.
Result<std::map<std::string, std::string>> faults_by_target(const Json& json,
                                                            ProblemList& problems) {
    std::map<std::string, std::string> faults;
    const auto list = json.find("faults");
    if (list == json.end() || !list->is_array()) return faults;
    for (const Json& fault : *list) {
        if (!fault.is_object()) continue;
        CULPRIT_TRY(const auto kind, strings_at(fault, "kind", problems));
        CULPRIT_TRY(const auto target, strings_at(fault, "target", problems));
        if (!kind.empty() && !target.empty()) faults.emplace(target.front(), kind.front());
    }
    return faults;
}

}  // namespace

Result<CaseLabel> read_case_json(std::string_view bytes, ProblemList& problems) {
    const auto text = as_text(bytes);
    if (!text) return problems.refuse({}, text.error().message);
    const auto parsed = parse_json(*text);
    if (!parsed) {
        const JsonFault& fault = parsed.error();
        return problems.refuse({fault.at.line, fault.at.column}, fault.message);
    }
    const Json& json = *parsed;
    if (!json.is_object())
        return problems.refuse({}, "expected a JSON object, found " + json_for_message(json));
    CaseLabel label;
    GroundTruth truth;
    CULPRIT_TRY(truth.services, strings_at(json, "root_cause_service", problems));
    CULPRIT_TRY(truth.metrics, strings_at(json, "root_cause_metric", problems));
    CULPRIT_TRY(const auto faults, strings_at(json, "fault", problems));
    if (!faults.empty()) truth.fault = faults.front();
    if (truth.services.size() > 1) {
        CULPRIT_TRY(truth.fault_of, faults_by_target(json, problems));
    }
    if (json.contains("root_cause_service")) label.truth = std::move(truth);
    label.alert = time_at(json, "inject_time");
    if (json.contains("inject_time") && !label.alert)
        CULPRIT_TRY_STATUS(problems.note("inject_time", {},
                                         "expected \"inject_time\" to be a time, found " +
                                             json_for_message(json["inject_time"]) + "; not used"));
    if (const auto target = json.find("target"); target != json.end() && target->is_object()) {
        CULPRIT_TRY(const auto node, strings_at(*target, "node", problems));
        CULPRIT_TRY(const auto metric, strings_at(*target, "metric", problems));
        CULPRIT_TRY(const auto aggregate, strings_at(*target, "agg", problems));
        if (!node.empty() && !metric.empty())
            label.symptom = node[0] + "_" + metric[0] +
                            (aggregate.empty() ? std::string() : "-" + aggregate[0]);
    }
    return label;
}

std::optional<GroundTruth> truth_from_folder(std::string_view folder_name) {
    const std::size_t split = folder_name.find('_');
    if (split == std::string_view::npos || split == 0 || split + 1 == folder_name.size())
        return std::nullopt;
    GroundTruth truth;
    truth.services.emplace_back(folder_name.substr(0, split));
    truth.fault = std::string(folder_name.substr(split + 1));
    make_printable(truth.services.front());
    make_printable(truth.fault);
    return truth;
}

std::string read_code_location(std::string_view bytes) {
    std::string location(bytes.substr(0, 500));
    for (char& c : location)
        if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    while (location.ends_with(' ')) location.pop_back();
    make_printable(location);
    return location;
}

Result<TimePoint> read_alert_time(std::string_view bytes, const ProblemList& problems) {
    const auto text = as_text(bytes);
    if (!text) return problems.refuse({}, text.error().message);
    const std::string_view line = text->substr(0, text->find('\n'));
    if (const auto time = parse_time_text(line)) return *time;
    return problems.refuse({1, 1}, fmt::format("expected the injection time in Unix seconds, found "
                                               "{}",
                                               quote_for_message(line)));
}

}  // namespace culprit
