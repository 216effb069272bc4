#include "culprit/testbed/local_injector.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "culprit/base/clock.h"
#include "culprit/testbed/accelerator.h"
#include "culprit/testbed/child_process.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;
using Field = AcceleratorFile::Field;

/// One step back to normal, as data: this process takes it, or the guard when this process died.
struct UndoStep {
    std::string action;  ///< write_file, integer, number, signal
    std::string path;    ///< of the file or the accelerator
    std::string text;    ///< for write_file
    std::uint16_t field = 0;
    double value = 0;
    pid_t pid = 0;
    int signal_number = 0;
};

Status take(const UndoStep& step) {
    if (step.action == "write_file") return write_text_file(step.path, step.text);
    if (step.action == "signal") {
        kill(step.pid, step.signal_number);
        return {};
    }
    CULPRIT_TRY(auto file, AcceleratorFile::open(step.path));
    if (step.action == "integer")
        file.set_integer(static_cast<Field>(step.field), static_cast<std::int64_t>(step.value));
    else
        file.set_number(static_cast<Field>(step.field), step.value);
    return {};
}

nlohmann::json to_json(const UndoStep& step) {
    return {{"action", step.action},       {"path", step.path},   {"text", step.text},
            {"field", step.field},         {"value", step.value}, {"pid", step.pid},
            {"signal", step.signal_number}};
}

UndoStep from_json(const nlohmann::json& json) {
    return {.action = json.at("action"),
            .path = json.at("path"),
            .text = json.at("text"),
            .field = json.at("field"),
            .value = json.at("value"),
            .pid = json.at("pid"),
            .signal_number = json.at("signal")};
}

/// The undo steps of the active faults, newest last, mirrored in a file for the guard.
class UndoJournal {
public:
    explicit UndoJournal(std::string path) : path_(std::move(path)) {}

    Status add(const UndoStep& step) {
        steps_.push_back(step);
        return save();
    }
    std::size_t size() const { return steps_.size(); }
    /// Takes the steps from `first` on, newest first, and forgets them.
    Status undo_from(std::size_t first) {
        Status result;
        while (steps_.size() > first) {
            const auto status = take(steps_.back());
            if (!status && result) result = status;
            steps_.pop_back();
            CULPRIT_TRY_STATUS(save());
        }
        return result;
    }
    /// For the guard: whatever the file still holds.
    static void undo_all(const std::string& path) {
        const auto text = read_text_file(path);
        if (!text) return;
        const auto json = nlohmann::json::parse(*text, nullptr, false);
        if (!json.is_array()) return;
        for (auto step = json.rbegin(); step != json.rend(); ++step)
            static_cast<void>(take(from_json(*step)));
        std::error_code error;
        fs::remove(path, error);
    }

private:
    Status save() const {
        auto json = nlohmann::json::array();
        for (const auto& step : steps_) json.push_back(to_json(step));
        return write_text_file_atomically(path_, json.dump());
    }
    std::string path_;
    std::vector<UndoStep> steps_;
};

[[noreturn]] void become_guard(int pipe_end, const std::string& journal) {
    setsid();
    prctl(PR_SET_NAME, "culprit-guard");
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
    char byte = 0;
    while (read(pipe_end, &byte, 1) < 0 && errno == EINTR) {
    }
    UndoJournal::undo_all(journal);
    _exit(0);
}

std::string own_program() { return fs::read_symlink("/proc/self/exe").string(); }

class Injector final : public LocalInjector {
public:
    Injector(const Settings& settings, CgroupTree tree, std::string journal, int alive)
        : settings_(settings),
          tree_(std::move(tree)),
          journal_(std::move(journal)),
          guard_pipe_(alive) {}
    Injector(const Injector&) = delete;
    Injector& operator=(const Injector&) = delete;
    // Out of memory here ends the process, and the guard goes on.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    ~Injector() override {
        for (auto& [key, active] : active_) static_cast<void>(end(active));
        close(guard_pipe_);
    }

    Result<FaultRecord> apply(const FaultSpec& fault) override {
        FaultRecord record{.fault = fault};
        if (fault.kind->target != FaultTarget::traffic) CULPRIT_TRY_STATUS(check_component(fault));
        Active active{.began = wall_clock_now(), .first_step = journal_.size()};
        auto effect = start(fault, active);
        if (!effect) {
            static_cast<void>(end(active));
            return tl::unexpected<Error>(effect.error());
        }
        record.applied = active.began;
        record.effect = *effect;
        active_[key_of(fault)] = std::move(active);
        return record;
    }

    Status keep(FaultRecord& record) override {
        auto& active = active_[key_of(record.fault)];
        if (record.fault.kind->name != "crash_loop") return {};
        if (monotonic_seconds() < active.next_action) return {};
        active.next_action = monotonic_seconds() + record.fault.parameter("period_seconds");
        if (const pid_t pid = serving_process(record.fault.target); pid > 0) kill(pid, SIGKILL);
        return {};
    }

    Status remove(FaultRecord& record) override {
        auto node = active_.extract(key_of(record.fault));
        if (node.empty()) return {};
        auto status = end(node.mapped());
        record.removed = wall_clock_now();
        record.after = read_back(record.fault);
        if (!status) record.problem = status.error().message;
        return status;
    }

private:
    struct Active {
        TimePoint began;  ///< when the fault began to act
        std::size_t first_step = 0;
        std::vector<pid_t> helpers;
        double next_action = 0;
    };

    static std::string key_of(const FaultSpec& fault) {
        return fmt::format("{}@{}+{}", fault.kind->name, fault.target, fault.start_seconds);
    }

    Status check_component(const FaultSpec& fault) const {
        CULPRIT_TRY(const auto component, settings_.component(fault.target));
        const bool is_replica = component.name.starts_with("ray-replicas-");
        if (fault.kind->target == FaultTarget::replica && !is_replica)
            return fail(ErrorCode::invalid_input,
                        fmt::format("{} needs a replica as its target, found {}", fault.kind->name,
                                    fault.target));
        if (fault.kind->target == FaultTarget::proxy && component.name != "nginx-proxy")
            return fail(ErrorCode::invalid_input,
                        fmt::format("{} needs nginx-proxy as its target, found {}",
                                    fault.kind->name, fault.target));
        return {};
    }

    Status end(Active& active) {
        for (const pid_t pid : active.helpers) {
            kill(-pid, SIGKILL);
            while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
            }
        }
        active.helpers.clear();
        return journal_.undo_from(active.first_step);
    }

    // Starts a helper of the fault; with `ready`, waits until it says that it has taken effect.
    Status start_helper(const FaultSpec& fault, Active& active, bool in_group,
                        std::vector<std::string> arguments, bool ready = true) {
        const auto said = settings_.path("fault-" + fault.target + ".ready");
        std::error_code error;
        fs::remove(said, error);
        SpawnOptions options{.arguments = {own_program(), "testbed"},
                             .log_path = settings_.path("logs/faults.process.log")};
        options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
        if (ready) options.arguments.insert(options.arguments.end(), {"--ready", said});
        // Whatever runs in the group shares the pod's network too: its counters are read through
        // any of the group's processes.
        if (in_group) {
            options.cgroup_files = tree_.entry_files(fault.target);
            options.network_namespace =
                NetworkNames::path_of(settings_.network().pod(fault.target));
        }
        CULPRIT_TRY(const pid_t pid, spawn(options));
        active.helpers.push_back(pid);
        const double begin = monotonic_seconds();
        while (ready && !fs::exists(said)) {
            if (monotonic_seconds() - begin > 10)
                return fail(ErrorCode::unavailable,
                            "the fault's helper did not get ready:\n" +
                                tail_of_file(settings_.path("logs/faults.process.log"), 5));
            sleep_seconds(0.05);
        }
        sleep_seconds(0.2);
        if (!is_alive(pid))
            return fail(ErrorCode::unavailable,
                        "a helper of the fault ended at once:\n" +
                            tail_of_file(settings_.path("logs/faults.process.log"), 5));
        return {};
    }

    Status set_integer(const FaultSpec& fault, Field field, std::int64_t value) {
        const auto path = settings_.accelerator_path(fault.target);
        CULPRIT_TRY(auto file, AcceleratorFile::open(path));
        CULPRIT_TRY_STATUS(journal_.add({.action = "integer",
                                         .path = path,
                                         .field = static_cast<std::uint16_t>(field),
                                         .value = static_cast<double>(file.integer(field))}));
        file.set_integer(field, value);
        return {};
    }
    Status set_number(const FaultSpec& fault, Field field, double value) {
        const auto path = settings_.accelerator_path(fault.target);
        CULPRIT_TRY(auto file, AcceleratorFile::open(path));
        CULPRIT_TRY_STATUS(journal_.add({.action = "number",
                                         .path = path,
                                         .field = static_cast<std::uint16_t>(field),
                                         .value = file.number(field)}));
        file.set_number(field, value);
        return {};
    }

    pid_t process_named(const std::string& component, std::string_view title) const {
        for (const pid_t pid : tree_.processes(component)) {
            const auto name = read_text_file(fmt::format("/proc/{}/cmdline", pid)).value_or("");
            if (name.starts_with(title)) return pid;
        }
        return 0;
    }
    // The engine core of a replica: the process that vLLM names so.
    pid_t engine_of(const std::string& component) const {
        return process_named(component, "VLLM::EngineCore");
    }
    // The engine or, while none runs yet, the replica that is starting one.
    pid_t serving_process(const std::string& component) const {
        if (const pid_t engine = engine_of(component); engine > 0) return engine;
        return process_named(component, "ray::ServeReplica");
    }

    std::vector<pid_t> main_processes(const std::string& component) const {
        if (const pid_t engine = engine_of(component); engine > 0) return {engine};
        return tree_.processes(component);
    }

    // Replaces nginx's configuration and makes it take effect.
    Status reload_nginx(const std::string& from, const std::string& to) {
        const auto path = settings_.path("nginx.conf");
        CULPRIT_TRY(const auto original, read_text_file(path));
        CULPRIT_TRY(const auto pid_text, read_text_file(settings_.path("nginx.pid")));
        const pid_t pid = static_cast<pid_t>(std::strtol(pid_text.c_str(), nullptr, 10));
        auto changed = original;
        const auto at = changed.find(from);
        if (at == std::string::npos)
            return fail(ErrorCode::malformed_data,
                        fmt::format("{} does not contain \"{}\"", path, from));
        for (auto found = at; found != std::string::npos; found = changed.find(from, found)) {
            changed.replace(found, from.size(), to);
            found += to.size();
            if (from.starts_with("worker_connections")) break;
        }
        CULPRIT_TRY_STATUS(journal_.add({.action = "signal", .pid = pid, .signal_number = SIGHUP}));
        CULPRIT_TRY_STATUS(journal_.add({.action = "write_file", .path = path, .text = original}));
        CULPRIT_TRY_STATUS(write_text_file(path, changed));
        kill(pid, SIGHUP);
        sleep_seconds(0.5);
        return {};
    }

    Result<std::string> start(const FaultSpec& fault, Active& active) {
        const auto kind = fault.kind->name;
        if (kind == "cpu_quota") {
            const auto path = tree_.cpu_quota_file(fault.target);
            CULPRIT_TRY(const auto usual, read_text_file(path));
            CULPRIT_TRY_STATUS(journal_.add({.action = "write_file", .path = path, .text = usual}));
            CULPRIT_TRY_STATUS(tree_.set_cpu_cores(fault.target, fault.parameter("cores")));
        } else if (kind == "cpu_stress") {
            CULPRIT_TRY_STATUS(start_helper(
                fault, active, true,
                {"stress", "cpu", "--workers", fmt::format("{:.0f}", fault.parameter("workers"))}));
        } else if (kind == "memory_hog") {
            CULPRIT_TRY_STATUS(start_helper(fault, active, true,
                                            {"stress", "memory", "--megabytes",
                                             fmt::format("{}", fault.parameter("megabytes"))}));
        } else if (kind == "memory_limit") {
            CULPRIT_TRY(const auto usage, tree_.usage(fault.target));
            const auto limit =
                usage.memory_bytes +
                static_cast<std::uint64_t>(1e6 * fault.parameter("headroom_megabytes"));
            CULPRIT_TRY_STATUS(journal_.add({.action = "write_file",
                                             .path = tree_.memory_limit_file(fault.target),
                                             .text = tree_.no_memory_limit_text()}));
            CULPRIT_TRY_STATUS(tree_.set_memory_limit(fault.target, limit));
            // The hog makes use grow; the kernel kills the largest process, which is the engine.
            CULPRIT_TRY_STATUS(start_helper(fault, active, true,
                                            {"stress", "memory", "--megabytes", "400"}, false));
        } else if (kind == "disk_io") {
            CULPRIT_TRY_STATUS(start_helper(
                fault, active, true,
                {"stress", "disk", "--workers", fmt::format("{:.0f}", fault.parameter("workers")),
                 "--name", settings_.name}));
        } else if (kind.starts_with("network_")) {
            CULPRIT_TRY_STATUS(start_wire(fault, active));
        } else if (kind == "gpu_power_cap") {
            CULPRIT_TRY_STATUS(
                set_number(fault, Field::power_limit_watts, fault.parameter("watts")));
        } else if (kind == "gpu_thermal") {
            CULPRIT_TRY_STATUS(
                set_number(fault, Field::ambient_celsius, fault.parameter("ambient_celsius")));
            CULPRIT_TRY_STATUS(set_number(fault, Field::cooling, fault.parameter("cooling")));
        } else if (kind == "process_pause") {
            for (const pid_t pid : main_processes(fault.target)) {
                CULPRIT_TRY_STATUS(
                    journal_.add({.action = "signal", .pid = pid, .signal_number = SIGCONT}));
                kill(pid, SIGSTOP);
            }
        } else if (kind == "process_kill" || kind == "crash_loop") {
            const pid_t engine = engine_of(fault.target);
            if (engine <= 0)
                return fail(ErrorCode::unavailable, "no engine process in " + fault.target);
            kill(engine, SIGKILL);
            for (int wait = 0; wait < 40 && is_alive(engine); ++wait) sleep_seconds(0.05);
            if (kind == "crash_loop")
                active.next_action = monotonic_seconds() + fault.parameter("period_seconds");
        } else {
            CULPRIT_TRY_STATUS(start_engine_or_proxy_fault(fault));
        }
        return read_back(fault);
    }

    /// Bytes in the files that are the component's standard output.
    std::uintmax_t output_bytes(const std::string& component) const {
        std::set<std::string> files;
        std::error_code error;
        for (const pid_t pid : tree_.processes(component))
            files.insert(fs::read_symlink(fmt::format("/proc/{}/fd/1", pid), error));
        std::uintmax_t bytes = 0;
        for (const std::string& file : files)
            if (fs::is_regular_file(file, error)) bytes += fs::file_size(file, error);
        return bytes;
    }

    /// The lines must arrive in the component's output: a flood that nobody can see is none.
    Status flood_log(const FaultSpec& fault) {
        constexpr double bytes_per_line_min = 20.0;
        const double rate = fault.parameter("lines_per_second");
        const auto before = output_bytes(fault.target);
        CULPRIT_TRY_STATUS(
            set_integer(fault, Field::log_lines_per_s, static_cast<std::int64_t>(rate)));
        std::uintmax_t now = before;
        for (int wait = 0; wait < 60; ++wait) {
            sleep_seconds(0.05);
            now = output_bytes(fault.target);
            if (static_cast<double>(now) > static_cast<double>(before) + bytes_per_line_min * rate)
                return {};
        }
        return fail(ErrorCode::unavailable,
                    fmt::format("expected {:.0f} lines per second in the output of {}, found {} "
                                "bytes in 3 s",
                                rate, fault.target, now - before));
    }

    Status start_engine_or_proxy_fault(const FaultSpec& fault) {
        const auto kind = fault.kind->name;
        if (kind == "engine_stuck") return set_integer(fault, Field::stuck, 1);
        if (kind == "kv_pressure")
            return set_integer(
                fault, Field::kv_blocks_held,
                static_cast<std::int64_t>(fault.parameter("share") * settings_.num_kv_blocks));
        if (kind == "batch_limit")
            return set_integer(fault, Field::max_num_seqs,
                               static_cast<std::int64_t>(fault.parameter("sequences")));
        if (kind == "token_budget")
            return set_integer(fault, Field::batched_tokens,
                               static_cast<std::int64_t>(fault.parameter("tokens")));
        if (kind == "tokenizer_slow")
            return set_integer(
                fault, Field::tokenizer_delay_us,
                static_cast<std::int64_t>(1000 * fault.parameter("milliseconds_per_kilobyte")));
        if (kind == "log_flood") return flood_log(fault);
        if (kind == "misrouting") {
            const auto favourite = settings_.address_of(
                fmt::format("ray-replicas-{:.0f}", fault.parameter("replica")));
            return reload_nginx(
                fmt::format("server {}:{} ", favourite, Settings::serve_port),
                fmt::format("server {}:{} weight=1000 ", favourite, Settings::serve_port));
        }
        if (kind == "proxy_connections")
            return reload_nginx(
                "worker_connections 512;",
                fmt::format("worker_connections {:.0f};", fault.parameter("connections")));
        if (kind == "upstream_unknown") {
            const auto last = settings_.address_of(settings_.replica_names().back());
            return reload_nginx(fmt::format("server {}:{} ", last, Settings::serve_port),
                                fmt::format("server {}:{} ", settings_.network().address(99),
                                            Settings::serve_port));
        }
        if (kind == "decoy_reload") return reload_nginx("keepalive 8;", "keepalive 8; ");
        if (fault.kind->target == FaultTarget::traffic) return {};
        return fail(ErrorCode::unsupported,
                    fmt::format("the local backend cannot inject {}", fault.kind->name));
    }

    Status start_wire(const FaultSpec& fault, Active& active) {
        std::vector<std::string> arguments{"wire", "--name", settings_.name, "--component",
                                           fault.target};
        for (const auto& [name, value] : fault.parameters) {
            arguments.push_back("--" + name);
            arguments.push_back(fmt::format("{}", value));
        }
        CULPRIT_TRY_STATUS(start_helper(fault, active, false, arguments));
        active.began = wall_clock_now();
        return {};
    }

    // What the system itself says about the fault, after applying or removing it.
    std::string read_back(const FaultSpec& fault) const {
        const auto kind = fault.kind->name;
        if (kind == "cpu_quota") {
            const auto cores = tree_.cpu_cores(fault.target);
            return !cores   ? cores.error().message
                   : *cores ? fmt::format("quota {:.2f} cores", **cores)
                            : std::string("no quota");
        }
        if (kind == "cpu_stress" || kind.starts_with("memory_") || kind == "disk_io") {
            const auto usage = tree_.usage(fault.target);
            return fmt::format(
                "{} processes, {:.0f} MB in use, limit {:.0f} MB, {} killed for memory",
                tree_.processes(fault.target).size(),
                usage ? static_cast<double>(usage->memory_bytes) / 1e6 : 0.0,
                usage ? static_cast<double>(usage->memory_limit_bytes) / 1e6 : 0.0,
                usage ? usage->oom_kills : 0);
        }
        if (kind.starts_with("network_")) {
            const auto routes = run_command(
                {"ip", "-n", settings_.network().pod(fault.target), "route", "show", "default"}, 5);
            return routes ? "default route " + routes->text.substr(0, routes->text.find('\n'))
                          : routes.error().message;
        }
        if (fault.kind->target == FaultTarget::proxy) {
            const auto text = read_text_file(settings_.path("nginx.conf")).value_or("");
            std::string lines;
            for (const char* word : {"worker_connections", "    server 10."})
                for (auto at = text.find(word); at != std::string::npos;
                     at = text.find(word, at + 1))
                    lines += text.substr(at, text.find_first_of("\n}", at) - at) + " ";
            return lines;
        }
        if (kind == "process_pause" || kind == "process_kill" || kind == "crash_loop") {
            const pid_t pid = engine_of(fault.target);
            const auto stat = read_text_file(fmt::format("/proc/{}/stat", pid)).value_or("");
            const auto at = stat.rfind(')');
            return pid == 0 ? std::string("no engine process")
                            : fmt::format("engine process {} state {}", pid,
                                          at + 2 < stat.size() ? stat[at + 2] : '?');
        }
        if (fault.kind->target != FaultTarget::replica) return {};
        const auto file = AcceleratorFile::open(settings_.accelerator_path(fault.target));
        if (!file) return file.error().message;
        return fmt::format(
            "power limit {:.0f} W, ambient {:.0f} C, cooling {:.2f}, stuck {}, KV blocks held {}, "
            "batch limit {}, token budget {}, tokenizer {} us/kB, log {} lines/s",
            file->number(Field::power_limit_watts), file->number(Field::ambient_celsius),
            file->number(Field::cooling), file->integer(Field::stuck),
            file->integer(Field::kv_blocks_held), file->integer(Field::max_num_seqs),
            file->integer(Field::batched_tokens), file->integer(Field::tokenizer_delay_us),
            file->integer(Field::log_lines_per_s));
    }

    const Settings settings_;
    CgroupTree tree_;
    UndoJournal journal_;
    int guard_pipe_;
    std::map<std::string, Active> active_;
};

}  // namespace

Result<std::unique_ptr<LocalInjector>> LocalInjector::create(const Settings& settings) {
    CULPRIT_TRY(auto tree, CgroupTree::open("/sys/fs/cgroup", settings.group_prefix()));
    const auto journal = settings.path(fmt::format("undo-{}.json", getpid()));
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) != 0) return fail(ErrorCode::io_failure, "pipe");
    const pid_t guard = fork();
    if (guard < 0) return fail(ErrorCode::io_failure, "fork");
    if (guard == 0) {
        close(alive[1]);
        become_guard(alive[0], journal);
    }
    close(alive[0]);
    return std::make_unique<Injector>(settings, std::move(tree), journal, alive[1]);
}

std::vector<std::string> describe_fault(const Settings& settings, const FaultSpec& fault) {
    std::string parameters;
    for (const auto& parameter : fault.kind->used_parameters())
        parameters += fmt::format(" {}={}{}", parameter.name, fault.parameter(parameter.name),
                                  parameter.unit);
    std::vector<std::string> lines{
        fmt::format("{:6.1f} s  {} on {}{}", fault.start_seconds, fault.kind->name,
                    fault.target.empty() ? "the traffic" : fault.target, parameters),
        fmt::format("          {}", fault.kind->summary)};
    if (!fault.target.empty())
        lines.push_back(fmt::format("          group {}/{}, address {}", settings.group_prefix(),
                                    fault.target, settings.address_of(fault.target)));
    lines.push_back(fmt::format("{:6.1f} s  undone", fault.start_seconds + fault.duration_seconds));
    return lines;
}

}  // namespace culprit::testbed
