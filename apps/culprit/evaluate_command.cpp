#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "apps/culprit/case_choice.h"
#include "apps/culprit/command.h"
#include "apps/culprit/heap_meter.h"
#include "apps/culprit/method_choice.h"
#include "apps/culprit/progress_bar.h"
#include "culprit/base/duration.h"
#include "culprit/evaluation/fingerprint.h"
#include "culprit/evaluation/journal.h"
#include "culprit/evaluation/runner.h"
#include "culprit/evaluation/summary.h"
#include "culprit/report/evaluation_text.h"

namespace culprit::cli {
namespace {

struct EvaluateRequest {
    CaseChoice choice;
    std::string methods = "all";
    std::string variant = "both";
    std::vector<std::string> options;
    std::uint64_t seed = 0;
    double timeout_seconds = 300;
    unsigned jobs = 0;
    std::string output = "results";
    std::string format = "table";
    std::string command;
};

constexpr const char* footer = R"(What is written to the output folder:
  journal.jsonl    every result the moment it is there; a killed run goes on where it was
  results.jsonl    the results of this command, one JSON object per method and case
  summary.csv      every table, one line per group, method, variant and level
  summary.json     the same for programs
  summary.md       the same to read
  index.html       the same with charts, one file

A result is reused when nothing changed: case files, method, variant, options, seed, program. What
ran out of time is tried again when more time is allowed.
A failed case counts as a miss. `chance` is the exact expectation of a random order.
It, mean_shift and (where change events are recorded) latest_change stand in every table.

Examples:
  culprit evaluate data/re1-ob --methods baro,nsigma,mean_shift
  culprit evaluate data/re1-ob data/petshop --methods all --variant both --jobs 2
  culprit evaluate data/re1-ob --format json | jq '.groups[0].rows[] | {method, service}')";

std::stop_source interrupt;  // requested by the signal handler's thread below

// SIGINT and SIGTERM end the run between two cells: what is done stays in the journal.
class InterruptWatch {
public:
    InterruptWatch() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        thread_ = std::jthread([signals = signals_](const std::stop_token& stop) {
            const timespec moment{.tv_sec = 0, .tv_nsec = 100'000'000};
            while (!stop.stop_requested()) {
                if (sigtimedwait(&signals, nullptr, &moment) < 0) continue;
                // The second signal ends the program at once.
                if (!interrupt.request_stop()) std::_Exit(130);
            }
        });
    }

private:
    sigset_t signals_{};
    std::jthread thread_;
};

std::string machine_text() {
    std::ifstream info("/proc/cpuinfo");
    std::string line;
    std::string model = "unknown processor";
    while (std::getline(info, line))
        if (line.starts_with("model name")) {
            model = line.substr(line.find(':') + 2);
            break;
        }
    return fmt::format("{}, {} cores", model, std::thread::hardware_concurrency());
}

struct Outputs {
    EvaluationSummary summary;
    EvaluationHeader header;
};

Status write_outputs(const std::string& folder, const std::vector<CellRecord>& cells,
                     const Outputs& outputs) {
    std::string lines;
    for (const CellRecord& cell : cells) lines += to_json_line(cell) + "\n";
    CULPRIT_TRY_STATUS(write_whole_file(folder + "/results.jsonl", lines));
    CULPRIT_TRY_STATUS(write_whole_file(folder + "/summary.csv", evaluation_csv(outputs.summary)));
    CULPRIT_TRY_STATUS(
        write_whole_file(folder + "/index.html", evaluation_html(outputs.summary, outputs.header)));
    CULPRIT_TRY_STATUS(write_whole_file(folder + "/summary.json",
                                        evaluation_json(outputs.summary, outputs.header)));
    return write_whole_file(folder + "/summary.md",
                            evaluation_markdown(outputs.summary, outputs.header));
}

// A table without them misleads: simple rules beat published methods on several sets.
void add_baselines(std::vector<Contender>& contenders) {
    for (const char* name : {"mean_shift", "latest_change"})
        if (std::none_of(contenders.begin(), contenders.end(),
                         [&](const Contender& c) { return c.method == name; }))
            contenders.push_back({.method = name});
}

Result<EvaluationPlan> plan_of(const EvaluateRequest& request) {
    EvaluationPlan plan;
    CULPRIT_TRY(plan.cases, request.choice.cases());
    CULPRIT_TRY(plan.contenders, contenders_of(request.methods, request.variant));
    add_baselines(plan.contenders);
    CULPRIT_TRY(plan.options, options_of(request.options));
    plan.seed = request.seed;
    plan.timeout = duration_from_seconds(request.timeout_seconds);
    plan.jobs = request.jobs;
    plan.version =
        std::string(CULPRIT_VERSION) + "+" + digest_of_file("/proc/self/exe").substr(0, 8);
    plan.heap_meter = heap_meter();
    return plan;
}

// What keeps whole cases from being scored: a table of misses does not say it. Exit code 2 when no
// case could be read.
void warn_about_cases(const std::vector<CellRecord>& cells, std::size_t num_cases, Shell& shell) {
    constexpr std::size_t shown_max = 3;
    std::size_t num_unread = 0;
    std::size_t num_unlabelled = 0;
    for (const CellRecord& cell : cells) {
        if (cell.key.method != chance_name) continue;  // once per case
        num_unlabelled += cell.truth.empty() ? 1 : 0;
        if (!cell.reason.starts_with(case_not_read)) continue;
        if (num_unread++ < shown_max) print_warning(shell, cell.reason);
    }
    if (num_unread > shown_max)
        print_warning(shell, fmt::format("{} cases not read in all, each counts as a miss; culprit "
                                         "inspect says why",
                                         num_unread));
    if (num_unread == num_cases) shell.exit_code = 2;
    if (num_unlabelled == num_cases)
        print_warning(shell,
                      "no case names its root cause, so there is nothing to score\nExpected "
                      "\"root_cause_service\" in case.json, or a folder named SERVICE_FAULT above "
                      "the case.");
}

Status run_evaluate(const EvaluateRequest& request, Shell& shell) {
    CULPRIT_TRY(const EvaluationPlan plan, plan_of(request));
    std::error_code error;
    std::filesystem::create_directories(request.output, error);
    if (error)
        return fail(ErrorCode::io_failure,
                    fmt::format("{}: can't create: {}", request.output, error.message()));
    CULPRIT_TRY(Journal journal, Journal::open(request.output + "/journal.jsonl"));
    if (journal.num_torn_bytes() > 0)
        print_warning(shell, fmt::format("{}/journal.jsonl: the last line was cut short ({} bytes) "
                                         "and is computed again",
                                         request.output, journal.num_torn_bytes()));
    std::vector<CellRecord> cells;
    {
        const InterruptWatch watch;
        ProgressBar bar(shell.err());
        if (isatty(STDERR_FILENO) == 1)
            fmt::print(stderr, "{} methods and variants on {} cases\n", plan.contenders.size(),
                       plan.cases.size());
        auto ran = run_evaluation(plan, journal, Stop(interrupt.get_token()),
                                  [&](const EvaluationProgress& progress) { bar.show(progress); });
        if (!ran && ran.error().code == ErrorCode::cancelled) {
            bar.clear();
            return tl::unexpected<Error>(
                with_hint(ran.error(), "The same command goes on from there."));
        }
        if (!ran) return tl::unexpected<Error>(ran.error());
        cells = std::move(*ran);
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    Outputs outputs{summarize(cells, {.seed = request.seed}),
                    {.command = request.command,
                     .version = plan.version,
                     .seed = request.seed,
                     .machine = machine_text(),
                     .num_cases = plan.cases.size(),
                     .num_contenders = plan.contenders.size(),
                     .process_peak_bytes = usage.ru_maxrss * 1024}};
    CULPRIT_TRY_STATUS(write_outputs(request.output, cells, outputs));
    warn_about_cases(cells, plan.cases.size(), shell);
    if (request.format == "json")
        return write_out(evaluation_json(outputs.summary, outputs.header));
    if (request.format == "markdown")
        return write_out(evaluation_markdown(outputs.summary, outputs.header));
    if (request.format == "csv") return write_out(evaluation_csv(outputs.summary));
    return write_out(evaluation_table(outputs.summary, shell.out()) +
                     fmt::format("\nreport: {}/index.html\n", request.output));
}

std::string command_text(const EvaluateRequest& request) {
    std::string text = fmt::format("culprit evaluate {} --methods {} --variant {} --seed {}",
                                   fmt::join(request.choice.paths, " "), request.methods,
                                   request.variant, request.seed);
    if (request.choice.split != "all") text += " --split " + request.choice.split;
    for (const std::string& option : request.options) text += " --option " + option;
    return text;
}

}  // namespace

void add_evaluate_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "evaluate", "Rank methods by how often they find the root cause of labelled cases");
    auto request = std::make_shared<EvaluateRequest>();
    add_case_options(command, request->choice).required();
    command.option("--methods", request->methods, "Methods, separated by commas, or all")
        .default_text("all");
    command.option("--variant", request->variant, "reference|published|both")
        .check(one_of({"reference", "published", "both"}))
        .default_text("both");
    command
        .option("--option", request->options,
                "name=number, for every method that has it; repeatable")
        .repeatable();
    command.option("--seed", request->seed, "Seed of all randomness").default_text("0");
    command
        .option("--timeout", request->timeout_seconds,
                "Seconds of processor time allowed per case and method; 0 = no limit")
        .check(not_negative())
        .default_text("300");
    command.option("--jobs", request->jobs, "Cases at a time; 0 = one per core").default_text("0");
    command.option("--output", request->output, "Folder for journal and reports")
        .default_text("results");
    command.option("--format", request->format, "table|json|markdown|csv")
        .check(one_of({"table", "json", "markdown", "csv"}))
        .default_text("table");
    command.footer(footer);
    on_run(command, shell, [request, &shell] {
        request->command = command_text(*request);
        return run_evaluate(*request, shell);
    });
}

}  // namespace culprit::cli
