#include "culprit/testbed/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "culprit/testbed/accelerator.h"
#include "culprit/testbed/child_process.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;

constexpr double startup_seconds_max = 420;  // three engines import PyTorch on two busy cores

bool answers(const std::string& address, int port, const std::string& path) {
    httplib::Client client(address, port);
    client.set_connection_timeout(1);
    client.set_read_timeout(3);
    const auto response = client.Get(path.c_str());
    return response && response->status == 200;
}

class Supervisor {
public:
    Supervisor(const Settings& settings, CgroupTree tree, int stop)
        : settings_(settings), tree_(std::move(tree)), stop_(stop) {}

    Status start() {
        CULPRIT_TRY_STATUS(create_places());
        CULPRIT_TRY_STATUS(start_monitoring());
        CULPRIT_TRY_STATUS(start_ray());
        CULPRIT_TRY_STATUS(deploy());
        CULPRIT_TRY_STATUS(start_proxy());
        say("healthy");
        return {};
    }

    // Restarts what should always run, as a cluster's control plane would, until told to stop.
    void watch() {
        while (!wait_for_stop(0.5)) {
            reap_children();
            for (auto& [name, service] : services_) {
                if (service.pid > 0) continue;
                const double now = monotonic_seconds();
                if (service.restart_at == 0) {
                    service.backoff = std::min(30.0, std::max(1.0, service.backoff * 2));
                    service.restart_at = now + service.backoff;
                    say(fmt::format("{} ended ({}); restart in {:.0f} s", name, service.ending,
                                    service.backoff));
                } else if (now >= service.restart_at) {
                    service.restart_at = 0;
                    const auto status = launch(name, service);
                    say(status ? fmt::format("{} restarted", name) : status.error().message);
                }
            }
        }
    }

    bool stopping() const { return stopping_; }

private:
    struct Service {
        SpawnOptions options;
        pid_t pid = 0;
        std::string ending = {};
        double backoff = 0;
        double restart_at = 0;
        int start_attempts = 0;
    };

    void say(const std::string& line) {
        fmt::print("{}\n", line);
        std::fflush(stdout);
    }

    bool wait_for_stop(double seconds) {
        pollfd waiting{.fd = stop_, .events = POLLIN, .revents = 0};
        if (poll(&waiting, 1, static_cast<int>(seconds * 1000)) > 0) stopping_ = true;
        return stopping_;
    }

    void reap_children() {
        int status = 0;
        while (true) {
            const pid_t ended = waitpid(-1, &status, WNOHANG);
            if (ended <= 0) return;
            for (auto& [name, service] : services_)
                if (service.pid == ended) {
                    service.pid = 0;
                    service.ending = WIFSIGNALED(status)
                                         ? fmt::format("signal {}", WTERMSIG(status))
                                         : fmt::format("exit code {}", WEXITSTATUS(status));
                }
        }
    }

    Status create_places() {
        CULPRIT_TRY_STATUS(tree_.create(""));
        // The tree competes as one with every single process outside: give it a crowd's weight.
        const auto shares = tree_.cpu_quota_file("");
        const auto weight =
            fs::path(shares).parent_path() / (tree_.is_unified() ? "cpu.weight" : "cpu.shares");
        CULPRIT_TRY_STATUS(write_text_file(weight, tree_.is_unified() ? "200" : "2048"));
        CULPRIT_TRY_STATUS(create_fabric(settings_.network()));
        for (const auto& component : settings_.components()) {
            CULPRIT_TRY_STATUS(tree_.create(component.name));
            CULPRIT_TRY_STATUS(create_pod(settings_.network(), component.name, component.host));
        }
        // As a pod's CPU limit: what goes wrong inside a component must not take the whole machine,
        // and with it the clients that measure.
        for (const auto& component : settings_.components())
            CULPRIT_TRY_STATUS(tree_.set_cpu_cores(component.name, Settings::component_cores));
        CULPRIT_TRY_STATUS(tree_.create("testbed"));
        for (const auto& replica : settings_.replica_names())
            CULPRIT_TRY_STATUS([&]() -> Status {
                CULPRIT_TRY(const auto file,
                            AcceleratorFile::open(settings_.accelerator_path(replica)));
                return {};
            }());
        say(fmt::format("places: {} control groups and network namespaces",
                        settings_.components().size()));
        return {};
    }

    Status launch(const std::string& name, Service& service) {
        CULPRIT_TRY(service.pid, spawn(service.options));
        const auto file = settings_.path("pids/" + name);
        return write_text_file(file, fmt::format("{}\n", service.pid));
    }

    Status start_service(const std::string& name, const std::string& component,
                         std::vector<std::string> arguments, bool own_network,
                         std::map<std::string, std::string> environment = {}) {
        Service service{
            .options = {.arguments = std::move(arguments),
                        .environment = std::move(environment),
                        .cgroup_files = tree_.entry_files(component),
                        .log_path = settings_.path(fmt::format("logs/{}.process.log", name))}};
        if (own_network)
            service.options.network_namespace =
                NetworkNames::path_of(settings_.network().pod(component));
        CULPRIT_TRY_STATUS(launch(name, service));
        services_[name] = std::move(service);
        return {};
    }

    // Waits until `ready`; an error names the service and shows the end of its log.
    Status wait_until(const std::string& what, const std::string& service, double seconds_max,
                      const std::function<bool()>& ready) {
        const double begin = monotonic_seconds();
        while (!ready()) {
            if (wait_for_stop(0.3)) return fail(ErrorCode::cancelled, "stopped while starting");
            reap_children();
            const auto found = services_.find(service);
            const bool dead = found != services_.end() && found->second.pid == 0;
            if (dead && ++found->second.start_attempts < 3) {
                say(fmt::format("{} ended with {} while starting; once more", what,
                                found->second.ending));
                CULPRIT_TRY_STATUS(launch(service, found->second));
                continue;
            }
            if (!dead && monotonic_seconds() - begin < seconds_max) continue;
            return fail(
                ErrorCode::unavailable,
                fmt::format(
                    "{} did not become ready: {}\nend of {}:\n{}", what,
                    dead ? "it ended with " + found->second.ending
                         : fmt::format("no answer within {:.0f} s", seconds_max),
                    settings_.path(fmt::format("logs/{}.process.log", service)),
                    tail_of_file(settings_.path(fmt::format("logs/{}.process.log", service)), 25)));
        }
        say(fmt::format("{:<16} ready after {:.1f} s", what, monotonic_seconds() - begin));
        return {};
    }

    Status start_monitoring() {
        const auto agent = settings_.agent_address();
        CULPRIT_TRY_STATUS(start_service("agent", "testbed",
                                         {fs::read_symlink("/proc/self/exe").string(), "testbed",
                                          "agent", "--name", settings_.name},
                                         false));
        CULPRIT_TRY_STATUS(wait_until("agent", "agent", 20, [&] {
            return answers(agent, Settings::agent_port, "/metrics/node");
        }));
        CULPRIT_TRY(const auto configuration, prometheus_configuration(settings_));
        CULPRIT_TRY_STATUS(write_text_file(settings_.path("prometheus.yml"), configuration));
        CULPRIT_TRY_STATUS(start_service(
            "prometheus", "testbed",
            {"prometheus", "--config.file=" + settings_.path("prometheus.yml"),
             "--storage.tsdb.path=" + settings_.path("prometheus"),
             "--storage.tsdb.retention.time=12h",
             fmt::format("--web.listen-address=127.0.0.1:{}", settings_.listening_port())},
            false));
        return wait_until("prometheus", "prometheus", 60, [&] {
            return answers("127.0.0.1", settings_.listening_port(), "/-/ready");
        });
    }

    std::map<std::string, std::string> python_environment(const std::string& component) const {
        return {
            {"CULPRIT_COMPONENT", component},
            {"CULPRIT_ACCELERATOR", settings_.accelerator_path(component)},
            {"PYTHONPATH", settings_.assets},
            {"PYTHONDONTWRITEBYTECODE", "1"},
            {"PATH",
             fs::path(settings_.python).parent_path().string() + ":/usr/sbin:/usr/bin:/sbin:/bin"},
            {"TMPDIR", settings_.path("tmp")},
            {"OMP_NUM_THREADS", "1"},
            {"HF_HUB_OFFLINE", "1"},
            {"TRANSFORMERS_OFFLINE", "1"},
            {"VLLM_NO_USAGE_STATS", "1"},
            {"VLLM_ENABLE_V1_MULTIPROCESSING", "0"},
            {"VLLM_CPU_KVCACHE_SPACE", "1"},
            {"VLLM_CPU_OMP_THREADS_BIND", "nobind"},
            {"VLLM_HOST_IP", settings_.address_of(component)},
            {"RAY_USAGE_STATS_ENABLED", "0"},
            {"RAY_DISABLE_DOCKER_CPU_WARNING", "1"},
            {"RAY_SERVE_LOG_TO_STDERR", "0"},
            {"RAY_metrics_report_interval_ms", "2000"},
            // Ray starts its workers at nice 15: any process beside an engine would starve it.
            {"RAY_worker_niceness", "0"},
            {"RAY_memory_monitor_refresh_ms", "0"},
            {"no_proxy", "*"},
            {"NO_PROXY", "*"},
        };
    }

    Status start_ray() {
        const auto python_folder = fs::path(settings_.python).parent_path();
        const auto ray = (python_folder / "ray").string();
        const auto head = settings_.address_of("ray-head");
        CULPRIT_TRY_STATUS(start_service(
            "ray-head", "ray-head",
            {ray, "start", "--head", "--block", "--node-ip-address=" + head,
             fmt::format("--port={}", Settings::gcs_port), "--include-dashboard=false",
             "--num-cpus=2", "--object-store-memory=100000000", "--disable-usage-stats",
             fmt::format("--metrics-export-port={}", Settings::ray_metrics_port),
             "--temp-dir=" + settings_.path("ray"), "--include-log-monitor=false"},
            true, python_environment("ray-head")));
        CULPRIT_TRY_STATUS(wait_until("ray head", "ray-head", 120, [&] {
            return answers(head, Settings::ray_metrics_port, "/metrics");
        }));
        for (const auto& replica : settings_.replica_names()) {
            CULPRIT_TRY_STATUS(start_service(
                replica, replica,
                {ray, "start", "--block", fmt::format("--address={}:{}", head, Settings::gcs_port),
                 "--node-ip-address=" + settings_.address_of(replica), "--num-cpus=2",
                 "--resources={\"engine\": 1}", "--object-store-memory=100000000",
                 "--disable-usage-stats",
                 fmt::format("--metrics-export-port={}", Settings::ray_metrics_port),
                 "--include-log-monitor=false"},
                true, python_environment(replica)));
            // One after the other: nodes that start together race for the same socket names.
            CULPRIT_TRY_STATUS(wait_until(replica, replica, 120, [&] {
                return answers(settings_.address_of(replica), Settings::ray_metrics_port,
                               "/metrics");
            }));
        }
        return {};
    }

    Status deploy() {
        CULPRIT_TRY_STATUS(
            write_text_file(settings_.path("serve.json"), serve_settings_json(settings_)));
        CULPRIT_TRY(const auto model,
                    run_command({settings_.python, settings_.assets + "/make_model.py",
                                 settings_.path("model")},
                                120));
        if (model.exit_code != 0)
            return fail(ErrorCode::unavailable, "the model could not be made:\n" + model.text);
        SpawnOptions options{
            .arguments = {settings_.python, settings_.assets + "/serve_app.py",
                          settings_.path("serve.json")},
            .environment = python_environment("ray-head"),
            .cgroup_files = tree_.entry_files("testbed"),
            .network_namespace = NetworkNames::path_of(settings_.network().pod("ray-head")),
            .log_path = settings_.path("logs/deploy.process.log")};
        CULPRIT_TRY(const pid_t child, spawn(options));
        const double begin = monotonic_seconds();
        int status = 0;
        while (waitpid(child, &status, WNOHANG) == 0) {
            const bool late = monotonic_seconds() - begin > startup_seconds_max;
            if (!late && !wait_for_stop(0.3)) continue;
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            if (stopping_) return fail(ErrorCode::cancelled, "stopped while starting");
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            return fail(ErrorCode::unavailable,
                        fmt::format("the service was not deployed; end of {}:\n{}",
                                    options.log_path, tail_of_file(options.log_path, 40)));
        say(fmt::format("{:<16} ready after {:.1f} s", "engines", monotonic_seconds() - begin));
        for (const auto& replica : settings_.replica_names())
            CULPRIT_TRY_STATUS(wait_until(replica + " engine", replica, 60, [&] {
                return answers(settings_.address_of(replica), Settings::engine_metrics_port,
                               "/metrics");
            }));
        return {};
    }

    Status start_proxy() {
        CULPRIT_TRY(const auto configuration, nginx_configuration(settings_));
        CULPRIT_TRY_STATUS(write_text_file(settings_.path("nginx.conf"), configuration));
        CULPRIT_TRY_STATUS(start_service("nginx-proxy", "nginx-proxy",
                                         {"nginx", "-c", settings_.path("nginx.conf"), "-e",
                                          settings_.path("logs/nginx-proxy.error.log")},
                                         true));
        return wait_until("nginx", "nginx-proxy", 60, [&] {
            return answers(settings_.address_of("nginx-proxy"), Settings::proxy_port, "/health");
        });
    }

    const Settings& settings_;
    CgroupTree tree_;
    int stop_;
    bool stopping_ = false;
    std::map<std::string, Service> services_;
};

// Waits until the supervisor is gone (its end of the pipe closes), then removes what it left.
[[noreturn]] void become_reaper(const Settings& settings, int pipe_end) {
    setsid();
    prctl(PR_SET_NAME, "culprit-reaper");
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
    char byte = 0;
    while (read(pipe_end, &byte, 1) < 0 && errno == EINTR) {
    }
    const auto status = remove_remains(settings);
    auto state = read_state(settings).value_or(SupervisorState{});
    if (state.phase != "failed") state.phase = "gone";
    if (!status) state.message = status.error().message;
    static_cast<void>(write_state(settings, state));
    _exit(0);
}

}  // namespace

Status write_state(const Settings& settings, const SupervisorState& state) {
    const nlohmann::ordered_json json{{"phase", state.phase},
                                      {"message", state.message},
                                      {"supervisor", state.supervisor},
                                      {"supervisor_start_tick", state.supervisor_start_tick}};
    return write_text_file_atomically(settings.path("state.json"), json.dump(1) + "\n");
}

std::optional<SupervisorState> read_state(const Settings& settings) {
    const auto text = read_text_file(settings.path("state.json"));
    if (!text) return std::nullopt;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    return SupervisorState{.phase = json.value("phase", ""),
                           .message = json.value("message", ""),
                           .supervisor = json.value("supervisor", 0),
                           .supervisor_start_tick = json.value("supervisor_start_tick", 0ULL)};
}

bool supervisor_lives(const SupervisorState& state) {
    return state.supervisor > 0 && is_alive(state.supervisor) &&
           start_tick(state.supervisor) == state.supervisor_start_tick;
}

Status remove_remains(const Settings& settings) {
    CULPRIT_TRY(const auto tree, CgroupTree::open("/sys/fs/cgroup", settings.group_prefix()));
    CULPRIT_TRY_STATUS(tree.destroy(20));
    return destroy_network(settings.network());
}

Status run_supervisor(const Settings& settings) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) != 0) return fail(ErrorCode::io_failure, "pipe");
    if (fork() == 0) {
        close(alive[1]);
        become_reaper(settings, alive[0]);
    }
    close(alive[0]);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    const int stop = signalfd(-1, &signals, SFD_CLOEXEC);

    SupervisorState state{
        .phase = "starting", .supervisor = getpid(), .supervisor_start_tick = start_tick(getpid())};
    CULPRIT_TRY_STATUS(write_state(settings, state));
    CULPRIT_TRY(auto tree, CgroupTree::open("/sys/fs/cgroup", settings.group_prefix()));
    Supervisor supervisor(settings, std::move(tree), stop);
    auto started = supervisor.start();
    if (started) {
        state.phase = "healthy";
        CULPRIT_TRY_STATUS(write_state(settings, state));
        supervisor.watch();
        state.phase = "stopping";
    } else {
        state.phase = "failed";
        state.message = started.error().message;
    }
    CULPRIT_TRY_STATUS(write_state(settings, state));
    // The reaper does the rest when this process ends: one way down for every kind of end.
    return started;
}

}  // namespace culprit::testbed
