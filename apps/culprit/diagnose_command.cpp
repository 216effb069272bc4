#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/culprit/command.h"
#include "apps/culprit/knowledge.h"
#include "apps/culprit/live_case.h"
#include "apps/culprit/method_choice.h"
#include "culprit/base/check.h"
#include "culprit/base/duration.h"
#include "culprit/base/stopwatch.h"
#include "culprit/explain/explainer.h"
#include "culprit/methods/catalog.h"
#include "culprit/readers/case_reader.h"
#include "culprit/readers/case_writer.h"
#include "culprit/report/diagnosis_report.h"
#include "culprit/report/shell_word.h"

namespace culprit::cli {
namespace {

struct DiagnoseRequest {
    std::string path;
    std::string from;
    std::string save;
    std::string methods = std::string(default_method_name);
    std::string variant = "published";
    std::vector<std::string> options;
    std::size_t top = 0;
    std::string at;
    std::uint64_t seed = 0;
    double timeout_seconds = 0;
    std::string format = "table";
    std::string output;
    bool no_report = false;
    Knowledge knowledge;
};

constexpr const char* footer =
    R"(PATH is a case folder: data.csv and inject_time.txt, and what there is of logs.csv,
traces.csv, mpg.csv, case.json; plain, .gz or .zst. `culprit inspect PATH` says what is in it.

With --format table the answer goes to the screen and an HTML report into the current folder.
Scores are the method's own; "dev" counts robust deviations from the baseline.

Examples:
  culprit diagnose cases/proxy_cpu/3
  culprit diagnose cases/proxy_cpu/3 --method baro,nsigma --variant both --top 3
  culprit diagnose incident/ --at "2026-03-02 03:11:40"
  culprit diagnose cases/proxy_cpu/3 --format json | jq -r '.ranking[0].service'
  culprit diagnose cases/proxy_cpu/3 --format html --output report.html
  culprit diagnose --from prod.yaml --at now
  culprit diagnose --from receiver --at now)";

Result<MethodAnswer> answer_of(const Contender& contender, const Incident& incident,
                               const Explainer& explainer, const DiagnoseRequest& request,
                               const std::map<std::string, double>& options) {
    CULPRIT_TRY(const auto method, request.knowledge.method(contender.method));
    RunContext context;
    context.variant = contender.variant;
    context.seed = request.seed;
    context.num_threads = 0;
    if (request.timeout_seconds > 0)
        context.stop = Stop::after(duration_from_seconds(request.timeout_seconds));
    for (const OptionInfo& option : method->info().options)
        if (const auto given = options.find(option.name); given != options.end())
            context.options.insert(*given);
    MethodAnswer answer;
    answer.method = contender.method;
    answer.variant = contender.variant;
    const Stopwatch stopwatch;
    auto diagnosis = run_method(*method, incident, context);
    answer.seconds = stopwatch.seconds();
    if (!diagnosis && diagnosis.error().code == ErrorCode::invalid_input)
        return tl::unexpected<Error>(diagnosis.error());
    if (!diagnosis) {
        answer.error = diagnosis.error();
        return answer;
    }
    answer.diagnosis = std::move(*diagnosis);
    answer.diagnosis.ranking = explainer.explain(answer.diagnosis.ranking);
    return answer;
}

// Every option must belong to one of the methods.
Status check_options(const std::vector<Contender>& contenders,
                     const std::map<std::string, double>& options) {
    for (const auto& [name, value] : options) {
        bool is_known = false;
        for (const Contender& contender : contenders) {
            CULPRIT_TRY(const auto method, make_method(contender.method));
            for (const OptionInfo& option : method->info().options) is_known |= option.name == name;
        }
        if (!is_known)
            return fail(ErrorCode::invalid_input,
                        fmt::format("none of the methods has an option \"{}\"\nTry: culprit "
                                    "methods {}",
                                    name, contenders.front().method));
    }
    return {};
}

// The case as live systems have it. What each of them gave goes to standard error.
Result<Case> collect(const DiagnoseRequest& request, const Shell& shell) {
    CULPRIT_TRY(Collection collection,
                collect_live_case(request.from, request.at.empty() ? "now" : request.at));
    for (const DataProblem& problem : collection.incident_case.problems)
        print_warning(shell, problem.place + ": " + problem.message);
    CULPRIT_TRY_STATUS(write_err("collecting\n" + describe_sources(collection)));
    if (!request.save.empty())
        CULPRIT_TRY_STATUS(write_case(collection.incident_case, request.save));
    return std::move(collection.incident_case);
}

Result<Case> read(const DiagnoseRequest& request, const Shell& shell) {
    if (request.path.empty() == request.from.empty())
        return fail(ErrorCode::invalid_input,
                    "expected either a case folder or live systems\nTry: culprit diagnose PATH, or "
                    "culprit diagnose --from CONFIG --at now");
    if (!request.from.empty()) return collect(request, shell);
    if (!request.save.empty())
        return fail(ErrorCode::invalid_input, "--save needs --from: PATH is saved already");
    CaseReadOptions options;
    if (!request.at.empty()) {
        auto at = parse_time(request.at);
        if (!at)
            return tl::unexpected<Error>(
                with_hint(at.error(), "--at takes Unix seconds or \"YYYY-MM-DD HH:MM:SS\" (UTC)."));
        options.alert = *at;
    }
    auto found = read_case(request.path, options);
    if (found) return found;
    const bool lacks_time = found.error().message.find("alert time in") != std::string::npos;
    return tl::unexpected<Error>(with_hint(
        found.error(), lacks_time ? "Give it with --at, e.g. --at \"2026-03-02 03:11:40\" (UTC)."
                                  : "Try: culprit inspect " + shell_word(request.path)));
}

std::string report_name(const Incident& incident) {
    std::string name = "culprit-report-";
    for (const char c : format_time(incident.alert, 0))
        if (c != '-' && c != ':') name += c == ' ' ? 'T' : c;
    return name + ".html";
}

Status write_report(DiagnosisReport& report, const DiagnoseRequest& request, const Shell& shell) {
    if (request.format == "json") return write_whole_file(request.output, diagnosis_json(report));
    if (request.format == "markdown")
        return write_whole_file(request.output, diagnosis_markdown(report));
    if (request.format == "html") return write_whole_file(request.output, diagnosis_html(report));
    if (!request.no_report) {
        const std::string name = report_name(report.found->incident);
        const Status written = write_whole_file(name, diagnosis_html(report));
        if (written)
            report.report_path = name;
        else
            print_warning(shell, written.error().message);
    }
    const Style style = request.output == "-" ? shell.out() : Style();
    return write_whole_file(request.output, diagnosis_text(report, style));
}

Status run_diagnose(const DiagnoseRequest& request, const Shell& shell) {
    CULPRIT_TRY(const auto contenders, contenders_of(request.methods, request.variant));
    CULPRIT_TRY(const auto options, options_of(request.options));
    CULPRIT_TRY_STATUS(check_options(contenders, options));
    const Stopwatch stopwatch;
    CULPRIT_TRY(const Case found, read(request, shell));
    DiagnosisReport report;
    report.found = &found;
    report.read_seconds = stopwatch.seconds();
    if (!request.from.empty())
        report.again = request.save.empty() ? "not kept; --save FOLDER keeps what was collected"
                                            : "culprit diagnose " + request.save;
    if (request.top > 0) report.top = request.top;
    const Explainer explainer(found.incident);
    for (const Contender& contender : contenders) {
        CULPRIT_TRY(auto answer, answer_of(contender, found.incident, explainer, request, options));
        report.answers.push_back(std::move(answer));
    }
    CULPRIT_TRY_STATUS(write_report(report, request, shell));
    const bool has_answer = std::any_of(report.answers.begin(), report.answers.end(),
                                        [](const MethodAnswer& a) { return !a.error; });
    if (has_answer) return {};
    const Error& error = *report.answers.front().error;
    return fail(ErrorCode::unavailable,
                fmt::format("{} gave no answer: {}", report.answers.front().method, error.message));
}

}  // namespace

void add_diagnose_command(Command& root, Shell& shell) {
    Command command =
        root.subcommand("diagnose", "Rank the root causes of one incident, with evidence");
    auto request = std::make_shared<DiagnoseRequest>();
    command.option("path", request->path, "Case folder");
    command.option("--from", request->from,
                   "Live systems instead: a file from culprit init, or receiver for what a running "
                   "culprit receive has");
    command.option("--save", request->save,
                   "With --from: keep what was collected as this case folder; must not exist");
    command.option("--method", request->methods, "Methods, separated by commas, or all")
        .default_text(request->methods);
    command.option("--variant", request->variant, "reference|published|both")
        .check(one_of({"reference", "published", "both"}))
        .default_text("published");
    command.option("--top", request->top, "Show only the first K; default: 5 services, in JSON all")
        .check(positive());
    command.option("--at", request->at,
                   "Time of the injection or alert, when the case has none; with --from also "
                   "now");
    command.option("--seed", request->seed, "Seed of all randomness").default_text("0");
    command
        .option("--option", request->options,
                "name=number, for every method that has it; repeatable")
        .repeatable();
    command
        .option("--timeout", request->timeout_seconds, "Seconds allowed per method; 0 = no limit")
        .check(not_negative())
        .default_text("0");
    command.option("--format", request->format, "table|json|markdown|html")
        .check(one_of({"table", "json", "markdown", "html"}))
        .default_text("table");
    command.option("--output", request->output, "File to write; - is standard output")
        .default_text("-");
    command.flag("--no-report", request->no_report, "No HTML report beside --format table");
    add_knowledge_options(command, request->knowledge);
    command.footer(footer);
    request->output = "-";
    on_run(command, shell, [request, &shell] { return run_diagnose(*request, shell); });
}

}  // namespace culprit::cli
