#include "culprit/testbed/agent.h"

#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "culprit/base/clock.h"
#include "culprit/testbed/accelerator.h"
#include "culprit/testbed/access_log.h"
#include "culprit/testbed/cgroup.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/exposition.h"
#include "culprit/testbed/log_follower.h"
#include "culprit/testbed/network_history.h"
#include "culprit/testbed/otlp_lines.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;
using Labels = Exposition::Labels;

std::int64_t wall_ns() { return to_ns(wall_clock_now()); }

/// Appends lines to a file from several threads, each line whole. With `bytes_max` a full file
/// becomes `path`.previous.jsonl, in place of the one before.
class LineFile {
public:
    explicit LineFile(std::string path, std::uint64_t bytes_max = 0)
        : path_(std::move(path)), bytes_max_(bytes_max), file_(std::fopen(path_.c_str(), "ae")) {}
    LineFile(const LineFile&) = delete;
    LineFile& operator=(const LineFile&) = delete;
    ~LineFile() {
        if (file_ != nullptr) std::fclose(file_);
    }
    void add(std::string line) {
        line += '\n';
        const std::lock_guard lock(mutex_);
        if (file_ == nullptr) return;
        std::fwrite(line.data(), 1, line.size(), file_);
        bytes_ += line.size();
        if (bytes_max_ == 0 || bytes_ < bytes_max_) return;
        std::fclose(file_);
        std::error_code ignored;
        fs::rename(path_, path_ + ".previous.jsonl", ignored);
        file_ = std::fopen(path_.c_str(), "ae");
        bytes_ = 0;
    }
    void flush() {
        const std::lock_guard lock(mutex_);
        if (file_ != nullptr) std::fflush(file_);
    }
    bool is_open() const { return file_ != nullptr; }

private:
    std::mutex mutex_;
    std::string path_;
    std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
    std::FILE* file_;
};

// ---- containers -------------------------------------------------------------------------------

struct NetworkCounters {
    DeviceCounters::mapped_type values{};
    double retransmitted = 0;
};
DeviceCounters device_counters(pid_t pid) {
    DeviceCounters devices;
    std::istringstream lines(read_text_file(fmt::format("/proc/{}/net/dev", pid)).value_or(""));
    std::string line;
    while (std::getline(lines, line)) {
        const auto colon = line.find(':');
        if (colon == std::string::npos || line.find("lo:") != std::string::npos) continue;
        std::istringstream fields(line.substr(colon + 1));
        std::array<double, 16> numbers{};
        for (auto& number : numbers) fields >> number;
        auto& values = devices[line.substr(0, colon)];
        for (std::size_t i = 0; i < 4; ++i) {
            values[i] = numbers[i];
            values[4 + i] = numbers[8 + i];
        }
    }
    return devices;
}

double retransmitted_segments(pid_t pid) {
    const auto protocols = read_text_file(fmt::format("/proc/{}/net/snmp", pid));
    if (protocols) {
        std::istringstream lines(*protocols);
        std::string header;
        std::string line;
        while (std::getline(lines, line)) {
            if (!line.starts_with("Tcp:")) continue;
            if (header.empty()) {
                header = line;
                continue;
            }
            std::istringstream names(header);
            std::istringstream numbers(line);
            std::string name;
            std::string number;
            while (names >> name && numbers >> number)
                if (name == "RetransSegs") return std::strtod(number.c_str(), nullptr);
        }
    }
    return 0;
}

struct ContainerSample {
    Labels labels;
    CgroupUsage usage;
    NetworkCounters network;
    double processes = 0;
    std::optional<double> cores;
};

std::vector<ContainerSample> sample_containers(const Settings& settings, const CgroupTree& tree,
                                               NetworkHistory& history) {
    std::vector<ContainerSample> samples;
    for (const auto& component : settings.components()) {
        auto usage = tree.usage(component.name);
        if (!usage) continue;
        ContainerSample sample{.labels = {{"namespace", "ray"},
                                          {"pod", component.name},
                                          {"container", component.name},
                                          {"node", "testbed"}},
                               .usage = *usage};
        const auto pids = tree.processes(component.name);
        sample.processes = static_cast<double>(pids.size());
        sample.network.values = history.total(
            component.name, pids.empty() ? DeviceCounters{} : device_counters(pids.front()));
        if (!pids.empty()) sample.network.retransmitted = retransmitted_segments(pids.front());
        if (auto cores = tree.cpu_cores(component.name)) sample.cores = *cores;
        samples.push_back(std::move(sample));
    }
    return samples;
}

double u64(std::uint64_t value) { return static_cast<double>(value); }

using ContainerValue = double (*)(const ContainerSample&);
struct ContainerFamily {
    const char* name;
    const char* type;
    const char* help;
    ContainerValue value;
    Labels extra = {};
};

const std::vector<ContainerFamily>& container_families() {
    using S = const ContainerSample&;
    static const std::vector<ContainerFamily> families{
        {"container_cpu_usage_seconds_total", "counter", "CPU time consumed",
         [](S s) { return s.usage.cpu_seconds; }},
        {"container_cpu_user_seconds_total", "counter", "CPU time in user mode",
         [](S s) { return s.usage.cpu_user_seconds; }},
        {"container_cpu_system_seconds_total", "counter", "CPU time in the kernel",
         [](S s) { return s.usage.cpu_system_seconds; }},
        {"container_cpu_cfs_periods_total", "counter", "Enforcement periods",
         [](S s) { return u64(s.usage.periods); }},
        {"container_cpu_cfs_throttled_periods_total", "counter", "Throttled periods",
         [](S s) { return u64(s.usage.throttled_periods); }},
        {"container_cpu_cfs_throttled_seconds_total", "counter", "Time throttled",
         [](S s) { return s.usage.throttled_seconds; }},
        {"container_spec_cpu_quota", "gauge", "CPU quota per 100 ms in us, -1 without",
         [](S s) { return s.cores ? *s.cores * 1e5 : -1.0; }},
        {"container_memory_usage_bytes", "gauge", "Memory in use with page cache",
         [](S s) { return u64(s.usage.memory_bytes); }},
        {"container_memory_working_set_bytes", "gauge", "Usage less inactive file pages",
         [](S s) { return u64(s.usage.working_set_bytes()); }},
        {"container_memory_rss", "gauge", "Anonymous memory",
         [](S s) { return u64(s.usage.rss_bytes); }},
        {"container_memory_cache", "gauge", "Page cache",
         [](S s) { return u64(s.usage.cache_bytes); }},
        {"container_spec_memory_limit_bytes", "gauge", "Memory limit, 0 without",
         [](S s) { return u64(s.usage.memory_limit_bytes); }},
        {"container_memory_failures_total",
         "counter",
         "Major page faults",
         [](S s) { return u64(s.usage.page_faults_major); },
         {{"failure_type", "pgmajfault"}, {"scope", "container"}}},
        {"container_oom_events_total", "counter", "Processes killed for memory",
         [](S s) { return u64(s.usage.oom_kills); }},
        {"container_fs_reads_bytes_total", "counter", "Bytes read from disks",
         [](S s) { return u64(s.usage.read_bytes); }},
        {"container_fs_writes_bytes_total", "counter", "Bytes written to disks",
         [](S s) { return u64(s.usage.written_bytes); }},
        {"container_network_receive_bytes_total", "counter", "Bytes received",
         [](S s) { return s.network.values[0]; }},
        {"container_network_receive_packets_total", "counter", "Packets received",
         [](S s) { return s.network.values[1]; }},
        {"container_network_receive_packets_dropped_total", "counter", "Packets dropped",
         [](S s) { return s.network.values[3]; }},
        {"container_network_transmit_bytes_total", "counter", "Bytes sent",
         [](S s) { return s.network.values[4]; }},
        {"container_network_transmit_packets_total", "counter", "Packets sent",
         [](S s) { return s.network.values[5]; }},
        {"container_network_transmit_packets_dropped_total", "counter", "Packets dropped",
         [](S s) { return s.network.values[7]; }},
        {"node_netstat_Tcp_RetransSegs", "counter", "TCP segments sent again, in the pod's network",
         [](S s) { return s.network.retransmitted; }},
        {"container_processes", "gauge", "Processes", [](S s) { return s.processes; }},
    };
    return families;
}

std::string container_metrics(const Settings& settings, const CgroupTree& tree,
                              NetworkHistory& history) {
    const auto samples = sample_containers(settings, tree, history);
    Exposition text;
    for (const auto& family : container_families()) {
        text.family(family.name, family.type, family.help);
        for (const auto& sample : samples) {
            Labels labels = sample.labels;
            labels.insert(family.extra.begin(), family.extra.end());
            text.sample(labels, family.value(sample));
        }
    }
    return text.text();
}

// ---- the machine ------------------------------------------------------------------------------

std::string node_metrics() {
    Exposition text;
    const Labels node{{"node", "testbed"}};
    const auto with = [&](const std::string& label, const std::string& value) {
        Labels labels = node;
        labels[label] = value;
        return labels;
    };
    const auto stat = read_text_file("/proc/stat").value_or("");
    text.family("node_cpu_seconds_total", "counter", "Time of each core per mode");
    const double tick = static_cast<double>(sysconf(_SC_CLK_TCK));
    std::istringstream lines(stat);
    std::string line;
    while (std::getline(lines, line)) {
        if (!line.starts_with("cpu") || line.starts_with("cpu ")) continue;
        std::istringstream fields(line);
        std::string cpu;
        fields >> cpu;
        for (const char* mode :
             {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"}) {
            double ticks = 0;
            fields >> ticks;
            auto labels = with("cpu", cpu.substr(3));
            labels["mode"] = mode;
            text.sample(labels, ticks / tick);
        }
    }
    std::istringstream memory(read_text_file("/proc/meminfo").value_or(""));
    while (std::getline(memory, line)) {
        for (const char* name : {"MemTotal", "MemAvailable", "MemFree", "Cached"}) {
            if (!line.starts_with(std::string(name) + ":")) continue;
            text.family(fmt::format("node_memory_{}_bytes", name), "gauge", name);
            text.sample(node, 1024 * std::strtod(line.c_str() + line.find(':') + 1, nullptr));
        }
    }
    text.family("node_load1", "gauge", "Load average over a minute");
    text.sample(node, std::strtod(read_text_file("/proc/loadavg").value_or("0").c_str(), nullptr));
    for (const char* resource : {"cpu", "memory", "io"}) {
        const auto pressure = read_text_file(fmt::format("/proc/pressure/{}", resource));
        if (!pressure) continue;
        const auto total = pressure->find("total=");
        if (total == std::string::npos) continue;
        text.family(fmt::format("node_pressure_{}_waiting_seconds_total", resource), "counter",
                    "Time that some task waited for it");
        text.sample(node, 1e-6 * std::strtod(pressure->c_str() + total + 6, nullptr));
    }
    return text.text();
}

// ---- accelerators -----------------------------------------------------------------------------

class Accelerators {
public:
    Status open(const Settings& settings) {
        for (const auto& replica : settings.replica_names()) {
            CULPRIT_TRY(auto file, AcceleratorFile::open(settings.accelerator_path(replica)));
            units_.push_back({.replica = replica, .file = std::move(file)});
        }
        return {};
    }

    void step() {
        using Field = AcceleratorFile::Field;
        const std::int64_t now = wall_ns();
        const std::lock_guard lock(mutex_);
        for (auto& unit : units_) {
            // A step that still runs counts up to now; a killed or stopped engine gives the
            // accelerator nothing to do.
            const auto begun =
                works(unit.file) ? unit.file.integer(Field::step_begin_ns) : std::int64_t{0};
            const auto busy = unit.file.integer(Field::busy_ns) +
                              (begun > 0 ? std::max<std::int64_t>(0, now - begun) : 0);
            const auto tokens = unit.file.integer(Field::tokens);
            const auto decodes = unit.file.integer(Field::decode_tokens);
            if (unit.time_ns != 0) {
                AcceleratorWork work;
                work.seconds = 1e-9 * static_cast<double>(now - unit.time_ns);
                work.busy_seconds =
                    1e-9 * static_cast<double>(std::max<std::int64_t>(0, busy - unit.busy_ns));
                work.decode_tokens = static_cast<double>(decodes - unit.decodes);
                work.prompt_tokens = static_cast<double>(tokens - unit.tokens) - work.decode_tokens;
                unit.model.step(work, unit.file.conditions());
                unit.file.set_number(Field::clock_ratio, unit.model.clock_ratio());
            }
            unit.time_ns = now;
            unit.busy_ns = std::max(busy, unit.busy_ns);
            unit.tokens = tokens;
            unit.decodes = decodes;
        }
    }

    std::string metrics() {
        struct Family {
            const char* name;
            const char* type;
            double (*value)(const AcceleratorReading&);
        };
        using R = const AcceleratorReading&;
        static constexpr Family families[] = {
            {"DCGM_FI_DEV_GPU_UTIL", "gauge", [](R r) { return r.utilisation_percent; }},
            {"DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge",
             [](R r) { return r.utilisation_percent / 100; }},
            {"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", [](R r) { return r.tensor_active; }},
            {"DCGM_FI_PROF_DRAM_ACTIVE", "gauge", [](R r) { return r.dram_active; }},
            {"DCGM_FI_DEV_POWER_USAGE", "gauge", [](R r) { return r.power_watts; }},
            {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter",
             [](R r) { return r.energy_millijoules; }},
            {"DCGM_FI_DEV_SM_CLOCK", "gauge", [](R r) { return r.sm_clock_mhz; }},
            {"DCGM_FI_DEV_MEM_CLOCK", "gauge", [](R r) { return r.memory_clock_mhz; }},
            {"DCGM_FI_DEV_GPU_TEMP", "gauge", [](R r) { return r.temperature_celsius; }},
            {"DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "gauge", [](R r) { return r.power_limit_watts; }},
            {"DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "gauge",
             [](R r) { return static_cast<double>(r.clock_event_reasons); }},
            {"DCGM_FI_DEV_POWER_VIOLATION", "counter", [](R r) { return r.power_violation_ns; }},
            {"DCGM_FI_DEV_THERMAL_VIOLATION", "counter",
             [](R r) { return r.thermal_violation_ns; }},
            {"DCGM_FI_DEV_XID_ERRORS", "gauge", [](R) { return 0.0; }},
        };
        Exposition text;
        const std::lock_guard lock(mutex_);
        for (const auto& family : families) {
            text.family(family.name, family.type,
                        "Emulated accelerator driven by the engine's work");
            for (std::size_t i = 0; i < units_.size(); ++i)
                text.sample({{"gpu", fmt::format("{}", i)},
                             {"UUID", fmt::format("GPU-emulated-{:04}", i)},
                             {"pci_bus_id", fmt::format("00000000:{:02X}:00.0", 16 + i)},
                             {"device", fmt::format("emulated{}", i)},
                             {"modelName", "Culprit emulated accelerator"},
                             {"Hostname", "testbed"},
                             {"emulated", "true"},
                             {"namespace", "ray"},
                             {"pod", units_[i].replica},
                             {"container", units_[i].replica}},
                            family.value(units_[i].model.reading()));
        }
        return text.text();
    }

private:
    static bool works(const AcceleratorFile& file) {
        const auto pid = static_cast<pid_t>(file.integer(AcceleratorFile::Field::engine_pid));
        return is_alive(pid) && process_state(pid) != 'T';
    }
    struct Unit {
        std::string replica;
        AcceleratorFile file;
        AcceleratorModel model = {};
        std::int64_t time_ns = 0;
        std::int64_t busy_ns = 0;
        std::int64_t tokens = 0;
        std::int64_t decodes = 0;
    };
    std::mutex mutex_;
    std::vector<Unit> units_;
};

// ---- nginx ------------------------------------------------------------------------------------

class ProxyMetrics {
public:
    void count(const AccessRecord& record, const std::string& upstream) {
        const std::lock_guard lock(mutex_);
        ++responses_[{upstream, record.status}];
        auto& histogram = latencies_[upstream];
        histogram.sum += record.upstream_seconds;
        ++histogram.count;
        for (std::size_t i = 0; i < bounds.size(); ++i)
            if (record.upstream_seconds <= bounds[i]) ++histogram.buckets[i];
    }

    std::string metrics(const Settings& settings) {
        Exposition text;
        const Labels pod{
            {"namespace", "ray"}, {"pod", "nginx-proxy"}, {"container", "nginx-proxy"}};
        httplib::Client client(settings.address_of("nginx-proxy"), 8081);
        client.set_connection_timeout(1);
        client.set_read_timeout(1);
        const auto status = client.Get("/stub_status");
        text.family("nginx_up", "gauge", "nginx answers");
        text.sample(pod, status && status->status == 200 ? 1 : 0);
        if (status && status->status == 200) {
            double active = 0, accepted = 0, handled = 0, requests = 0, reading = 0, writing = 0,
                   waiting = 0;
            std::sscanf(status->body.c_str(),
                        "Active connections: %lf server accepts handled requests %lf %lf %lf "
                        "Reading: %lf Writing: %lf Waiting: %lf",
                        &active, &accepted, &handled, &requests, &reading, &writing, &waiting);
            const std::pair<const char*, double> gauges[] = {
                {"nginx_connections_active", active},
                {"nginx_connections_reading", reading},
                {"nginx_connections_writing", writing},
                {"nginx_connections_waiting", waiting}};
            for (const auto& [name, value] : gauges) {
                text.family(name, "gauge", "From stub_status");
                text.sample(pod, value);
            }
            const std::pair<const char*, double> counters[] = {
                {"nginx_connections_accepted", accepted},
                {"nginx_connections_handled", handled},
                {"nginx_http_requests_total", requests}};
            for (const auto& [name, value] : counters) {
                text.family(name, "counter", "From stub_status");
                text.sample(pod, value);
            }
        }
        const std::lock_guard lock(mutex_);
        text.family("nginx_http_response_count_total", "counter", "Answers, from the access log");
        for (const auto& [key, count] : responses_) {
            Labels labels = pod;
            labels["upstream"] = key.first;
            labels["status"] = fmt::format("{}", key.second);
            text.sample(labels, count);
        }
        text.family("nginx_http_upstream_time_seconds", "histogram", "Upstream time, access log");
        for (const auto& [upstream, histogram] : latencies_) {
            Labels labels = pod;
            labels["upstream"] = upstream;
            for (std::size_t i = 0; i < bounds.size(); ++i) {
                labels["le"] = fmt::format("{}", bounds[i]);
                text.sample(labels, histogram.buckets[i], "_bucket");
            }
            labels["le"] = "+Inf";
            text.sample(labels, histogram.count, "_bucket");
            labels.erase("le");
            text.sample(labels, histogram.sum, "_sum");
            text.sample(labels, histogram.count, "_count");
        }
        return text.text();
    }

private:
    static constexpr std::array<double, 14> bounds{0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1,
                                                   1.5,  2,   3,   5,   10,  20,  60};
    struct Histogram {
        std::array<double, 14> buckets{};
        double sum = 0;
        double count = 0;
    };
    std::mutex mutex_;
    std::map<std::pair<std::string, int>, double> responses_;
    std::map<std::string, Histogram> latencies_;
};

// ---- logs -------------------------------------------------------------------------------------

/// Finds the log files of a testbed and says whose they are.
class LogSources {
public:
    LogSources(const Settings& settings, const CgroupTree& tree)
        : settings_(settings), tree_(tree) {}

    void discover(LogFollower& follower) {
        std::vector<std::string> found;
        std::error_code error;
        for (const char* folder :
             {"logs", "ray/session_latest/logs", "ray/session_latest/logs/serve"})
            for (const auto& entry : fs::directory_iterator(settings_.path(folder), error)) {
                const auto extension = entry.path().extension();
                if (entry.is_regular_file(error) &&
                    (extension == ".log" || extension == ".out" || extension == ".err"))
                    found.push_back(fs::canonical(entry.path(), error));
            }
        const bool any_new = std::ranges::any_of(
            found, [&](const std::string& path) { return !follower.follows(path); });
        if (!any_new) return;
        const auto owners = open_files();
        for (const auto& path : found) {
            if (follower.follows(path)) continue;
            const auto own = component_of_own_log(path);
            const auto owner = owners.find(path);
            // Nobody holds it open yet: look again next time, but do not wait for ever.
            if (own.empty() && owner == owners.end() && ++patience_[path] < 20) continue;
            container_[path] = !own.empty()            ? own
                               : owner != owners.end() ? owner->second
                                                       : "ray-head";
            follower.add(path);
        }
    }

    const std::string& container_of(const std::string& path) { return container_[path]; }

private:
    std::string component_of_own_log(const std::string& path) const {
        if (!path.starts_with(settings_.path("logs/"))) return {};
        const auto name = fs::path(path).filename().string();
        for (const auto& component : settings_.components())
            if (name.starts_with(component.name + ".")) return component.name;
        return "testbed";
    }

    std::map<std::string, std::string> open_files() const {
        std::map<std::string, std::string> owners;
        for (const auto& component : settings_.components())
            for (const pid_t pid : tree_.processes(component.name)) {
                std::error_code error;
                for (const auto& entry :
                     fs::directory_iterator(fmt::format("/proc/{}/fd", pid), error)) {
                    const auto target = fs::read_symlink(entry.path(), error);
                    if (!error) owners.try_emplace(target, component.name);
                }
            }
        return owners;
    }

    const Settings& settings_;
    const CgroupTree& tree_;
    std::map<std::string, std::string> container_;
    std::map<std::string, int> patience_;
};

class Agent {
public:
    Agent(const Settings& settings, CgroupTree tree)
        : settings_(settings),
          tree_(std::move(tree)),
          logs_(settings.path("telemetry/logs.jsonl")),
          traces_(settings.path("telemetry/traces.jsonl")),
          otlp_logs_(settings.path("telemetry/otlp/logs.jsonl"), otlp_bytes_max),
          otlp_traces_(settings.path("telemetry/otlp/traces.jsonl"), otlp_bytes_max) {}

    Status run(int stop_descriptor) {
        if (!logs_.is_open() || !traces_.is_open() || !otlp_logs_.is_open() ||
            !otlp_traces_.is_open())
            return fail(ErrorCode::io_failure, "cannot write below " + settings_.path("telemetry"));
        CULPRIT_TRY_STATUS(accelerators_.open(settings_));
        serve_routes();
        if (!server_.bind_to_port(settings_.agent_address().c_str(), Settings::agent_port))
            return fail(ErrorCode::io_failure,
                        fmt::format("cannot listen on {}:{}", settings_.agent_address(),
                                    Settings::agent_port));
        std::thread listener([this] { server_.listen_after_bind(); });
        LogFollower follower;
        LogSources sources(settings_, tree_);
        pollfd stop{.fd = stop_descriptor, .events = POLLIN, .revents = 0};
        for (std::uint64_t tick = 0; ::poll(&stop, 1, 100) == 0; ++tick) {
            accelerators_.step();
            if (tick % 2 == 0) follow_logs(follower, sources);
            if (tick % 20 == 0) sources.discover(follower);
        }
        server_.stop();
        listener.join();
        return {};
    }

private:
    void serve_routes() {
        const auto metrics = [this](const char* path, std::function<std::string()> make) {
            server_.Get(path, [make = std::move(make)](const httplib::Request&,
                                                       httplib::Response& response) {
                response.set_content(make(), "text/plain; version=0.0.4");
            });
        };
        metrics("/metrics/containers",
                [this] { return container_metrics(settings_, tree_, network_); });
        metrics("/metrics/node", [] { return node_metrics(); });
        metrics("/metrics/accelerators", [this] { return accelerators_.metrics(); });
        metrics("/metrics/nginx", [this] { return proxy_.metrics(settings_); });
        server_.Post("/v1/traces",
                     [this](const httplib::Request& request, httplib::Response& response) {
                         const auto json = nlohmann::json::parse(request.body, nullptr, false);
                         if (!json.is_object()) {
                             response.status = 400;
                             return;
                         }
                         traces_.add(json.dump());
                         traces_.flush();
                         otlp_traces_.add(json.dump());
                         otlp_traces_.flush();
                         response.set_content("{}", "application/json");
                     });
        server_.new_task_queue = [] { return new httplib::ThreadPool(4); };
    }

    void follow_logs(LogFollower& follower, LogSources& sources) {
        follower.poll([&](const std::string& path, std::string_view line) {
            if (path.ends_with("nginx-proxy.access.log"))
                if (const auto record = parse_access_line(line)) {
                    proxy_.count(*record, component_at(record->upstream));
                    otlp_traces_.add(otlp_proxy_span_line(*record));
                }
            const std::string container = sources.container_of(path);
            const std::string file = fs::path(path).filename();
            const std::int64_t now = wall_ns();
            const nlohmann::json entry{{"time_ns", now},
                                       {"container", container},
                                       {"file", file},
                                       {"message", std::string(line)}};
            logs_.add(entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
            if (container != "testbed")
                otlp_logs_.add(otlp_log_line(
                    {.time_ns = now, .container = container, .file = file, .text = line}));
        });
        logs_.flush();
        otlp_logs_.flush();
        otlp_traces_.flush();
    }

    std::string component_at(const std::string& upstream) const {
        const auto address = upstream.substr(0, upstream.find(':'));
        for (const auto& component : settings_.components())
            if (settings_.network().address(component.host) == address) return component.name;
        return upstream.empty() ? "none" : upstream;
    }

    const Settings& settings_;
    CgroupTree tree_;
    NetworkHistory network_;
    Accelerators accelerators_;
    ProxyMetrics proxy_;
    LineFile logs_;
    LineFile traces_;
    // The recent past for `culprit diagnose --from`; at most two files of this size each.
    static constexpr std::uint64_t otlp_bytes_max = 32U << 20U;
    LineFile otlp_logs_;
    LineFile otlp_traces_;
    httplib::Server server_;
};

}  // namespace

Status run_agent(const Settings& settings) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    const int stop = signalfd(-1, &signals, SFD_CLOEXEC);
    CULPRIT_TRY(auto tree, CgroupTree::open("/sys/fs/cgroup", settings.group_prefix()));
    Agent agent(settings, std::move(tree));
    auto status = agent.run(stop);
    close(stop);
    return status;
}

}  // namespace culprit::testbed
