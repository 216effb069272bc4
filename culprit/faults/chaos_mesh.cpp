#include "culprit/faults/chaos_mesh.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cmath>

namespace culprit {
namespace {

std::string whole(double value, const char* unit = "") {
    return fmt::format("{:.0f}{}", value, unit);
}

YAML::Node document(const char* kind, const FaultSpec& fault, std::size_t index,
                    const ClusterOptions& options) {
    YAML::Node node;
    node["apiVersion"] = "chaos-mesh.org/v1alpha1";
    node["kind"] = kind;
    auto name = fmt::format("culprit-{}-{}-{}", index, fault.kind->name, fault.target);
    for (auto& letter : name)
        if (letter == '_') letter = '-';
    node["metadata"]["name"] = name;
    node["metadata"]["namespace"] = options.name_space;
    auto spec = node["spec"];
    spec["mode"] = "one";
    spec["selector"]["namespaces"].push_back(options.name_space);
    spec["selector"]["labelSelectors"][options.label] = fault.target;
    spec["duration"] = whole(std::ceil(fault.duration_seconds), "s");
    return node;
}

std::string container_of(const FaultSpec& fault, const ClusterOptions& options) {
    return options.container.empty() ? fault.target : options.container;
}

YAML::Node stress(const FaultSpec& fault, std::size_t index, const ClusterOptions& options) {
    auto node = document("StressChaos", fault, index, options);
    auto spec = node["spec"];
    spec["containerNames"].push_back(container_of(fault, options));
    if (fault.kind->name == "cpu_stress") {
        spec["stressors"]["cpu"]["workers"] = static_cast<int>(fault.parameter("workers"));
        spec["stressors"]["cpu"]["load"] = 100;
    } else {
        spec["stressors"]["memory"]["workers"] = 1;
        spec["stressors"]["memory"]["size"] = whole(fault.parameter("megabytes"), "MB");
    }
    return node;
}

YAML::Node network(const FaultSpec& fault, std::size_t index, const ClusterOptions& options) {
    auto node = document("NetworkChaos", fault, index, options);
    auto spec = node["spec"];
    spec["direction"] = "to";
    if (fault.kind->name == "network_delay") {
        spec["action"] = "delay";
        spec["delay"]["latency"] = whole(fault.parameter("milliseconds"), "ms");
        spec["delay"]["jitter"] = whole(fault.parameter("jitter_milliseconds"), "ms");
        spec["delay"]["correlation"] = "25";
    } else if (fault.kind->name == "network_loss") {
        spec["action"] = "loss";
        spec["loss"]["loss"] = fmt::format("{}", fault.parameter("percent"));
        spec["loss"]["correlation"] = "0";
    } else {
        spec["action"] = "bandwidth";
        spec["bandwidth"]["rate"] = whole(fault.parameter("kilobits_per_second"), "kbit");
        spec["bandwidth"]["limit"] = 262144;
        spec["bandwidth"]["buffer"] = 10000;
    }
    return node;
}

YAML::Node pod(const FaultSpec& fault, std::size_t index, const ClusterOptions& options) {
    auto node = document("PodChaos", fault, index, options);
    auto spec = node["spec"];
    if (fault.kind->name == "process_kill") {
        spec["action"] = "container-kill";
        spec["containerNames"].push_back(container_of(fault, options));
    } else {
        spec["action"] = "pod-failure";
    }
    return node;
}

YAML::Node disk(const FaultSpec& fault, std::size_t index, const ClusterOptions& options) {
    auto node = document("IOChaos", fault, index, options);
    auto spec = node["spec"];
    spec["containerNames"].push_back(container_of(fault, options));
    spec["action"] = "latency";
    spec["volumePath"] = options.volume;
    // Four writers that sync make every other access wait for a write of theirs, some 25 ms each.
    constexpr double milliseconds_per_worker = 25;
    spec["delay"] = whole(milliseconds_per_worker * fault.parameter("workers"), "ms");
    spec["percent"] = 100;
    return node;
}

YAML::Node names(const FaultSpec& fault, std::size_t index, const ClusterOptions& options) {
    auto node = document("DNSChaos", fault, index, options);
    auto spec = node["spec"];
    spec["containerNames"].push_back(container_of(fault, options));
    spec["action"] = "error";
    spec["patterns"].push_back(options.upstream);
    return node;
}

// Requests are held back before they reach the replica, as by a tokenizer that needs the time of a
// prompt of one kilobyte; the CPU time of a slow tokenizer is not there.
YAML::Node requests(const FaultSpec& fault, std::size_t index, const ClusterOptions& options) {
    auto node = document("HTTPChaos", fault, index, options);
    auto spec = node["spec"];
    spec["target"] = "Request";
    spec["port"] = options.serve_port;
    spec["path"] = "*";
    spec["delay"] = whole(fault.parameter("milliseconds_per_kilobyte"), "ms");
    return node;
}

// The API wants percentages as text; the emitter writes text that looks like a number bare.
std::string with_quoted_percentages(std::string text) {
    for (const std::string key : {"correlation: ", "loss: "})
        for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
            const auto begin = at + key.size();
            const auto end = text.find_first_not_of("0123456789.", begin);
            if (end == begin) continue;
            const auto length = (end == std::string::npos ? text.size() : end) - begin;
            text.insert(begin + length, "\"");
            text.insert(begin, "\"");
        }
    return text;
}

}  // namespace

Result<ChaosManifests> render_chaos_mesh(const FaultPlan& plan, const ClusterOptions& options) {
    ChaosManifests result;
    std::size_t index = 0;
    for (const auto& fault : plan.faults) {
        const auto kind = fault.kind->name;
        YAML::Node node;
        ++index;
        if (kind == "cpu_stress" || kind == "memory_hog") {
            node = stress(fault, index, options);
        } else if (kind.starts_with("network_")) {
            node = network(fault, index, options);
        } else if (kind == "process_kill" || kind == "process_pause") {
            node = pod(fault, index, options);
        } else if (kind == "disk_io") {
            node = disk(fault, index, options);
        } else if (kind == "upstream_unknown") {
            node = names(fault, index, options);
        } else if (kind == "tokenizer_slow") {
            node = requests(fault, index, options);
        } else if (kind == "gpu_power_cap") {
            result.node_commands.push_back(fmt::format(
                "# on the node of {0}, for {1:.0f} s; the card refuses values below its own "
                "minimum\n"
                "nvidia-smi -i <PCI address of the GPU of {0}> -pl {2:.0f}\n"
                "nvidia-smi -i <PCI address> -pl <default limit of `nvidia-smi -q -d POWER`>",
                fault.target, fault.duration_seconds, fault.parameter("watts")));
            continue;
        } else {
            return fail(
                ErrorCode::unsupported,
                fmt::format("{} cannot be injected through Chaos Mesh; that can: cpu_stress, "
                            "memory_hog, disk_io, network_*, process_kill, process_pause, "
                            "tokenizer_slow, upstream_unknown, and gpu_power_cap with the "
                            "driver's tool",
                            kind));
        }
        YAML::Emitter text;
        text << node;
        result.yaml += fmt::format("---\n# start {} s after the first\n{}\n", fault.start_seconds,
                                   with_quoted_percentages(text.c_str()));
    }
    return result;
}

}  // namespace culprit
