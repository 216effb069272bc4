#include "apps/culprit/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace culprit::cli {
namespace {

int width_of(int descriptor) {
    winsize size{};
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 100;
}

// Colour as https://no-color.org asks, and none on a terminal that has none.
Style style_for(int descriptor, const std::string& color) {
    const bool is_terminal = isatty(descriptor) == 1;
    if (color == "never") return {false, is_terminal ? width_of(descriptor) : 0};
    if (color == "always") return {true, is_terminal ? width_of(descriptor) : 0};
    if (!is_terminal) return {};
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool plain = (no_color != nullptr && *no_color != '\0') ||
                       (term != nullptr && std::strcmp(term, "dumb") == 0);
    return {!plain, width_of(descriptor)};
}

void print_labelled(const std::string& label, std::string_view message) {
    std::string text = label + ": ";
    for (const char c : message) {
        text += c;
        if (c == '\n') text += "  ";
    }
    fmt::print(stderr, "{}\n", text);
}

Status write_all(int descriptor, std::string_view text, const std::string& name) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            return fail(ErrorCode::io_failure,
                        fmt::format("{}: can't write: {}", name, std::strerror(errno)));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Style Shell::out() const { return style_for(STDOUT_FILENO, color); }
Style Shell::err() const { return style_for(STDERR_FILENO, color); }

int exit_code_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_input:
        case ErrorCode::missing_input:
        case ErrorCode::malformed_data:
        case ErrorCode::unsupported:
            return 2;
        default:
            return 1;
    }
}

void on_run(Command& command, Shell& shell, std::function<Status()> body) {
    command.on_chosen([&shell, body = std::move(body)] {
        const Status status = body();
        if (status) return;
        print_error(shell, status.error().message);
        shell.exit_code = exit_code_of(status.error().code);
    });
}

Error with_hint(Error error, std::string_view hint) {
    error.message.append("\n").append(hint);
    return error;
}

void print_error(const Shell& shell, std::string_view message) {
    print_labelled(shell.err().red("error"), message);
}

void print_warning(const Shell& shell, std::string_view message) {
    print_labelled(shell.err().yellow("warning"), message);
}

void print_usage_error(const Shell& shell, std::string_view message) {
    std::string command = "culprit";
    for (const std::string& chosen : shell.root->chosen()) command += " " + chosen;
    print_error(shell, fmt::format("{}\nTry: {} --help", message, command));
}

Status write_out(std::string_view text) {
    std::fflush(stdout);
    Status status = write_all(STDOUT_FILENO, text, "standard output");
    if (!status && errno == EPIPE) return {};
    return status;
}

Status write_err(std::string_view text) { return write_all(STDERR_FILENO, text, "standard error"); }

Status write_whole_file(const std::string& path, std::string_view text) {
    if (path == "-") return write_out(text);
    const std::string temporary = fmt::format("{}.{}.part", path, getpid());
    const int descriptor =
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("{}: can't create: {}", path, std::strerror(errno)));
    Status status = write_all(descriptor, text, path);
    if (::close(descriptor) != 0 && status)
        status = fail(ErrorCode::io_failure,
                      fmt::format("{}: can't write: {}", path, std::strerror(errno)));
    if (status && std::rename(temporary.c_str(), path.c_str()) != 0)
        status = fail(ErrorCode::io_failure,
                      fmt::format("{}: can't write: {}", path, std::strerror(errno)));
    if (!status) ::unlink(temporary.c_str());
    return status;
}

}  // namespace culprit::cli
