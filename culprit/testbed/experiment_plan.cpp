#include "culprit/testbed/experiment_plan.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <set>

#include "culprit/base/random.h"

namespace culprit::testbed {
namespace {

Error at_line(const YAML::Node& node, const std::string& message) {
    return {ErrorCode::malformed_data,
            node.Mark().is_null() ? message
                                  : fmt::format("line {}: {}", node.Mark().line + 1, message)};
}

Result<double> number(const YAML::Node& node, const std::string& key) {
    try {
        return node.as<double>();
    } catch (const YAML::Exception&) {
        return tl::unexpected<Error>(at_line(node, fmt::format("expected {} to be a number", key)));
    }
}

Result<std::vector<double>> numbers(const YAML::Node& node, const std::string& key) {
    std::vector<double> result;
    if (!node.IsSequence()) {
        CULPRIT_TRY(const double value, number(node, key));
        return std::vector<double>{value};
    }
    for (const auto& entry : node) {
        CULPRIT_TRY(const double value, number(entry, key));
        result.push_back(value);
    }
    return result;
}

Status set_numbers(const YAML::Node& map, const std::map<std::string, double*>& fields,
                   const std::set<std::string>& others = {}) {
    for (const auto& entry : map) {
        const auto key = entry.first.Scalar();
        if (others.contains(key)) continue;
        const auto field = fields.find(key);
        if (field == fields.end())
            return tl::unexpected<Error>(
                at_line(entry.first, fmt::format("unknown key \"{}\"", key)));
        CULPRIT_TRY(*field->second, number(entry.second, key));
    }
    return {};
}

Status read_load(const YAML::Node& node, BackgroundLoad& load) {
    double prompt = load.prompt_tokens;
    double output = load.output_tokens;
    double shared = load.shared_prefix_tokens;
    double constant = load.constant ? 1 : 0;
    CULPRIT_TRY_STATUS(set_numbers(node, {{"rate", &load.rate_per_s},
                                          {"wander", &load.wander},
                                          {"prompt", &prompt},
                                          {"output", &output},
                                          {"spread", &load.length_spread},
                                          {"shared_prefix", &shared},
                                          {"constant", &constant}}));
    load.constant = constant != 0;
    load.prompt_tokens = static_cast<int>(prompt);
    load.output_tokens = static_cast<int>(output);
    load.shared_prefix_tokens = static_cast<int>(shared);
    return {};
}

/// One line of the matrix.
struct MatrixRow {
    std::string kind;
    std::vector<std::string> targets{""};
    std::map<std::string, std::vector<double>> values;
    int repetitions = 1;
    double decoy_seconds = 0;
    double fault_seconds = 0;  ///< 0 = the plan's
    std::vector<FaultSpec> also;
};

Result<FaultSpec> read_second_fault(const YAML::Node& node) {
    if (!node.IsMap() || !node["kind"])
        return tl::unexpected<Error>(at_line(node, "expected a map with a kind"));
    std::map<std::string, double> values;
    for (const auto& entry : node) {
        const auto key = entry.first.Scalar();
        if (key == "kind" || key == "target") continue;
        CULPRIT_TRY(values[key], number(entry.second, key));
    }
    return make_fault(node["kind"].Scalar(), node["target"] ? node["target"].Scalar() : "", values);
}

Result<MatrixRow> read_row(const YAML::Node& node) {
    if (!node.IsMap() || !node["kind"])
        return tl::unexpected<Error>(at_line(node, "expected a map with a kind"));
    MatrixRow row{.kind = node["kind"].Scalar()};
    for (const auto& entry : node) {
        const auto key = entry.first.Scalar();
        if (key == "kind") continue;
        if (key == "targets") {
            row.targets.clear();
            if (!entry.second.IsSequence())
                return tl::unexpected<Error>(at_line(entry.second, "expected a list of targets"));
            for (const auto& target : entry.second) row.targets.push_back(target.Scalar());
        } else if (key == "repetitions") {
            CULPRIT_TRY(const double count, number(entry.second, key));
            row.repetitions = static_cast<int>(count);
        } else if (key == "decoy") {
            CULPRIT_TRY(row.decoy_seconds, number(entry.second, key));
        } else if (key == "fault") {
            CULPRIT_TRY(row.fault_seconds, number(entry.second, key));
        } else if (key == "with") {
            CULPRIT_TRY(auto fault, read_second_fault(entry.second));
            row.also.push_back(std::move(fault));
        } else {
            CULPRIT_TRY(row.values[key], numbers(entry.second, key));
        }
    }
    return row;
}

std::vector<std::map<std::string, double>> crossed(
    const std::map<std::string, std::vector<double>>& values) {
    std::vector<std::map<std::string, double>> result{{}};
    for (const auto& [name, choices] : values) {
        std::vector<std::map<std::string, double>> longer;
        for (const auto& chosen : result)
            for (const double value : choices) {
                auto next = chosen;
                next[name] = value;
                longer.push_back(std::move(next));
            }
        result = std::move(longer);
    }
    return result;
}

Status add_cases(const MatrixRow& row, ExperimentPlan& plan, std::map<std::string, int>& counts) {
    for (int repetition = 0; repetition < row.repetitions; ++repetition)
        for (const auto& target : row.targets)
            for (const auto& values : crossed(row.values)) {
                CULPRIT_TRY(auto fault, make_fault(row.kind, target, values));
                PlannedCase planned;
                planned.fault_seconds =
                    row.fault_seconds > 0 ? row.fault_seconds : plan.fault_seconds;
                fault.duration_seconds = planned.fault_seconds;
                auto name = (target.empty() ? "traffic" : target) + "_" + row.kind;
                for (const auto& other : row.also) name += "+" + std::string(other.kind->name);
                planned.id = fmt::format("{}/{}", name, ++counts[name]);
                planned.faults.push_back(std::move(fault));
                for (auto other : row.also) {
                    other.duration_seconds = planned.fault_seconds;
                    planned.faults.push_back(std::move(other));
                }
                if (row.decoy_seconds > 0) {
                    CULPRIT_TRY(auto decoy, make_fault("decoy_reload", "nginx-proxy"));
                    decoy.start_seconds = -row.decoy_seconds;
                    decoy.duration_seconds = 1;
                    planned.faults.push_back(std::move(decoy));
                }
                plan.cases.push_back(std::move(planned));
            }
    return {};
}

// What a case is about, whatever its target.
std::string kinds_of(const PlannedCase& planned) {
    std::string kinds;
    for (const auto& fault : planned.faults) kinds += std::string(fault.kind->name) + "+";
    return kinds;
}

// Each kind's cases, shuffled, at even distances in the whole; pairs of them over the splits.
void order_and_split(ExperimentPlan& plan) {
    Random random(derive_seed(plan.seed, "order"));
    random.shuffle(plan.cases);
    std::map<std::string, std::vector<std::size_t>> by_kind;
    for (std::size_t i = 0; i < plan.cases.size(); ++i)
        by_kind[kinds_of(plan.cases[i])].push_back(i);
    std::vector<std::pair<double, std::size_t>> place;
    for (const auto& [kinds, members] : by_kind) {
        bool dev = false;
        for (std::size_t i = 0; i < members.size(); ++i) {
            dev = i % 2 == 0 ? random.uniform() < 0.5 : !dev;
            plan.cases[members[i]].split = dev ? "dev" : "test";
            place.emplace_back(
                (static_cast<double>(i) + random.uniform()) / static_cast<double>(members.size()),
                members[i]);
        }
    }
    std::ranges::sort(place);
    std::vector<PlannedCase> ordered;
    ordered.reserve(place.size());
    for (const auto& [at, index] : place) ordered.push_back(std::move(plan.cases[index]));
    plan.cases = std::move(ordered);
}

}  // namespace

Result<ExperimentPlan> parse_experiment(std::string_view text) {
    try {
        const YAML::Node root = YAML::Load(std::string(text));
        if (!root.IsMap())
            return fail(ErrorCode::malformed_data, "expected an experiment as a map");
        ExperimentPlan plan;
        if (root["name"]) plan.name = root["name"].Scalar();
        double seed = 1;
        CULPRIT_TRY_STATUS(set_numbers(root,
                                       {{"seed", &seed},
                                        {"warmup", &plan.warmup_seconds},
                                        {"settle", &plan.settle_seconds},
                                        {"baseline", &plan.baseline_seconds},
                                        {"fault", &plan.fault_seconds},
                                        {"recovery", &plan.recovery_seconds},
                                        {"grid", &plan.grid_seconds},
                                        {"window", &plan.window_seconds}},
                                       {"name", "load", "cases"}));
        plan.seed = static_cast<std::uint64_t>(seed);
        if (root["load"]) CULPRIT_TRY_STATUS(read_load(root["load"], plan.load));
        if (!root["cases"] || !root["cases"].IsSequence())
            return fail(ErrorCode::malformed_data, "an experiment needs a list of cases");
        std::map<std::string, int> counts;
        for (const auto& node : root["cases"]) {
            auto row = read_row(node);
            if (!row) return tl::unexpected<Error>(row.error());
            if (auto added = add_cases(*row, plan, counts); !added)
                return tl::unexpected<Error>(at_line(node, added.error().message));
        }
        order_and_split(plan);
        return plan;
    } catch (const YAML::Exception& error) {
        return fail(ErrorCode::malformed_data,
                    fmt::format("line {}: {}", error.mark.line + 1, error.msg));
    }
}

}  // namespace culprit::testbed
