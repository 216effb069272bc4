#include <memory>
#include <string>
#include <vector>

#include "apps/culprit/case_choice.h"
#include "apps/culprit/command.h"
#include "apps/culprit/knowledge.h"
#include "apps/culprit/method_choice.h"
#include "apps/culprit/progress_bar.h"
#include "culprit/scorecard/sources.h"

namespace culprit::cli {
namespace {

struct ScorecardRequest {
    CaseChoice recorded;
    bool simulated = false;
    std::vector<std::string> options;
    Knowledge knowledge;
    bool with_cases = false;
    std::string format = "table";
    SimulatedCases made;
    ScoringOptions scoring;
};

constexpr const char* footer =
    R"(What the default method says about labelled incidents: is it the right component, the right
fault, "nobody is to blame" where nobody is, and can its probabilities be believed? The
incidents can be made worse first, for robustness curves; parts of the method can be switched
off, for an ablation (`culprit methods culprit` lists them).

Simulated seeds below 1000 are for development, from 1000 on for test. Recorded sets say the side by
their folders dev/ and test/; of other sets the case's name decides.

Examples:
  culprit scorecard datasets/llm-testbed --split test --cases
  culprit scorecard --simulated --seed 1000 --count 20
  culprit scorecard --simulated --drop 0.5 --no-logs
  culprit scorecard --simulated --hold-out --kind gpu_thermal,cpu_contention
  culprit scorecard datasets/llm-testbed --option siblings=0)";

Result<Scorecard> score(ScorecardRequest& request, const Shell& shell) {
    if (request.simulated == !request.recorded.paths.empty())
        return fail(ErrorCode::invalid_input,
                    "expected folders with cases, or --simulated, and not both\n"
                    "Try: culprit scorecard --help");
    CULPRIT_TRY(request.scoring.method_options, options_of(request.options));
    CULPRIT_TRY(request.scoring.library, request.knowledge.library());
    CULPRIT_TRY(request.scoring.experience, request.knowledge.learned());
    ProgressBar bar(shell.err(), true);
    request.scoring.on_judged = [&bar](std::size_t total) { bar.step(total, "cases"); };
    if (request.simulated) return score_simulated(request.made, request.scoring);
    CULPRIT_TRY(const auto cases, request.recorded.cases());
    return score_recorded(cases, request.scoring);
}

Status run_scorecard(ScorecardRequest request, const Shell& shell) {
    CULPRIT_TRY(const Scorecard card, score(request, shell));
    return write_out(request.format == "json" ? scorecard_json(card)
                                              : scorecard_text(card, request.with_cases));
}

void add_spoiling_options(Command& command, Spoiling& spoiling) {
    const auto seconds = [&](const char* name, double& value, const char* help) {
        command.option(name, value, help).check(between(0.0, 86400.0));
    };
    command.option("--drop", spoiling.drop_share, "Share of the metric series to take away")
        .check(between(0.0, 0.99));
    seconds("--blur", spoiling.blur_seconds, "Moving average over this many seconds");
    seconds("--alert-delay", spoiling.alert_delay_seconds, "Seconds by which the alert is late");
    seconds("--baseline", spoiling.baseline_seconds, "Seconds of data before the alert");
    seconds("--scrape", spoiling.scrape_seconds, "Seconds between values");
    seconds("--until", spoiling.until_seconds, "Seconds of data after the alert");
    command.flag("--no-logs", spoiling.drop_logs, "Without logs");
    command.flag("--no-spans", spoiling.drop_spans, "Without spans");
    command.flag("--no-gpu", spoiling.drop_gpu, "Without GPU series");
    command.flag("--no-engine", spoiling.drop_engine, "Without the serving engine's series");
    command.flag("--no-mesh", spoiling.drop_mesh, "Without the service mesh's series");
}

}  // namespace

void add_scorecard_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "scorecard", "Score what the default method says: component, fault kind, calibration");
    auto request = std::make_shared<ScorecardRequest>();
    add_case_options(command, request->recorded);
    command.flag("--simulated", request->simulated, "Score on simulated incidents instead");
    command.option("--kind", request->made.kinds, "Simulated fault kinds; default: all")
        .separated_by(',');
    command.option("--seed", request->made.first_seed, "First simulated seed").default_text("0");
    command.option("--count", request->made.count, "Simulated seeds per kind")
        .check(positive())
        .default_text("10");
    command.option("--replicas", request->made.num_replicas, "Simulated replicas; default: 3 to 8")
        .check(between(1.0, 10000.0));
    command
        .option("--load-factor", request->made.load_factor,
                "Simulated arrivals while the fault lasts, times this")
        .check(between(0.01, 100.0));
    add_spoiling_options(command, request->scoring.spoiling);
    command.flag("--hold-out", request->scoring.hold_out,
                 "Score without the signatures of the fault's family");
    add_knowledge_options(command, request->knowledge);
    command.option("--option", request->options, "name=number for the method; repeatable")
        .repeatable();
    command.option("--threads", request->scoring.num_threads, "Cases side by side; 0 = all")
        .default_text("1");
    command.flag("--cases", request->with_cases, "One line per case first");
    command.option("--format", request->format, "table|json")
        .check(one_of({"table", "json"}))
        .default_text("table");
    command.footer(footer);
    on_run(command, shell, [request, &shell] { return run_scorecard(*request, shell); });
}

}  // namespace culprit::cli
