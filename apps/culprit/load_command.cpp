#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "apps/culprit/command.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/load_generator.h"
#include "culprit/testbed/settings.h"

namespace culprit::cli {
namespace {

std::atomic<bool> interrupted = false;

struct LoadRequest {
    std::string testbed = "default";
    std::string arrivals = "poisson";
    std::string replay;
    std::string out;
    testbed::SyntheticLoad synthetic{.rate_per_s = 2, .length_spread = 0.3};
    testbed::ReplayOptions scales;
    testbed::LoadOptions options{.model = testbed::Settings::model_name,
                                 .shared_prefix_tokens = 32};
};

Status run_load_command(LoadRequest request) {
    signal(SIGINT, [](int) { interrupted = true; });
    signal(SIGTERM, [](int) { interrupted = true; });
    CULPRIT_TRY(const auto settings, testbed::read_settings(request.testbed));
    request.options.address = settings.address_of("nginx-proxy");
    request.options.port = testbed::Settings::proxy_port;
    request.options.seed = request.synthetic.seed;
    std::vector<testbed::Arrival> arrivals;
    if (!request.replay.empty()) {
        request.scales.duration_s = request.synthetic.duration_s;
        CULPRIT_TRY(const auto csv, testbed::read_text_file(request.replay));
        CULPRIT_TRY(arrivals, testbed::read_arrivals(csv, request.scales));
    } else {
        request.synthetic.process = request.arrivals == "constant"
                                        ? testbed::ArrivalProcess::constant
                                        : testbed::ArrivalProcess::poisson;
        CULPRIT_TRY(arrivals, testbed::make_arrivals(request.synthetic));
    }
    // Without the testbed its addresses would lead out of this machine: send nothing more.
    const auto fabric = testbed::NetworkNames::path_of(settings.network().fabric());
    if (!std::filesystem::exists(fabric))
        return fail(ErrorCode::unavailable,
                    fmt::format("the testbed \"{}\" is not running", settings.name));
    CULPRIT_TRY(const auto records, testbed::run_load(arrivals, request.options, [&] {
                    return interrupted || !std::filesystem::exists(fabric);
                }));
    if (!request.out.empty())
        CULPRIT_TRY_STATUS(write_whole_file(request.out, testbed::load_csv(records)));
    const auto s = testbed::summarise(records);
    return write_out(
        fmt::format("requests {}   failed {}   {:.0f} tokens/s\n"
                    "                        median      p95\n"
                    "time to first token   {:7.0f} ms {:7.0f} ms\n"
                    "between two tokens    {:7.1f} ms {:7.1f} ms\n"
                    "whole answer          {:7.0f} ms {:7.0f} ms\n",
                    s.requests, s.failed, s.tokens_per_s, 1e3 * s.first_token_s_p50,
                    1e3 * s.first_token_s_p95, 1e3 * s.token_gap_s_p50, 1e3 * s.token_gap_s_p95,
                    1e3 * s.total_s_p50, 1e3 * s.total_s_p95));
}

}  // namespace

void add_load_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "load", "Send an open-loop load to the testbed and measure what a client sees");
    auto request = std::make_shared<LoadRequest>();
    command.option("--name", request->testbed, "The testbed").default_text("default");
    command.option("--arrivals", request->arrivals, "constant or poisson")
        .check(one_of({"constant", "poisson"}))
        .default_text("poisson");
    command.option("--rate", request->synthetic.rate_per_s, "Requests per second")
        .default_text("2");
    command.option("--duration", request->synthetic.duration_s, "Seconds").default_text("60");
    command.option("--prompt", request->synthetic.prompt_tokens, "Prompt tokens, mean")
        .default_text("64");
    command.option("--output", request->synthetic.output_tokens, "Output tokens, mean")
        .default_text("32");
    command
        .option("--spread", request->synthetic.length_spread,
                "Lengths are uniform in mean * [1 - spread, 1 + spread]")
        .default_text("0.3");
    command
        .option("--replay", request->replay,
                "Arrival trace: CSV with arrival_time_s,prompt_tokens,output_tokens")
        .check(existing_file());
    command.option("--time-scale", request->scales.time_scale, "Replay so many times faster")
        .default_text("1");
    command
        .option("--token-scale", request->scales.token_scale, "Replay with so many of the tokens")
        .default_text("1");
    command
        .option("--shared-prefix", request->options.shared_prefix_tokens,
                "Tokens that all prompts share from their start")
        .default_text("32");
    command.flag("--unique-prefix", request->options.unique_prefix, "No two prompts share a start");
    command.option("--seed", request->synthetic.seed, "Seed of times, lengths and words")
        .default_text("1");
    command.option("--out", request->out, "CSV with one line per request");
    command.footer(R"(Arrivals do not wait for answers.

Examples:
  culprit load --rate 2 --duration 120 --out requests.csv
  culprit load --replay azure_conv.csv --time-scale 0.5 --token-scale 0.1)");
    on_run(command, shell, [request] { return run_load_command(*request); });
}

}  // namespace culprit::cli
