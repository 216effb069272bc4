#include "culprit/testbed/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace culprit::testbed {
namespace {

// Runs between fork and exec: only system calls. Tells its parent what failed through `report`.
[[noreturn]] void refuse(int report, const char* what) {
    char text[160];
    const int size = std::snprintf(text, sizeof text, "%s: %s", what, std::strerror(errno));
    [[maybe_unused]] const auto written = write(report, text, static_cast<std::size_t>(size));
    _exit(127);
}

void enter_file(int report, const std::string& path, const std::string& text) {
    const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, text.data(), text.size()) < 0) refuse(report, path.c_str());
    close(file);
}

[[noreturn]] void become(const SpawnOptions& options, char* const* argv, char* const* environment,
                         int report, pid_t parent) {
    if (options.new_session) setsid();
    if (options.signal_on_parent_death != 0) {
        prctl(PR_SET_PDEATHSIG, options.signal_on_parent_death);
        if (getppid() != parent) _exit(127);
    }
    for (const auto& file : options.cgroup_files) enter_file(report, file, "0");
    if (!options.network_namespace.empty()) {
        const int space = open(options.network_namespace.c_str(), O_RDONLY | O_CLOEXEC);
        if (space < 0 || setns(space, CLONE_NEWNET) != 0)
            refuse(report, options.network_namespace.c_str());
        close(space);
    }
    if (!options.working_folder.empty() && chdir(options.working_folder.c_str()) != 0)
        refuse(report, options.working_folder.c_str());
    if (!options.log_path.empty()) {
        const int log = open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (log < 0) refuse(report, options.log_path.c_str());
        dup2(log, 1);
        dup2(log, 2);
        const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, 0);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP}) signal(number, SIG_DFL);
    execvpe(argv[0], argv, environment);
    refuse(report, argv[0]);
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
    std::vector<std::string> lines;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string line = *entry;
        if (!added.contains(line.substr(0, line.find('=')))) lines.push_back(line);
    }
    for (const auto& [name, value] : added) lines.push_back(fmt::format("{}={}", name, value));
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (auto& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

Result<pid_t> spawn(const SpawnOptions& options) {
    auto arguments = options.arguments;
    auto environment = merged_environment(options.environment);
    auto argv = pointers(arguments);
    auto envp = pointers(environment);
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return fail(ErrorCode::io_failure, fmt::format("pipe: {}", std::strerror(errno)));
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0)
        return fail(ErrorCode::io_failure, fmt::format("fork: {}", std::strerror(errno)));
    if (child == 0) become(options, argv.data(), envp.data(), report[1], parent);
    close(report[1]);
    std::string problem(256, '\0');
    ssize_t size = 0;
    do size = read(report[0], problem.data(), problem.size());
    while (size < 0 && errno == EINTR);
    close(report[0]);
    if (size <= 0) return child;
    waitpid(child, nullptr, 0);
    problem.resize(static_cast<std::size_t>(size));
    return fail(ErrorCode::io_failure,
                fmt::format("cannot start {}: {}", options.arguments.front(), problem));
}

Result<CommandOutput> run_command(const std::vector<std::string>& arguments, double seconds_max,
                                  const std::string& input) {
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return fail(ErrorCode::io_failure, fmt::format("pipe: {}", std::strerror(errno)));
    SpawnOptions options{.arguments = arguments, .new_session = true};
    // The child writes into our pipe through /proc, so that spawn needs no second way to redirect.
    options.log_path = fmt::format("/proc/self/fd/{}", output[1]);
    if (!input.empty()) {
        options.environment["CULPRIT_INPUT"] = input;
        std::vector<std::string> shell{"/bin/sh", "-c", "printf '%s' \"$CULPRIT_INPUT\" | \"$@\"",
                                       "sh"};
        shell.insert(shell.end(), arguments.begin(), arguments.end());
        options.arguments = shell;
    }
    auto child = spawn(options);
    close(output[1]);
    if (!child) {
        close(output[0]);
        return tl::unexpected<Error>(child.error());
    }
    CommandOutput result;
    const double deadline = monotonic_seconds() + seconds_max;
    bool timed_out = false;
    while (true) {
        const double left = deadline - monotonic_seconds();
        pollfd waiting{.fd = output[0], .events = POLLIN, .revents = 0};
        const int ready = left <= 0 ? 0 : poll(&waiting, 1, static_cast<int>(left * 1000) + 1);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            timed_out = true;
            kill(-*child, SIGKILL);
            break;
        }
        char buffer[4096];
        const auto size = read(output[0], buffer, sizeof buffer);
        if (size <= 0) break;
        result.text.append(buffer, static_cast<std::size_t>(size));
    }
    close(output[0]);
    int status = 0;
    while (waitpid(*child, &status, 0) < 0 && errno == EINTR) {
    }
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (timed_out)
        return fail(ErrorCode::deadline_exceeded,
                    fmt::format("{} did not end within {:.0f} s", arguments.front(), seconds_max));
    return result;
}

char process_state(pid_t pid) {
    const auto text = read_text_file(fmt::format("/proc/{}/stat", pid));
    if (!text) return '\0';
    const auto after_name = text->rfind(')');
    return after_name != std::string::npos && after_name + 2 < text->size()
               ? (*text)[after_name + 2]
               : '\0';
}

bool is_alive(pid_t pid) {
    const char state = process_state(pid);
    return state != '\0' && state != 'Z' && state != 'X';
}

unsigned long long start_tick(pid_t pid) {
    const auto text = read_text_file(fmt::format("/proc/{}/stat", pid));
    if (!text) return 0;
    std::istringstream fields(text->substr(text->rfind(')') + 1));
    std::string field;
    for (int index = 3; index <= 22 && fields >> field; ++index) {
    }
    return std::strtoull(field.c_str(), nullptr, 10);
}

Status write_text_file(const std::string& path, const std::string& text) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("cannot write {}: {}", path, std::strerror(errno)));
    std::size_t done = 0;
    while (done < text.size()) {
        const auto size = write(file, text.data() + done, text.size() - done);
        if (size < 0) {
            const int reason = errno;
            close(file);
            return fail(ErrorCode::io_failure,
                        fmt::format("cannot write {}: {}", path, std::strerror(reason)));
        }
        done += static_cast<std::size_t>(size);
    }
    close(file);
    return {};
}

Status write_text_file_atomically(const std::string& path, const std::string& text) {
    const auto temporary = fmt::format("{}.{}.tmp", path, getpid());
    CULPRIT_TRY_STATUS(write_text_file(temporary, text));
    if (std::rename(temporary.c_str(), path.c_str()) != 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("cannot rename {}: {}", temporary, std::strerror(errno)));
    return {};
}

Result<std::string> read_text_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(ErrorCode::missing_input, fmt::format("cannot read {}", path));
    std::ostringstream text;
    text << file.rdbuf();
    return std::move(text).str();
}

std::string tail_of_file(const std::string& path, std::size_t lines_max) {
    const auto text = read_text_file(path);
    if (!text) return {};
    std::size_t begin = text->size();
    for (std::size_t lines = 0; begin > 0; --begin)
        if ((*text)[begin - 1] == '\n' && ++lines > lines_max) break;
    return text->substr(begin);
}

void sleep_seconds(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::max(0.0, seconds)));
}

double monotonic_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace culprit::testbed
