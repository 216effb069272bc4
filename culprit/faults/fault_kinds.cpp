#include "culprit/faults/fault_kinds.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "culprit/base/nearest_word.h"

namespace culprit {
namespace {

using enum FaultLayer;
using enum FaultTarget;

constexpr FaultKind kinds[] = {
    {"cpu_quota",
     platform,
     any_component,
     true,
     {{"cores", "cores", 0.15, 0.01, 64}},
     "F01",
     "the control group may use only so much CPU time"},
    {"cpu_stress",
     platform,
     any_component,
     true,
     {{"workers", "", 8, 1, 64}},
     "F01",
     "busy processes share the target's control group"},
    {"memory_hog",
     platform,
     any_component,
     true,
     {{"megabytes", "MB", 1500, 1, 1e6}},
     "F02",
     "a process in the target's control group fills memory"},
    {"memory_limit",
     platform,
     any_component,
     true,
     {{"headroom_megabytes", "MB", 64, 1, 1e6}},
     "F27",
     "the memory limit is set just above use, and use grows: the kernel kills"},
    {"disk_io",
     platform,
     any_component,
     true,
     {{"workers", "", 4, 1, 32}},
     "F44",
     "processes in the target's control group write and sync without end"},
    {"network_delay",
     platform,
     any_component,
     true,
     {{"milliseconds", "ms", 300, 1, 10000}, {"jitter_milliseconds", "ms", 30, 0, 10000}},
     "F03",
     "every packet from and to the target is held back"},
    {"network_loss",
     platform,
     any_component,
     true,
     {{"percent", "%", 15, 0.1, 100}},
     "F03",
     "packets from and to the target are dropped at random"},
    {"network_bandwidth",
     platform,
     any_component,
     true,
     {{"kilobits_per_second", "kbit/s", 64, 1, 1e7}},
     "F03",
     "the target's link is slow"},
    {"gpu_power_cap",
     infrastructure,
     replica,
     true,
     {{"watts", "W", 150, 80, 700}},
     "F04",
     "the accelerator's power limit is lowered"},
    {"gpu_thermal",
     infrastructure,
     replica,
     true,
     {{"ambient_celsius", "C", 62, 30, 90}, {"cooling", "", 0.5, 0.1, 1}},
     "F37",
     "the accelerator's cooling fails: heat first, then lower clocks"},
    {"process_pause",
     platform,
     any_component,
     true,
     {},
     "F09",
     "the target's main process is stopped (SIGSTOP)"},
    {"process_kill", framework, replica, true, {}, "F08", "the engine process is killed once"},
    {"crash_loop",
     framework,
     replica,
     true,
     {{"period_seconds", "s", 15, 1, 600}},
     "F26",
     "the engine process is killed again and again"},
    {"engine_stuck",
     framework,
     replica,
     true,
     {},
     "F09",
     "the engine hangs in a step while health checks stay green"},
    {"kv_pressure",
     framework,
     replica,
     true,
     {{"share", "", 0.93, 0.1, 0.99}},
     "F05",
     "so much of the KV cache is taken that requests wait and are preempted"},
    {"batch_limit",
     framework,
     replica,
     true,
     {{"sequences", "", 1, 1, 64}},
     "F17",
     "a configuration roll-out limits the batch to so many sequences"},
    {"token_budget",
     framework,
     replica,
     true,
     {{"tokens", "", 16, 1, 4096}},
     "F17",
     "a configuration roll-out limits the tokens of a step"},
    {"tokenizer_slow",
     framework,
     replica,
     true,
     {{"milliseconds_per_kilobyte", "ms", 150, 1, 10000}},
     "F13",
     "turning text into tokens takes CPU time on the serving loop"},
    {"log_flood",
     framework,
     replica,
     true,
     {{"lines_per_second", "1/s", 2000, 10, 100000}},
     "",
     "the replica writes log lines without end"},
    {"misrouting",
     toolkit,
     proxy,
     true,
     {{"replica", "", 0, 0, 15}},
     "F21",
     "the proxy sends every request to one replica"},
    {"proxy_connections",
     toolkit,
     proxy,
     true,
     {{"connections", "", 6, 4, 512}},
     "",
     "the proxy may hold only a few connections"},
    {"upstream_unknown",
     toolkit,
     proxy,
     true,
     {},
     "F45",
     "one upstream of the proxy points to an address where nobody answers"},
    {"traffic_burst",
     load,
     traffic,
     false,
     {{"factor", "", 4, 1.1, 50}},
     "F12",
     "clients send so many times the requests"},
    {"long_prompts",
     load,
     traffic,
     false,
     {{"tokens", "", 2500, 100, 8000}, {"rate", "1/s", 0.5, 0.01, 50}},
     "F11",
     "some clients send very long prompts"},
    {"long_answers",
     load,
     traffic,
     false,
     {{"tokens", "", 400, 10, 4000}, {"rate", "1/s", 1, 0.01, 50}},
     "F24",
     "some clients ask for very long answers"},
    {"prefix_miss",
     load,
     traffic,
     false,
     {},
     "F14",
     "clients put something unique in front of every prompt: no prefix is shared any more"},
    {"decoy_reload",
     none,
     proxy,
     false,
     {},
     "",
     "the proxy reloads an unchanged configuration: harmless"},
    {"none", none, traffic, false, {}, "", "nothing happens"},
};

}  // namespace

std::string_view to_string(FaultLayer layer) {
    switch (layer) {
        case infrastructure:
            return "infrastructure";
        case platform:
            return "platform";
        case toolkit:
            return "toolkit";
        case framework:
            return "framework";
        case model:
            return "model";
        case load:
            return "load";
        case none:
            return "none";
    }
    return "none";
}

std::span<const FaultParameter> FaultKind::used_parameters() const {
    std::size_t count = 0;
    while (count < std::size(parameters) && !parameters[count].name.empty()) ++count;
    return {parameters, count};
}

std::span<const FaultKind> fault_kinds() { return kinds; }

Result<const FaultKind*> find_fault_kind(std::string_view name) {
    std::vector<std::string> names;
    for (const auto& kind : kinds) {
        if (kind.name == name) return &kind;
        names.emplace_back(kind.name);
    }
    return fail(ErrorCode::invalid_input,
                fmt::format("no fault kind \"{}\"{}\nThere are: {}", name,
                            did_you_mean(name, names), fmt::join(names, ", ")));
}

}  // namespace culprit
