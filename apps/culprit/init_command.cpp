#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "apps/culprit/command.h"
#include "culprit/telemetry/probe.h"

namespace culprit::cli {
namespace {

struct InitRequest {
    std::vector<std::string> hosts = {"localhost"};
    std::string output = "culprit.yaml";
    bool overwrite = false;
};

Status run_init(const InitRequest& request) {
    if (request.output != "-" && !request.overwrite && std::filesystem::exists(request.output))
        return fail(ErrorCode::invalid_input,
                    fmt::format("{} exists; --force writes over it", request.output));
    const auto transport = make_curl_transport();
    const std::vector<Probe> probes = probe_hosts(request.hosts, *transport, {});
    CULPRIT_TRY_STATUS(write_whole_file(request.output, format_config(probes)));
    if (request.output == "-") return {};
    std::string text;
    for (const Probe& probe : probes)
        text += fmt::format("{:<11} {:<32} {}\n", probe.kind, probe.url,
                            probe.answers ? probe.detail : "no answer");
    const bool found = std::ranges::any_of(probes, &Probe::answers);
    text += found ? fmt::format("\nwrote {}\n  next: culprit assess --from {}\n", request.output,
                                request.output)
                  : fmt::format(
                        "\nwrote {} with every source commented out: nothing answered on "
                        "the usual ports.\n  Fill in an address, or probe another host: "
                        "culprit init --host NAME\n",
                        request.output);
    return write_out(text);
}

constexpr const char* footer = R"(Examples:
  culprit init
  culprit init --host prometheus.monitoring --host loki.monitoring -o prod.yaml
  culprit assess --from culprit.yaml)";

}  // namespace

void add_init_command(Command& root, Shell& shell) {
    Command command =
        root.subcommand("init", "Look for monitoring systems and write a configuration");
    auto request = std::make_shared<InitRequest>();
    command.option("--host", request->hosts, "Where to look; may be given several times")
        .default_text("localhost");
    command.option("-o,--output", request->output, "File to write; - is standard output")
        .default_text(request->output);
    command.flag("--force", request->overwrite, "Write over an existing file");
    command.footer(footer);
    on_run(command, shell, [request] { return run_init(*request); });
}

}  // namespace culprit::cli
