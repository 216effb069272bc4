#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/culprit/command.h"
#include "apps/culprit/method_choice.h"
#include "culprit/readers/case_writer.h"
#include "culprit/scorecard/simulated_scorecard.h"
#include "culprit/simulator/stack_simulator.h"

namespace culprit::cli {
namespace {

struct SimulateRequest {
    std::string output;
    std::vector<std::string> kinds;
    int replicas = 0;
    bool score = false;
    std::string format = "table";
    std::vector<std::string> options;
    ScorecardOptions card;
};

constexpr const char* footer =
    R"(Simulated incidents of an LLM serving stack: proxy, router, engines with continuous batching,
GPUs and hosts, with the series that their exporters would show. Everything follows from the kind
and the seed. Seeds below 1000 are for development, seeds from 1000 on for test.

Without --score, cases are written as folders "<component>_<fault>/<seed>" that every command reads.
With --score, nothing is written: the method `culprit` answers each case, spoiled as asked, and the
table says how often it was right.

Examples:
  culprit simulate made/ --kind gpu_power_cap --count 3
  culprit simulate made/ --kind traffic_burst --replicas 1000 --count 1
  culprit simulate --score --seed 1000 --count 20
  culprit simulate --score --drop 0.5 --no-logs
  culprit simulate --score --hold-out --kind gpu_thermal,cpu_contention
  culprit simulate --score --option siblings=0)";

Status write_cases(const SimulateRequest& request) {
    const auto kinds = request.kinds.empty() ? simulator::fault_kinds() : request.kinds;
    for (const std::string& kind : kinds)
        for (std::size_t i = 0; i < request.card.count; ++i) {
            const std::uint64_t seed = request.card.first_seed + i;
            simulator::StackConfig config = simulator::random_config(kind, seed);
            config.scrape_seconds = request.card.scrape_seconds;
            config.baseline_seconds = request.card.baseline_seconds;
            config.alert_delay_seconds = request.card.alert_delay_seconds;
            if (request.replicas > 0) {
                config.load.requests_per_second *=
                    static_cast<double>(request.replicas) / config.num_replicas;
                config.num_replicas = request.replicas;
            }
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
        }
    return {};
}

Status run_simulate(SimulateRequest request) {
    if (request.kinds == std::vector<std::string>{"all"}) request.kinds.clear();
    CULPRIT_TRY(request.card.method_options, options_of(request.options));
    request.card.kinds = request.kinds;
    if (request.score) {
        CULPRIT_TRY(const Scorecard card, score_on_simulator(request.card));
        return write_out(request.format == "json" ? scorecard_json(card) : scorecard_text(card));
    }
    if (request.output.empty())
        return fail(ErrorCode::invalid_input,
                    "a folder to write to is needed, or --score\nTry: culprit simulate --help");
    return write_cases(request);
}

}  // namespace

void add_simulate_command(CLI::App& root, Shell& shell) {
    CLI::App* command = root.add_subcommand(
        "simulate",
        "Make labelled incidents of a simulated LLM stack, or score the method on them");
    auto request = std::make_shared<SimulateRequest>();
    ScorecardOptions& card = request->card;
    command->add_option("folder", request->output, "Folder to write cases to");
    command->add_option("--kind", request->kinds, "Fault kinds, separated by commas, or all")
        ->delimiter(',');
    command->add_option("--seed", card.first_seed, "First seed")->default_str("0");
    command->add_option("--count", card.count, "Seeds per kind")
        ->check(CLI::PositiveNumber)
        ->default_str("10");
    command->add_option("--replicas", request->replicas, "Replicas, 1 to 10000; default: by seed")
        ->check(CLI::Range(1, 10000));
    command->add_option("--scrape", card.scrape_seconds, "Seconds between scrapes")
        ->check(CLI::Range(0.5, 300.0))
        ->default_str("5");
    command->add_option("--baseline", card.baseline_seconds, "Seconds before the fault")
        ->check(CLI::Range(10.0, 86400.0))
        ->default_str("285");
    command
        ->add_option("--alert-delay", card.alert_delay_seconds,
                     "Seconds by which the alert is late")
        ->check(CLI::Range(0.0, 3600.0))
        ->default_str("0");
    command->add_flag("--score", request->score, "Diagnose instead of writing, and score");
    command->add_option("--drop", card.drop_share, "Share of the series to take away")
        ->check(CLI::Range(0.0, 0.99))
        ->default_str("0");
    command->add_option("--blur", card.blur_seconds, "Moving average over this many seconds")
        ->check(CLI::Range(0.0, 600.0))
        ->default_str("0");
    command->add_flag("--no-logs", card.drop_logs, "Score without logs");
    command->add_flag("--no-gpu", card.drop_gpu, "Score without GPU series");
    command->add_flag("--no-mesh", card.drop_mesh, "Score without the service mesh's series");
    command->add_flag("--hold-out", card.hold_out,
                      "Score without the signatures of the fault's family");
    command->add_option("--option", request->options, "name=number for the method; repeatable")
        ->expected(1)
        ->take_all();
    command->add_option("--threads", card.num_threads, "Cases side by side; 0 = all")
        ->default_str("1");
    command->add_option("--format", request->format, "table|json")
        ->check(CLI::IsMember({"table", "json"}))
        ->default_str("table");
    command->footer(footer);
    on_run(*command, shell, [request] { return run_simulate(*request); });
}

}  // namespace culprit::cli
