#include <CLI/CLI.hpp>
#include <exception>

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
    CLI::App app{"Finds the root cause when a GPU-driven LLM service breaks", "culprit"};
    Shell shell{.root = &app};
    app.set_version_flag("--version", std::string("culprit ") + CULPRIT_VERSION);
    app.set_help_all_flag("--help-all", "Help of every command");
    app.add_option("--color", shell.color, "When to colour: auto, always, never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->default_str("auto");
    app.footer(footer);
    app.require_subcommand(0, 1);

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

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);
        print_usage_error(shell, error.what());
        return 2;
    }
    if (app.get_subcommands().empty() && shell.exit_code == 0) {
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
