#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "apps/culprit/command.h"
#include "apps/culprit/progress_bar.h"
#include "culprit/base/parallel.h"
#include "culprit/readers/case_reader.h"
#include "culprit/readers/case_writer.h"
#include "culprit/readers/columnar_file.h"
#include "culprit/report/shell_word.h"

namespace culprit::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertRequest {
    std::string source;
    std::string target;
    std::string form;
    bool strict = false;
};

struct Outcome {
    Status status;
    std::uint64_t num_problems = 0;
};

Status write_as(const Case& read, const fs::path& target, const std::string& form) {
    if (form == "columnar") return write_columnar(read, target.string());
    return write_case(read, target.string(),
                      form == "rcaeval" ? CaseLayout::rcaeval : CaseLayout::study);
}

Outcome convert(const CaseLocation& location, const fs::path& target,
                const ConvertRequest& request) {
    Outcome outcome;
    auto read = read_case(location.path, {.strict = request.strict, .num_threads = 1});
    if (!read) {
        outcome.status = tl::unexpected<Error>(read.error());
        return outcome;
    }
    for (const DataProblem& problem : read->problems) outcome.num_problems += problem.count;
    // They are about files that are left behind.
    read->problems.clear();
    std::error_code code;
    if (target.has_parent_path()) fs::create_directories(target.parent_path(), code);
    if (fs::exists(target, code))
        outcome.status = fail(ErrorCode::invalid_input,
                              target.string() + ": expected a new name, found something there");
    else
        outcome.status = write_as(*read, target, request.form);
    return outcome;
}

// Where the case goes: a single one to the target itself, the cases of a dataset below it under
// the names that say their truth.
fs::path target_of(const CaseLocation& location, bool is_case, const ConvertRequest& request) {
    if (is_case) return request.target;
    // "<dataset>/<service>_<fault>/<n>": the dataset's name is the target's.
    fs::path name = location.id.substr(location.id.find('/') + 1);
    if (request.form == "columnar") name += columnar_suffix;
    return fs::path(request.target) / name;
}

Status run_convert(const ConvertRequest& request, Shell& shell) {
    CULPRIT_TRY(const std::vector<CaseLocation> locations, find_cases(request.source));
    const bool is_case = locations.size() == 1 && locations[0].path == request.source;
    if (is_case && request.form == "columnar" && !request.target.ends_with(columnar_suffix))
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected a target that ends in {}, found {}", columnar_suffix,
                                request.target));
    std::vector<Outcome> outcomes(locations.size());
    {
        ProgressBar bar(shell.err(), true);
        parallel_for(locations.size(), 0, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                outcomes[i] =
                    convert(locations[i], target_of(locations[i], is_case, request), request);
                bar.step(locations.size(), "cases");
            }
        });
    }
    std::size_t num_written = 0;
    std::uint64_t num_problems = 0;
    for (const Outcome& outcome : outcomes) {
        num_problems += outcome.num_problems;
        if (outcome.status) {
            ++num_written;
            continue;
        }
        if (is_case) return outcome.status;
        print_error(shell, outcome.status.error().message);
        shell.exit_code = std::max(shell.exit_code, exit_code_of(outcome.status.error().code));
    }
    if (num_problems > 0)
        print_warning(shell, fmt::format("{} values or rows could not be used and are not in the "
                                         "copy\nTry: culprit inspect {}",
                                         num_problems, shell_word(request.source)));
    return write_out(fmt::format("{} of {} cases written to {}\n", num_written, locations.size(),
                                 request.target));
}

}  // namespace

void add_convert_command(Command& root, Shell& shell) {
    Command command = root.subcommand("convert", "Write a case or a dataset in another layout");
    auto request = std::make_shared<ConvertRequest>();
    command.option("source", request->source, "A case or a folder of cases, in any layout")
        .required();
    command.option("target", request->target, "A new folder, or a new .culprit file").required();
    command.option("--to", request->form, "study|rcaeval|columnar")
        .check(one_of({"study", "rcaeval", "columnar"}))
        .required();
    command.flag("--strict", request->strict, "Refuse cases with problems");
    command.footer(
        R"(study     the prepared layout of the study: data.csv, logs.csv, traces.csv, ... and
          what they cannot hold in collected.json
rcaeval   RCAEval's: data.csv and inject_time.txt, or with logs or traces simple_metrics.csv and
          those; no topology
columnar  one file per case that is mapped instead of parsed, for datasets that are read often

A dataset becomes TARGET/<service>_<fault>/<n>. Every case appears whole or not at all; nothing that
exists is overwritten.

Examples:
  culprit convert cases/web_cpu/3 web_cpu_3.culprit --to columnar
  culprit convert datasets/re2-ob fast/re2-ob --to columnar
  culprit convert incident-0311 for-rcaeval/web_cpu/1 --to rcaeval

Exit codes: 0 all cases were written, 1 a write failed, 2 a case can't be read or the target
exists.)");
    on_run(command, shell, [request, &shell] { return run_convert(*request, shell); });
}

}  // namespace culprit::cli
