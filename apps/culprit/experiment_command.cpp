#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>

#include "apps/culprit/command.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/experiment.h"

namespace culprit::cli {
namespace {

std::atomic<bool> interrupted = false;

struct ExperimentRequest {
    std::string plan;
    std::string testbed = "default";
    testbed::ExperimentOptions options;
};

Status run_experiment_command(const ExperimentRequest& request) {
    for (const int number : {SIGINT, SIGTERM}) signal(number, [](int) { interrupted = true; });
    auto options = request.options;
    CULPRIT_TRY(options.plan_text, testbed::read_text_file(request.plan));
    auto plan = testbed::parse_experiment(options.plan_text);
    if (!plan) return fail_with_context(request.plan, plan.error());
    CULPRIT_TRY(const auto settings, testbed::read_settings(request.testbed));
    return testbed::run_experiment(
        settings, *plan, options,
        [](const std::string& line) {
            fmt::print(stderr, "{}\n", line);
            std::fflush(stderr);
        },
        [] { return interrupted.load(); });
}

}  // namespace

void add_experiment_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "experiment", "Record labelled incidents on the testbed: a matrix of faults and targets");
    auto request = std::make_shared<ExperimentRequest>();
    command.option("plan", request->plan, "Matrix (YAML)").required().check(existing_file());
    command.option("--out", request->options.folder, "Dataset folder; what it has is skipped")
        .required();
    command.option("--name", request->testbed, "The testbed").default_text("default");
    command
        .option("--minutes", request->options.seconds_max,
                "Start no case that would end after so many minutes")
        .transform([](const std::string& text) { return fmt::format("{}", 60 * std::stod(text)); });
    command.option("--split", request->options.split, "Only dev or test")
        .check(one_of({"dev", "test"}));
    command.footer(R"(Example:
  culprit testbed up --scrape 1
  culprit experiment testbed/plans/llm-testbed.yaml --out incidents)");
    on_run(command, shell, [request] { return run_experiment_command(*request); });
}

}  // namespace culprit::cli
