#include <fmt/format.h>

#include <memory>

#include "apps/culprit/command.h"
#include "apps/culprit/live_case.h"
#include "culprit/readers/case_writer.h"

namespace culprit::cli {
namespace {

struct CollectRequest {
    std::string config;
    std::string at = "now";
    std::string output;
};

Status run_collect(const CollectRequest& request) {
    CULPRIT_TRY(const Collection collection, collect_live_case(request.config, request.at));
    CULPRIT_TRY_STATUS(write_case(collection.incident_case, request.output));
    std::string text = describe_sources(collection);
    const Incident& incident = collection.incident_case.incident;
    text += fmt::format("{} columns of {} points, alert {}, in {:.1f} s -> {}\n",
                        incident.metrics.num_columns(), incident.metrics.num_rows(),
                        format_rfc3339(incident.alert), collection.seconds, request.output);
    for (const DataProblem& problem : collection.incident_case.problems)
        text += fmt::format("  {}: {}\n", problem.place, problem.message);
    return write_out(text);
}

constexpr const char* footer = R"(Examples:
  culprit collect --from culprit.yaml --at "2026-03-02 03:11:40" -o incident
  culprit diagnose incident                the same answer, now or in a year
  culprit inspect incident)";

}  // namespace

void add_collect_command(Command& root, Shell& shell) {
    Command command =
        root.subcommand("collect", "Save an incident from live systems as a case folder");
    auto request = std::make_shared<CollectRequest>();
    command
        .option("--from", request->config,
                "Where telemetry is: a file from culprit init, or receiver")
        .required();
    command.option("--at", request->at, "When it began: a time, or now").default_text(request->at);
    command.option("-o,--output", request->output, "Folder to write; must not exist").required();
    command.footer(footer);
    on_run(command, shell, [request] { return run_collect(*request); });
}

}  // namespace culprit::cli
