#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/culprit/command.h"
#include "apps/culprit/progress_bar.h"
#include "culprit/readers/case_reader.h"
#include "culprit/readers/case_writer.h"
#include "culprit/simulator/calibration.h"
#include "culprit/simulator/stack_simulator.h"

namespace culprit::cli {
namespace {

struct SimulateRequest {
    std::string output;
    std::string calibrate;
    std::vector<std::string> kinds;
    std::uint64_t first_seed = 0;
    std::size_t count = 10;
    int replicas = 0;
    double alert_delay_seconds = 0.0;
    double scrape_seconds = 5.0;
    double baseline_seconds = 285.0;
};

constexpr const char* footer =
    R"(Simulated incidents of an LLM serving stack: proxy, router, engines with continuous batching,
GPUs and hosts, with the series that their exporters would show. Everything follows from the kind
and the seed. Seeds below 1000 are for development, seeds from 1000 on for test.

Cases are written as folders "<component>_<fault>/<seed>" that every command reads.
`culprit scorecard --simulated` scores the method on such incidents without writing them.

Examples:
  culprit simulate made/ --kind gpu_power_cap --count 3
  culprit simulate made/ --kind traffic_burst --replicas 1000 --count 1
  culprit simulate --calibrate datasets/llm-testbed/dev)";

Status write_cases(const SimulateRequest& request, const Shell& shell) {
    ProgressBar bar(shell.err(), true);
    const auto kinds = request.kinds.empty() ? simulator::fault_kinds() : request.kinds;
    for (const std::string& kind : kinds)
        for (std::size_t i = 0; i < request.count; ++i) {
            const std::uint64_t seed = request.first_seed + i;
            simulator::StackConfig config = simulator::random_config(kind, seed);
            config.scrape_seconds = request.scrape_seconds;
            config.baseline_seconds = request.baseline_seconds;
            config.alert_delay_seconds = request.alert_delay_seconds;
            if (request.replicas > 0) config.resize(request.replicas);
            CULPRIT_TRY(const Case made, simulator::simulate(config));
            const GroundTruth truth = made.truth.value_or(GroundTruth{});
            const std::string place =
                truth.services.empty() ? std::string("none") : truth.services.front();
            const std::filesystem::path parent =
                std::filesystem::path(request.output) / fmt::format("{}_{}", place, kind);
            std::error_code failed;
            std::filesystem::create_directories(parent, failed);
            if (failed)
                return fail(ErrorCode::io_failure,
                            fmt::format("{}: {}", parent.string(), failed.message()));
            CULPRIT_TRY_STATUS(write_case(made, (parent / std::to_string(seed)).string()));
            bar.step(kinds.size() * request.count, "cases");
        }
    return {};
}

// One group of recorded windows beside the same load simulated.
struct CalibrationGroup {
    std::string name;
    std::vector<simulator::OperatingPoint> points;
};

Result<std::vector<CalibrationGroup>> recorded_groups(const std::string& folder) {
    std::vector<CalibrationGroup> groups{{.name = "baseline"}};
    CULPRIT_TRY(const auto locations, find_cases(folder));
    for (const auto& location : locations) {
        CULPRIT_TRY(const Case read,
                    read_case(location.path, {.logs = false, .spans = false, .num_threads = 1}));
        const auto& incident = read.incident;
        const auto times = incident.metrics.times();
        if (times.empty()) continue;
        if (auto point =
                simulator::recorded_point(incident.metrics, {times.front(), incident.alert}))
            groups.front().points.push_back(*point);
        // With a changed load and nothing broken, the same engine stands elsewhere. Its first
        // seconds, in which the load builds up, are left out.
        const bool load_only = read.truth && read.truth->services.empty() &&
                               location.id.find("/traffic_") != std::string::npos &&
                               location.id.find("none") == std::string::npos;
        if (!load_only) continue;
        const auto fault = read.truth->fault;
        auto group = std::ranges::find(groups, fault, &CalibrationGroup::name);
        if (group == groups.end()) group = groups.insert(group, {.name = fault});
        constexpr Duration build_up = std::chrono::seconds(8);
        if (auto point = simulator::recorded_point(incident.metrics,
                                                   {incident.alert + build_up, times.back()}))
            group->points.push_back(*point);
    }
    return groups;
}

Status print_calibration(const SimulateRequest& request) {
    CULPRIT_TRY(const auto groups, recorded_groups(request.calibrate));
    std::string text = fmt::format("{:<14} {:>7}  {:<22} {:>10} {:>10} {:>8}\n", "load", "windows",
                                   "quantity", "recorded", "simulated", "error");
    for (const auto& group : groups) {
        if (group.points.empty()) continue;
        const auto recorded = simulator::mean_point(group.points);
        CULPRIT_TRY(const auto simulated,
                    simulator::simulated_point(recorded, 1800, request.first_seed));
        for (const auto& quantity : simulator::compared_quantities()) {
            const double was = recorded.*quantity.value;
            const double is = simulated.*quantity.value;
            text += fmt::format("{:<14} {:>7}  {:<22} {:>10.4g} {:>10.4g} {:>7.0f}%\n", group.name,
                                group.points.size(),
                                fmt::format("{}, {}", quantity.name, quantity.unit), was, is,
                                was > 0 ? 100 * (is - was) / was : 0.0);
        }
    }
    return write_out(text);
}

Status run_simulate(SimulateRequest request, const Shell& shell) {
    if (!request.calibrate.empty()) return print_calibration(request);
    if (request.kinds == std::vector<std::string>{"all"}) request.kinds.clear();
    if (request.output.empty())
        return fail(ErrorCode::invalid_input,
                    "expected a folder to write to\nTry: culprit simulate --help");
    return write_cases(request, shell);
}

}  // namespace

void add_simulate_command(Command& root, Shell& shell) {
    Command command =
        root.subcommand("simulate", "Make labelled incidents of a simulated LLM serving stack");
    auto request = std::make_shared<SimulateRequest>();
    command.option("folder", request->output, "Folder to write cases to");
    command
        .option("--calibrate", request->calibrate,
                "Folder of the testbed's windows: compare the simulator with them")
        .check(existing_folder());
    command.option("--kind", request->kinds, "Fault kinds, separated by commas, or all")
        .separated_by(',');
    command.option("--seed", request->first_seed, "First seed").default_text("0");
    command.option("--count", request->count, "Seeds per kind")
        .check(positive())
        .default_text("10");
    command.option("--replicas", request->replicas, "Replicas, 1 to 10000; default: by seed")
        .check(whole_between(1, 10000));
    command.option("--scrape", request->scrape_seconds, "Seconds between scrapes")
        .check(between(0.5, 300.0))
        .default_text("5");
    command.option("--baseline", request->baseline_seconds, "Seconds before the fault")
        .check(between(10.0, 86400.0))
        .default_text("285");
    command
        .option("--alert-delay", request->alert_delay_seconds, "Seconds by which the alert is late")
        .check(between(0.0, 3600.0))
        .default_text("0");
    command.footer(footer);
    on_run(command, shell, [request, &shell] { return run_simulate(*request, shell); });
}

}  // namespace culprit::cli
