#include <fmt/format.h>
#include <signal.h>

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

void add_up(Command& testbed, Shell& shell) {
    Command command = testbed.subcommand("up", "Start the stack and wait until it is healthy");
    auto settings = std::make_shared<testbed::Settings>();
    command.option("--name", settings->name, "Its name; two run side by side under two names")
        .default_text(settings->name);
    Option index =
        command.option("--index", settings->index, "Network 10.77.INDEX.0/24 (default: a free one)")
            .check(whole_between(0, 254));
    command.option("--replicas", settings->replicas, "Engines (data parallel)")
        .check(whole_between(1, 16))
        .default_text("3");
    command.option("--scrape", settings->scrape_seconds, "Seconds between two scrapes")
        .check(between(1.0, 60.0))
        .default_text("5");
    command
        .option("--prometheus-port", settings->prometheus_port, "On 127.0.0.1; the index is added")
        .default_text("19090");
    command.option("--assets", settings->assets, "Folder of the Python sources");
    on_run(command, shell,
           [settings, index, &shell] { return run_up(*settings, index.was_given(), shell); });
}

// What faults run inside the testbed.
void add_helpers(Command& testbed, Shell& shell) {
    Command stress = testbed.hidden_subcommand("stress");
    auto kind = std::make_shared<std::string>();
    auto name = std::make_shared<std::string>("default");
    auto megabytes = std::make_shared<double>(100);
    stress.option("kind", *kind, "").check(one_of({"cpu", "memory", "disk"}));
    stress.option("--name", *name, "");
    auto workers = std::make_shared<int>(1);
    auto ready = std::make_shared<std::string>();
    stress.option("--megabytes", *megabytes, "");
    stress.option("--workers", *workers, "");
    stress.option("--ready", *ready, "");
    on_run(stress, shell, [=]() -> Status {
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
    Command wire = testbed.hidden_subcommand("wire");
    auto component = std::make_shared<std::string>();
    auto values = std::make_shared<std::array<double, 4>>();
    values->fill(0);
    wire.option("--name", *name, "");
    wire.option("--component", *component, "");
    wire.option("--ready", *ready, "");
    wire.option("--milliseconds", (*values)[0], "");
    wire.option("--jitter_milliseconds", (*values)[1], "");
    wire.option("--percent", (*values)[2], "");
    wire.option("--kilobits_per_second", (*values)[3], "");
    on_run(wire, shell, [=]() -> Status {
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

void add_rest(Command& testbed, Shell& shell) {
    auto name = std::make_shared<std::string>("default");
    auto keep = std::make_shared<bool>(false);
    Command down = testbed.subcommand("down", "Stop it; returns when nothing is left of it");
    down.option("--name", *name, "Which").default_text("default");
    down.flag("--keep-files", *keep, "Leave logs and telemetry in /tmp/culprit-NAME");
    on_run(down, shell, [name, keep] { return testbed::stop_testbed(*name, *keep); });

    Command status = testbed.subcommand("status", "What runs, and whether it answers");
    status.option("--name", *name, "Which").default_text("default");
    on_run(status, shell, [name, &shell] { return run_status(*name, shell); });

    // The processes behind a testbed; `up` starts them.
    Command supervise = testbed.hidden_subcommand("supervise");
    supervise.option("--name", *name, "");
    on_run(supervise, shell, [name]() -> Status {
        CULPRIT_TRY(const auto settings, testbed::read_settings(*name));
        return testbed::run_supervisor(settings);
    });
    add_helpers(testbed, shell);
    Command agent = testbed.hidden_subcommand("agent");
    agent.option("--name", *name, "");
    on_run(agent, shell, [name]() -> Status {
        CULPRIT_TRY(const auto settings, testbed::read_settings(*name));
        return testbed::run_agent(settings);
    });
}

}  // namespace

void add_testbed_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "testbed", "A real LLM serving stack on this machine: nginx, Ray Serve, vLLM, Prometheus");
    command.requires_subcommand();
    command.footer(
        R"(Needs root, Debian's nginx-light, prometheus and iproute2, two cores and 8 GiB of memory.
Nothing leaves the machine: every component has a network namespace of its own.

Examples:
  culprit testbed up
  culprit testbed status
  culprit testbed down)");
    add_up(command, shell);
    add_rest(command, shell);
}

}  // namespace culprit::cli
