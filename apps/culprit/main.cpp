#include <exception>
#include <new>
#include <string>

#include "apps/culprit/command.h"
#include "culprit/base/check.h"

namespace {

constexpr const char* footer = R"(Examples:
  culprit diagnose cases/proxy_cpu/3       the ranked causes of one incident, and why
  culprit evaluate data/re1-ob             which method finds the root cause how often
  culprit methods                          what there is to choose from
  culprit methods baro                     one method: its paper, options, cost
  source <(culprit completion bash)        complete commands with the tab key

Exit codes:
  0  the work was done
  1  the work failed: no answer, a read or write error, a deadline
  2  the request or its input was wrong: an unknown option, a file that is not what it should be

Colour is used on a terminal; NO_COLOR or --color never turns it off.)";

int run(int argc, char** argv) {
    using namespace culprit::cli;
    Command app("culprit", "Finds the root cause when a GPU-driven LLM service breaks");
    Shell shell{.root = &app};
    app.version(std::string("culprit ") + CULPRIT_VERSION);
    app.option("--color", shell.color, "When to colour: auto, always, never")
        .check(one_of({"auto", "always", "never"}))
        .default_text("auto");
    app.footer(footer);

    add_diagnose_command(app, shell);
    add_evaluate_command(app, shell);
    add_init_command(app, shell);
    add_convert_command(app, shell);
    add_inspect_command(app, shell);
    add_methods_command(app, shell);
    add_receive_command(app, shell);
    add_assess_command(app, shell);
    add_scorecard_command(app, shell);
    add_simulate_command(app, shell);
    add_collect_command(app, shell);
    add_confirm_command(app, shell);
    add_completion_command(app, shell);
    add_experiment_command(app, shell);
    add_inject_command(app, shell);
    add_load_command(app, shell);
    add_testbed_command(app, shell);

    const auto ended = app.parse(
        argc, argv, [&](const std::string& problem) { print_usage_error(shell, problem); });
    if (ended) return *ended;
    if (app.chosen().empty() && shell.exit_code == 0) {
        const auto status = write_out(app.help());
        return status ? 0 : 1;
    }
    return shell.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    const culprit::cli::Shell plain;
    try {
        return run(argc, argv);
    } catch (const culprit::InternalError& error) {
        culprit::cli::print_error(plain, std::string("this is a bug in culprit: ") + error.what() +
                                             "\nPlease report it with the command and the case.");
    } catch (const std::bad_alloc&) {
        culprit::cli::print_error(plain, "not enough memory for this input");
    } catch (const std::exception& error) {
        culprit::cli::print_error(plain, error.what());
    }
    return 1;
}
