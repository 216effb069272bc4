#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "apps/culprit/command_line.h"
#include "culprit/base/result.h"
#include "culprit/report/style.h"

namespace culprit::cli {

/// What the commands share. To add a command: one file `<name>_command.cpp` that defines
/// `void add_<name>_command(Command&, Shell&)`, its declaration below, one line in main.cpp and
/// one in CMakeLists.txt.
struct Shell {
    const Command* root = nullptr;
    std::string color = "auto";  ///< auto, always, never
    int exit_code = 0;

    /// For what goes to standard output: plain unless that is a terminal (or --color always).
    Style out() const;
    /// For what goes to standard error.
    Style err() const;
};

/// 0 when all went well, 1 when the work failed, 2 when the request or its input was wrong.
int exit_code_of(ErrorCode code);

/// Runs `body` when `command` was chosen. An error is printed as `error: ...` and sets the exit
/// code; lines after the first say what to do about it.
void on_run(Command& command, Shell& shell, std::function<Status()> body);

/// The same error with one more line that says what the user can do.
Error with_hint(Error error, std::string_view hint);

void print_error(const Shell& shell, std::string_view message);
void print_warning(const Shell& shell, std::string_view message);
/// A request that can't be understood: the message and which help to read.
void print_usage_error(const Shell& shell, std::string_view message);

/// Writes all of `text` to standard output; io_failure when it can't (a full disk, not a closed
/// pipe).
Status write_out(std::string_view text);
/// Likewise to standard error.
Status write_err(std::string_view text);
/// Writes `path` whole or not at all: to a temporary file beside it, then renamed. "-" is standard
/// output.
Status write_whole_file(const std::string& path, std::string_view text);

void add_assess_command(Command& root, Shell& shell);
void add_collect_command(Command& root, Shell& shell);
void add_completion_command(Command& root, Shell& shell);
void add_confirm_command(Command& root, Shell& shell);
void add_diagnose_command(Command& root, Shell& shell);
void add_evaluate_command(Command& root, Shell& shell);
void add_experiment_command(Command& root, Shell& shell);
void add_inject_command(Command& root, Shell& shell);
void add_init_command(Command& root, Shell& shell);
void add_convert_command(Command& root, Shell& shell);
void add_inspect_command(Command& root, Shell& shell);
void add_load_command(Command& root, Shell& shell);
void add_methods_command(Command& root, Shell& shell);
void add_scorecard_command(Command& root, Shell& shell);
void add_simulate_command(Command& root, Shell& shell);
void add_testbed_command(Command& root, Shell& shell);
void add_receive_command(Command& root, Shell& shell);

}  // namespace culprit::cli
