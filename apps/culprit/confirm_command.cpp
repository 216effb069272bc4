#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "apps/culprit/command.h"
#include "apps/culprit/knowledge.h"
#include "culprit/readers/case_reader.h"

namespace culprit::cli {
namespace {

struct ConfirmRequest {
    std::string path;
    std::string component;
    std::string fault;
    std::string at;
    Knowledge knowledge;
};

constexpr const char* footer =
    R"(The file of confirmed incidents is plain text, one incident per line: component, fault,
and what each known signal of the component did; no raw data. Delete a line to unlearn it.

Each confirmed incident shifts what the fault is expected to look like here by about an eighth of
the way from the shipped signature, and makes the fault a little more likely. A fault that nobody
knows yet needs a file first: copy one of data/faults and give its folder with --faults.

Examples:
  culprit confirm incident/ --component llm-2 --fault gpu_power_cap --experience learned.jsonl
  culprit diagnose next-incident/ --experience learned.jsonl)";

Status run_confirm(const ConfirmRequest& request) {
    if (request.knowledge.experience.empty())
        return fail(ErrorCode::invalid_input,
                    "expected --experience FILE, where confirmed incidents are kept\n"
                    "Try: culprit confirm --help");
    CULPRIT_TRY(const FaultLibrary library, request.knowledge.library());
    CaseReadOptions options;
    if (!request.at.empty()) {
        CULPRIT_TRY(options.alert, parse_time(request.at));
    }
    CULPRIT_TRY(const Case found, read_case(request.path, options));
    const std::string name =
        fmt::format("{} {}", format_time(found.incident.alert, 0), request.component);
    CULPRIT_TRY(const ConfirmedIncident confirmed,
                confirm(found.incident, name, request.component, request.fault, library));
    std::string text;
    const std::string& path = request.knowledge.experience;
    if (std::filesystem::exists(path)) {
        CULPRIT_TRY(const auto known, Experience::read(path));
        for (const ConfirmedIncident& incident : known) {
            if (incident.name == name && incident.fault == request.fault)
                return fail(
                    ErrorCode::invalid_input,
                    fmt::format("{}: {} is already confirmed as {}", path, name, request.fault));
            text += Experience::to_json_line(incident);
        }
    }
    text += Experience::to_json_line(confirmed);
    CULPRIT_TRY_STATUS(write_whole_file(path, text));
    return write_out(fmt::format("{}: {} confirmed as {}, {} signals\n", path, name, request.fault,
                                 confirmed.signals.size()));
}

}  // namespace

void add_confirm_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "confirm", "Teach the default method: this incident was that fault at that component");
    auto request = std::make_shared<ConfirmRequest>();
    command.option("path", request->path, "Case folder").required();
    command.option("--component", request->component,
                   "The component that was broken; without it the service as a whole");
    command.option("--fault", request->fault, "Id of the fault, as diagnose names it").required();
    command.option("--at", request->at, "Time of the alert, when the case has none");
    add_knowledge_options(command, request->knowledge);
    command.footer(footer);
    on_run(command, shell, [request] { return run_confirm(*request); });
}

}  // namespace culprit::cli
