#include <fmt/format.h>

#include <memory>

#include "apps/culprit/command.h"
#include "apps/culprit/live_case.h"
#include "culprit/readers/case_reader.h"
#include "culprit/telemetry/assess.h"

namespace culprit::cli {
namespace {

struct AssessRequest {
    std::string path;
    std::string config;
    std::string format = "table";
    std::string output = "-";
    AssessOptions options;
};

Result<Case> observe(AssessRequest& request) {
    if (request.config.empty()) {
        CaseReadOptions options;
        options.alert_required = false;
        return read_case(request.path, options);
    }
    CULPRIT_TRY(Collection collection, collect_live_case(request.config, "now"));
    for (const SourceReport& source : collection.sources)
        request.options.seen_names.insert(request.options.seen_names.end(), source.names.begin(),
                                          source.names.end());
    return std::move(collection.incident_case);
}

Status run_assess(AssessRequest request) {
    if (request.path.empty() == request.config.empty())
        return fail(ErrorCode::invalid_input,
                    "expected either a case (culprit assess PATH) or live systems (culprit assess "
                    "--from CONFIG)");
    CULPRIT_TRY(const Case observed, observe(request));
    const Assessment assessment = assess(take_inventory(observed, request.options),
                                         Catalogue::builtin(), FaultLibrary::builtin());
    if (request.format == "json")
        return write_whole_file(request.output, assessment_json(assessment));
    if (request.format == "html")
        return write_whole_file(request.output, assessment_html(assessment));
    return write_whole_file(request.output, assessment_text(assessment));
}

constexpr const char* footer = R"(Examples:
  culprit assess --from culprit.yaml
  culprit assess --from culprit.yaml --format html -o gaps.html
  culprit assess cases/proxy_cpu/3         what was missing in a recorded incident)";

}  // namespace

void add_assess_command(Command& root, Shell& shell) {
    Command command =
        root.subcommand("assess", "Which telemetry is missing, and which faults it hides");
    auto request = std::make_shared<AssessRequest>();
    command.option("path", request->path, "A case folder");
    command.option("--from", request->config,
                   "Live systems: a file from culprit init, or receiver");
    command.option("--format", request->format, "table, json or html")
        .check(one_of({"table", "json", "html"}))
        .default_text(request->format);
    command.option("-o,--output", request->output, "File to write; - is standard output")
        .default_text(request->output);
    command
        .option("--shortest-fault", request->options.fault_seconds,
                "Seconds; a series with fewer than four values in them is impaired")
        .check(between(1.0, 86400.0))
        .default_text("60");
    command.footer(footer);
    on_run(command, shell, [request] { return run_assess(*request); });
}

}  // namespace culprit::cli
