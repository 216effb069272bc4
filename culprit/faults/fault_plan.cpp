#include "culprit/faults/fault_plan.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "culprit/base/check.h"

namespace culprit {
namespace {

std::string where(const YAML::Node& node) {
    return node.Mark().is_null() ? std::string() : fmt::format("line {}: ", node.Mark().line + 1);
}

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return std::nullopt;
    return value;
}

Result<double> seconds_of(const YAML::Node& node, const char* key) {
    std::string text = node.IsScalar() ? node.Scalar() : std::string();
    double unit = 1;
    if (text.ends_with("ms")) {
        unit = 1e-3;
        text.resize(text.size() - 2);
    } else if (text.ends_with("s")) {
        text.pop_back();
    } else if (text.ends_with("m")) {
        unit = 60;
        text.pop_back();
    }
    const auto value = number_of(text);
    if (!value || *value < 0)
        return fail(
            ErrorCode::malformed_data,
            fmt::format("{}expected {} as seconds or \"90s\", \"500ms\", \"2m\", found \"{}\"",
                        where(node), key, node.IsScalar() ? node.Scalar() : "a list or map"));
    return *value * unit;
}

Status check_target(const FaultKind& kind, const std::string& target) {
    const bool needs = kind.target != FaultTarget::traffic;
    if (needs == !target.empty()) return {};
    return fail(ErrorCode::invalid_input,
                needs ? fmt::format("{} needs a target", kind.name)
                      : fmt::format("{} concerns the traffic and takes no target, found \"{}\"",
                                    kind.name, target));
}

Result<FaultSpec> read_fault(const YAML::Node& node) {
    if (!node.IsMap())
        return fail(ErrorCode::malformed_data,
                    where(node) + "expected a fault as a map with kind, target, start, duration");
    if (!node["kind"] || !node["kind"].IsScalar())
        return fail(ErrorCode::malformed_data, where(node) + "a fault needs a kind");
    std::string target;
    std::map<std::string, double> values;
    double start = 0;
    std::optional<double> duration;
    for (const auto& entry : node) {
        const auto key = entry.first.Scalar();
        if (key == "kind") continue;
        if (key == "target") {
            target = entry.second.Scalar();
        } else if (key == "start") {
            CULPRIT_TRY(start, seconds_of(entry.second, "start"));
        } else if (key == "duration") {
            CULPRIT_TRY(duration, seconds_of(entry.second, "duration"));
        } else {
            const auto value = number_of(entry.second.IsScalar() ? entry.second.Scalar() : "");
            if (!value)
                return fail(ErrorCode::malformed_data,
                            fmt::format("{}expected {} to be a number", where(entry.second), key));
            values[key] = *value;
        }
    }
    auto fault = make_fault(node["kind"].Scalar(), target, values);
    if (!fault)
        return fail_with_context(fmt::format("line {}", node.Mark().line + 1), fault.error());
    fault->start_seconds = start;
    if (duration) fault->duration_seconds = *duration;
    return fault;
}

}  // namespace

double FaultSpec::parameter(std::string_view name) const {
    const auto found = parameters.find(std::string(name));
    CULPRIT_CHECK(found != parameters.end());
    return found->second;
}

double FaultPlan::end_seconds() const {
    double end = 0;
    for (const auto& fault : faults)
        end = std::max(end, fault.start_seconds + fault.duration_seconds);
    return end;
}

Result<FaultSpec> make_fault(std::string_view kind_name, const std::string& target,
                             const std::map<std::string, double>& values) {
    FaultSpec fault;
    CULPRIT_TRY(fault.kind, find_fault_kind(kind_name));
    CULPRIT_TRY_STATUS(check_target(*fault.kind, target));
    fault.target = target;
    std::vector<std::string_view> known;
    for (const auto& parameter : fault.kind->used_parameters()) {
        known.push_back(parameter.name);
        fault.parameters[std::string(parameter.name)] = parameter.default_value;
    }
    for (const auto& [name, value] : values) {
        const auto used = fault.kind->used_parameters();
        const auto found = std::ranges::find(used, name, &FaultParameter::name);
        if (found == used.end())
            return fail(
                ErrorCode::invalid_input,
                fmt::format("{} has no parameter \"{}\"; it has: {}", kind_name, name,
                            known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
        if (!(value >= found->value_min && value <= found->value_max))
            return fail(ErrorCode::invalid_input,
                        fmt::format("{}: {} must be in [{}, {}] {}, found {}", kind_name, name,
                                    found->value_min, found->value_max, found->unit, value));
        fault.parameters[name] = value;
    }
    return fault;
}

Result<FaultPlan> parse_fault_plan(std::string_view text) {
    YAML::Node root;
    try {
        root = YAML::Load(std::string(text));
        if (!root.IsMap())
            return fail(ErrorCode::malformed_data, "expected a plan as a map with name and faults");
        FaultPlan plan;
        for (const auto& entry : root) {
            const auto key = entry.first.Scalar();
            if (key != "name" && key != "faults")
                return fail(ErrorCode::malformed_data,
                            fmt::format("{}a plan has name and faults, found \"{}\"",
                                        where(entry.first), key));
        }
        if (root["name"]) plan.name = root["name"].Scalar();
        if (!root["faults"] || !root["faults"].IsSequence() || root["faults"].size() == 0)
            return fail(ErrorCode::malformed_data, "a plan needs a list of faults");
        for (const auto& node : root["faults"]) {
            CULPRIT_TRY(auto fault, read_fault(node));
            plan.faults.push_back(std::move(fault));
        }
        std::ranges::stable_sort(plan.faults, {}, &FaultSpec::start_seconds);
        return plan;
    } catch (const YAML::Exception& error) {
        return fail(ErrorCode::malformed_data,
                    fmt::format("line {}: {}", error.mark.line + 1, error.msg));
    }
}

}  // namespace culprit
