#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "apps/culprit/command.h"
#include "culprit/testbed/agent.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/deployment.h"
#include "culprit/testbed/settings.h"
#include "culprit/testbed/stress.h"
#include "culprit/testbed/supervisor.h"
#include "culprit/testbed/wire.h"

namespace culprit::cli {
namespace {

std::atomic<bool> interrupted = false;

void watch_interrupts() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        signal(number, [](int) { interrupted = true; });
}

void say(const std::string& line) {
    fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
}

Status run_up(testbed::Settings settings, bool index_was_given, const Shell& shell) {
    watch_interrupts();
    CULPRIT_TRY_STATUS(testbed::check_name(settings.name));
    CULPRIT_TRY_STATUS(testbed::check_machine());
    if (settings.assets.empty()) settings.assets = CULPRIT_TESTBED_ASSETS;
    CULPRIT_TRY(settings.python, testbed::prepare_environment(settings.assets, say));
    if (!index_was_given) settings.index = testbed::free_index();
    CULPRIT_TRY_STATUS(testbed::start_testbed(settings, say, [] { return interrupted.load(); }));
    const Style style = shell.out();
    return write_out(fmt::format(
        "{}  entry {}/v1/completions   prometheus {}\n  next: culprit diagnose --from {} --at "
        "now\n",
        style.bold("healthy"), settings.proxy_url(), settings.prometheus_url(),
        settings.path("culprit.yaml")));
}

Status run_status(const std::string& name, const Shell& shell) {
    CULPRIT_TRY(const auto status, testbed::testbed_status(name));
    const Style style = shell.out();
    std::string text = fmt::format("{}  {}\n", style.bold(status.phase), status.message);
    for (const auto& component : status.components)
        text += fmt::format("  {:<16} {:<14} {:>3} processes {:>8.0f} MB   {}\n", component.name,
                            component.address, component.processes, component.memory_bytes / 1e6,
                            component.detail);
    return write_out(text);
}

void add_up(CLI::App& testbed, Shell& shell) {
    CLI::App* command =
        testbed.add_subcommand("up", "Start the stack and wait until it is healthy");
    auto settings = std::make_shared<testbed::Settings>();
    command->add_option("--name", settings->name, "Its name; two run side by side under two names")
        ->default_str(settings->name);
    CLI::Option* index = command
                             ->add_option("--index", settings->index,
                                          "Network 10.77.INDEX.0/24 (default: a free one)")
                             ->check(CLI::Range(0, 254));
    command->add_option("--replicas", settings->replicas, "Engines (data parallel)")
        ->check(CLI::Range(1, 16))
        ->default_str("3");
    command->add_option("--scrape", settings->scrape_seconds, "Seconds between two scrapes")
        ->check(CLI::Range(1.0, 60.0))
        ->default_str("5");
    command
        ->add_option("--prometheus-port", settings->prometheus_port,
                     "On 127.0.0.1; the index is added")
        ->default_str("19090");
    command->add_option("--assets", settings->assets, "Folder of the Python sources");
    on_run(*command, shell,
           [settings, index, &shell] { return run_up(*settings, index->count() > 0, shell); });
}

// What faults run inside the testbed.
void add_helpers(CLI::App& testbed, Shell& shell) {
    CLI::App* stress = testbed.add_subcommand("stress", "")->group("");
    auto kind = std::make_shared<std::string>();
    auto name = std::make_shared<std::string>("default");
    auto megabytes = std::make_shared<double>(100);
    stress->add_option("kind", *kind, "")->check(CLI::IsMember({"cpu", "memory", "disk"}));
    stress->add_option("--name", *name, "");
    auto workers = std::make_shared<int>(1);
    auto ready = std::make_shared<std::string>();
    stress->add_option("--megabytes", *megabytes, "");
    stress->add_option("--workers", *workers, "");
    stress->add_option("--ready", *ready, "");
    on_run(*stress, shell, [=]() -> Status {
        const auto tell = [&] {
            if (!ready->empty()) static_cast<void>(testbed::write_text_file(*ready, "ready\n"));
        };
        testbed::multiply(*workers);
        if (*kind == "memory") testbed::hold_memory(*megabytes, tell);
        tell();
        if (*kind == "cpu") testbed::burn_cpu();
        CULPRIT_TRY(const auto settings, testbed::read_settings(*name));
        return testbed::write_to_disk(settings.path("tmp"));
    });
    CLI::App* wire = testbed.add_subcommand("wire", "")->group("");
    auto component = std::make_shared<std::string>();
    auto values = std::make_shared<std::array<double, 4>>();
    values->fill(0);
    wire->add_option("--name", *name, "");
    wire->add_option("--component", *component, "");
    wire->add_option("--ready", *ready, "");
    wire->add_option("--milliseconds", (*values)[0], "");
    wire->add_option("--jitter_milliseconds", (*values)[1], "");
    wire->add_option("--percent", (*values)[2], "");
    wire->add_option("--kilobits_per_second", (*values)[3], "");
    on_run(*wire, shell, [=]() -> Status {
        watch_interrupts();
        CULPRIT_TRY(const auto settings, testbed::read_settings(*name));
        const testbed::ImpairmentOptions options{.delay_seconds = (*values)[0] / 1000,
                                                 .jitter_seconds = (*values)[1] / 1000,
                                                 .loss_share = (*values)[2] / 100,
                                                 .bytes_per_second = (*values)[3] * 1000 / 8};
        return testbed::run_wire(
            settings, *component, options,
            [&] { static_cast<void>(testbed::write_text_file(*ready, "ready\n")); },
            [] { return interrupted.load(); });
    });
}

void add_rest(CLI::App& testbed, Shell& shell) {
    auto name = std::make_shared<std::string>("default");
    auto keep = std::make_shared<bool>(false);
    CLI::App* down = testbed.add_subcommand("down", "Stop it; returns when nothing is left of it");
    down->add_option("--name", *name, "Which")->default_str("default");
    down->add_flag("--keep-files", *keep, "Leave logs and telemetry in /tmp/culprit-NAME");
    on_run(*down, shell, [name, keep] { return testbed::stop_testbed(*name, *keep); });

    CLI::App* status = testbed.add_subcommand("status", "What runs, and whether it answers");
    status->add_option("--name", *name, "Which")->default_str("default");
    on_run(*status, shell, [name, &shell] { return run_status(*name, shell); });

    // The processes behind a testbed; `up` starts them.
    CLI::App* supervise = testbed.add_subcommand("supervise", "")->group("");
    supervise->add_option("--name", *name, "");
    on_run(*supervise, shell, [name]() -> Status {
        CULPRIT_TRY(const auto settings, testbed::read_settings(*name));
        return testbed::run_supervisor(settings);
    });
    add_helpers(testbed, shell);
    CLI::App* agent = testbed.add_subcommand("agent", "")->group("");
    agent->add_option("--name", *name, "");
    on_run(*agent, shell, [name]() -> Status {
        CULPRIT_TRY(const auto settings, testbed::read_settings(*name));
        return testbed::run_agent(settings);
    });
}

}  // namespace

void add_testbed_command(CLI::App& root, Shell& shell) {
    CLI::App* command = root.add_subcommand(
        "testbed", "A real LLM serving stack on this machine: nginx, Ray Serve, vLLM, Prometheus");
    command->require_subcommand(1);
    command->footer(
        R"(Needs root, Debian's nginx-light, prometheus and iproute2, two cores and 8 GiB of memory.
Nothing leaves the machine: every component has a network namespace of its own.

Examples:
  culprit testbed up
  culprit testbed status
  culprit testbed down)");
    add_up(*command, shell);
    add_rest(*command, shell);
}

}  // namespace culprit::cli
