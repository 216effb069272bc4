#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "culprit/base/result.h"

namespace culprit::testbed {

/// How a process is started. Everything that can be refused is refused in the child before exec, so
/// that a program never runs outside the cgroup or namespace it belongs to.
struct SpawnOptions {
    std::vector<std::string> arguments;                   ///< arguments[0] is looked up in PATH
    std::map<std::string, std::string> environment = {};  ///< added to the caller's
    std::vector<std::string> cgroup_files = {};           ///< cgroup.procs files to enter
    std::string network_namespace = {};                   ///< path under /var/run/netns; "" = ours
    std::string log_path = {};  ///< standard output and error, appended; "" = ours
    std::string working_folder = {};
    bool new_session = true;
    int signal_on_parent_death = 9;  ///< 0 = outlives its parent
};

/// Starts a process. io_failure with the reason when it can't be started or exec fails.
Result<pid_t> spawn(const SpawnOptions& options);

struct CommandOutput {
    int exit_code = 0;
    std::string text;  ///< standard output and error together
};

/// Runs a program to its end, at most `seconds_max`; then it is killed and deadline_exceeded.
Result<CommandOutput> run_command(const std::vector<std::string>& arguments, double seconds_max,
                                  const std::string& input = {});

/// The kernel's letter for it (R, S, D, T, Z, ...); 0 when there is none.
char process_state(pid_t pid);
/// True while the process exists and is no zombie.
bool is_alive(pid_t pid);
/// The clock tick of the process's start since boot: tells a process from a later one that got the
/// same number. 0 when there is none.
unsigned long long start_tick(pid_t pid);

Status write_text_file(const std::string& path, const std::string& text);
/// Writes to a temporary file beside `path` and renames it.
Status write_text_file_atomically(const std::string& path, const std::string& text);
Result<std::string> read_text_file(const std::string& path);
/// The last lines of a log, for error messages; "" when there is none.
std::string tail_of_file(const std::string& path, std::size_t lines_max);

void sleep_seconds(double seconds);
double monotonic_seconds();

}  // namespace culprit::testbed
