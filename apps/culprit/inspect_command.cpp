#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "apps/culprit/command.h"
#include "apps/culprit/inspect_text.h"
#include "apps/culprit/progress_bar.h"
#include "culprit/base/parallel.h"
#include "culprit/readers/case_reader.h"

namespace culprit::cli {
namespace {

struct InspectRequest {
    std::string path;
    std::string format = "table";
    bool strict = false;
};

InspectedCase inspect(const CaseLocation& location, const CaseReadOptions& options) {
    InspectedCase inspected;
    const auto found = read_case(location.path, options);
    if (found) {
        inspected.summary = summarize(*found);
    } else {
        inspected.error = found.error().message;
        inspected.summary.id = location.id;
        inspected.summary.dataset = location.dataset;
        inspected.summary.path = location.path;
    }
    return inspected;
}

Status run_inspect(const InspectRequest& request, Shell& shell) {
    CULPRIT_TRY(const std::vector<CaseLocation> locations, find_cases(request.path));
    CaseReadOptions options;
    options.strict = request.strict;
    options.alert_required = false;
    const bool is_case = locations.size() == 1 && locations[0].path == request.path;
    options.num_threads = is_case ? 0 : 1;
    std::vector<InspectedCase> cases(locations.size());
    {
        ProgressBar bar(shell.err(), true);
        parallel_for(locations.size(), 0, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                cases[i] = inspect(locations[i], options);
                bar.step(locations.size(), "cases");
            }
        });
    }
    if (is_case && !cases[0].error.empty() && request.format != "json")
        return fail(ErrorCode::malformed_data, cases[0].error);
    for (const InspectedCase& inspected : cases)
        if (!inspected.error.empty()) shell.exit_code = 2;
    if (request.format == "json") return write_out(cases_json(cases, !is_case));
    if (is_case) return write_out(case_page(cases[0].summary, shell.out()));
    return write_out(dataset_page(cases, shell.out()));
}

}  // namespace

void add_inspect_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "inspect", "What is in a case or a dataset, and everything that is wrong with it");
    auto request = std::make_shared<InspectRequest>();
    command.option("path", request->path, "A case folder or file, or a folder of cases").required();
    command.option("--format", request->format, "table|json")
        .check(one_of({"table", "json"}))
        .default_text("table");
    command.flag("--strict", request->strict,
                 "Stop at the first problem instead of counting problems");
    command.footer(
        R"(A case is a folder with data.csv (or RCAEval's simple_metrics.csv or metrics.json) and
inject_time.txt, and, where there are any, logs.csv, traces.csv and mpg.csv; or one file made by
`culprit convert`. Files may be compressed (.gz, .zst). Problems that cost single values or rows are
counted and shown with file, line and field; the other data are used.

Examples:
  culprit inspect cases/web_cpu/3
  culprit inspect datasets/re2-ob
  culprit inspect datasets --format json | jq '.[] | select(.problems != []) | .id'

Exit codes: 0 all cases were read, 1 a read failed, 2 a case is no case or can't be understood.)");
    on_run(command, shell, [request, &shell] { return run_inspect(*request, shell); });
}

}  // namespace culprit::cli
