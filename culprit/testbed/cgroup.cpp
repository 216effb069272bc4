#include "culprit/testbed/cgroup.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "culprit/testbed/child_process.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t period_us = 100'000;  // the kernel's default accounting period

std::uint64_t number_in(const std::string& path) {
    const auto text = read_text_file(path);
    return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

// "key value" lines, as in memory.stat and cpu.stat.
std::map<std::string, std::uint64_t> keyed_numbers(const std::string& path) {
    std::map<std::string, std::uint64_t> result;
    const auto text = read_text_file(path);
    if (!text) return result;
    std::istringstream lines(*text);
    std::string key;
    std::uint64_t value = 0;
    while (lines >> key >> value) result[key] = value;
    return result;
}

void add_io_v1(const std::string& path, CgroupUsage& usage) {
    const auto text = read_text_file(path);
    if (!text) return;
    std::istringstream lines(*text);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        std::string device;
        std::string kind;
        std::uint64_t bytes = 0;
        if (!(fields >> device >> kind >> bytes)) continue;
        if (kind == "Read") usage.read_bytes += bytes;
        if (kind == "Write") usage.written_bytes += bytes;
    }
}

void add_io_v2(const std::string& path, CgroupUsage& usage) {
    const auto text = read_text_file(path);
    if (!text) return;
    std::istringstream fields(*text);
    std::string field;
    while (fields >> field) {
        if (field.starts_with("rbytes="))
            usage.read_bytes += std::strtoull(field.c_str() + 7, nullptr, 10);
        if (field.starts_with("wbytes="))
            usage.written_bytes += std::strtoull(field.c_str() + 7, nullptr, 10);
    }
}

}  // namespace

Result<CgroupTree> CgroupTree::open(const std::string& mount, const std::string& prefix) {
    if (fs::exists(mount + "/cpu/cgroup.procs") && fs::exists(mount + "/memory/cgroup.procs"))
        return CgroupTree(mount, prefix, false);
    const auto offered = read_text_file(mount + "/cgroup.controllers");
    if (offered && offered->find("cpu") != std::string::npos &&
        offered->find("memory") != std::string::npos)
        return CgroupTree(mount, prefix, true);
    return fail(ErrorCode::unsupported,
                fmt::format("needs the cpu and memory controllers below {}, found neither version "
                            "1 nor version 2 with both",
                            mount));
}

std::vector<std::string> CgroupTree::controllers() const {
    if (unified_) return {""};
    std::vector<std::string> present;
    for (const char* name : {"cpu", "cpuacct", "memory", "blkio", "freezer"})
        if (fs::exists(fmt::format("{}/{}/cgroup.procs", mount_, name))) present.emplace_back(name);
    return present;
}

std::string CgroupTree::folder(const std::string& controller, const std::string& group) const {
    auto path = controller.empty() || unified_ ? mount_ : fmt::format("{}/{}", mount_, controller);
    path += "/" + prefix_;
    return group.empty() ? path : path + "/" + group;
}

namespace {

// Recent kernels count a version 1 group's disk traffic only while some limit is set for the disk:
// one that nothing reaches. A disk that refuses it stays uncounted.
void count_disk_traffic(const std::string& group_folder) {
    constexpr const char* unlimited = "1099511627776";
    std::error_code error;
    for (const auto& disk : fs::directory_iterator("/sys/block", error)) {
        const auto name = disk.path().filename().string();
        if (name.starts_with("loop") || name.starts_with("ram") || name.starts_with("zram"))
            continue;
        const auto device = read_text_file(disk.path() / "dev");
        if (!device) continue;
        const auto limit = fmt::format("{} {}", device->substr(0, device->find('\n')), unlimited);
        for (const char* file :
             {"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"})
            if (fs::exists(fs::path(group_folder) / file, error))
                static_cast<void>(write_text_file(fs::path(group_folder) / file, limit));
    }
}

}  // namespace

Status CgroupTree::create(const std::string& group) const {
    for (const auto& controller : controllers()) {
        std::error_code error;
        fs::create_directories(folder(controller, group), error);
        if (error)
            return fail(ErrorCode::io_failure,
                        fmt::format("cannot create the control group {}: {}",
                                    folder(controller, group), error.message()));
    }
    if (unified_) {
        CULPRIT_TRY_STATUS(write_text_file(mount_ + "/cgroup.subtree_control", "+cpu +memory +io"));
        CULPRIT_TRY_STATUS(
            write_text_file(folder("", "") + "/cgroup.subtree_control", "+cpu +memory +io"));
    } else {
        count_disk_traffic(folder("blkio", group));
    }
    return {};
}

std::vector<std::string> CgroupTree::entry_files(const std::string& group) const {
    std::vector<std::string> files;
    for (const auto& controller : controllers())
        files.push_back(folder(controller, group) + "/cgroup.procs");
    return files;
}

std::vector<pid_t> CgroupTree::processes(const std::string& group) const {
    std::set<pid_t> found;
    for (const auto& controller : controllers()) {
        const auto text = read_text_file(folder(controller, group) + "/cgroup.procs");
        if (!text) continue;
        std::istringstream numbers(*text);
        pid_t pid = 0;
        while (numbers >> pid) found.insert(pid);
    }
    return {found.begin(), found.end()};
}

std::vector<std::string> CgroupTree::groups() const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder(unified_ ? "" : "memory", ""), error))
        if (entry.is_directory()) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

Result<CgroupUsage> CgroupTree::usage(const std::string& group) const {
    CgroupUsage usage;
    const auto memory = folder("memory", group);
    if (!fs::exists(memory))
        return fail(ErrorCode::missing_input, fmt::format("no control group {}", memory));
    if (unified_) {
        auto cpu = keyed_numbers(memory + "/cpu.stat");
        usage.cpu_seconds = static_cast<double>(cpu["usage_usec"]) * 1e-6;
        usage.cpu_user_seconds = static_cast<double>(cpu["user_usec"]) * 1e-6;
        usage.cpu_system_seconds = static_cast<double>(cpu["system_usec"]) * 1e-6;
        usage.periods = cpu["nr_periods"];
        usage.throttled_periods = cpu["nr_throttled"];
        usage.throttled_seconds = static_cast<double>(cpu["throttled_usec"]) * 1e-6;
        auto stat = keyed_numbers(memory + "/memory.stat");
        usage.memory_bytes = number_in(memory + "/memory.current");
        usage.memory_limit_bytes = number_in(memory + "/memory.max");
        usage.rss_bytes = stat["anon"];
        usage.cache_bytes = stat["file"];
        usage.inactive_file_bytes = stat["inactive_file"];
        usage.page_faults_major = stat["pgmajfault"];
        usage.oom_kills = keyed_numbers(memory + "/memory.events")["oom_kill"];
        add_io_v2(memory + "/io.stat", usage);
        return usage;
    }
    const auto accounting = folder("cpuacct", group);
    usage.cpu_seconds = static_cast<double>(number_in(accounting + "/cpuacct.usage")) * 1e-9;
    usage.cpu_user_seconds =
        static_cast<double>(number_in(accounting + "/cpuacct.usage_user")) * 1e-9;
    usage.cpu_system_seconds =
        static_cast<double>(number_in(accounting + "/cpuacct.usage_sys")) * 1e-9;
    auto cpu = keyed_numbers(folder("cpu", group) + "/cpu.stat");
    usage.periods = cpu["nr_periods"];
    usage.throttled_periods = cpu["nr_throttled"];
    usage.throttled_seconds = static_cast<double>(cpu["throttled_time"]) * 1e-9;
    auto stat = keyed_numbers(memory + "/memory.stat");
    usage.memory_bytes = number_in(memory + "/memory.usage_in_bytes");
    const auto limit = number_in(memory + "/memory.limit_in_bytes");
    usage.memory_limit_bytes = limit > (1ULL << 60) ? 0 : limit;
    usage.rss_bytes = stat["total_rss"];
    usage.cache_bytes = stat["total_cache"];
    usage.inactive_file_bytes = stat["total_inactive_file"];
    usage.page_faults_major = stat["total_pgmajfault"];
    usage.oom_kills = keyed_numbers(memory + "/memory.oom_control")["oom_kill"];
    add_io_v1(folder("blkio", group) + "/blkio.throttle.io_service_bytes", usage);
    return usage;
}

std::string CgroupTree::cpu_quota_file(const std::string& group) const {
    return folder("cpu", group) + (unified_ ? "/cpu.max" : "/cpu.cfs_quota_us");
}
std::string CgroupTree::memory_limit_file(const std::string& group) const {
    return folder("memory", group) + (unified_ ? "/memory.max" : "/memory.limit_in_bytes");
}
std::string CgroupTree::no_cpu_quota_text() const {
    return unified_ ? fmt::format("max {}", period_us) : "-1";
}
std::string CgroupTree::no_memory_limit_text() const { return unified_ ? "max" : "-1"; }

Status CgroupTree::set_cpu_cores(const std::string& group, std::optional<double> cores) const {
    if (!cores) return write_text_file(cpu_quota_file(group), no_cpu_quota_text());
    // The kernel refuses quotas below 1 ms.
    const auto quota =
        std::max<std::int64_t>(1000, std::llround(*cores * static_cast<double>(period_us)));
    return write_text_file(cpu_quota_file(group), unified_ ? fmt::format("{} {}", quota, period_us)
                                                           : fmt::format("{}", quota));
}

Result<std::optional<double>> CgroupTree::cpu_cores(const std::string& group) const {
    CULPRIT_TRY(const auto text, read_text_file(cpu_quota_file(group)));
    if (text.starts_with("max") || text.starts_with("-1")) return std::optional<double>{};
    return std::optional(std::strtod(text.c_str(), nullptr) / static_cast<double>(period_us));
}

Status CgroupTree::set_memory_limit(const std::string& group,
                                    std::optional<std::uint64_t> bytes) const {
    return write_text_file(memory_limit_file(group),
                           bytes ? fmt::format("{}", *bytes) : no_memory_limit_text());
}

Status CgroupTree::destroy(double seconds_max) const {
    const double deadline = monotonic_seconds() + seconds_max;
    while (true) {
        auto names = groups();
        names.emplace_back("");
        std::size_t left = 0;
        for (const auto& name : names) {
            // A frozen or throttled group could not die.
            write_text_file(cpu_quota_file(name), no_cpu_quota_text());
            for (const pid_t pid : processes(name)) {
                ++left;
                kill(pid, SIGCONT);
                kill(pid, SIGKILL);
            }
        }
        if (left == 0) break;
        if (monotonic_seconds() > deadline)
            return fail(ErrorCode::deadline_exceeded,
                        fmt::format("{} processes of the control groups {} did not die within "
                                    "{:.0f} s",
                                    left, prefix_, seconds_max));
        sleep_seconds(0.05);
    }
    auto names = groups();
    names.emplace_back("");
    for (const auto& controller : controllers())
        for (const auto& name : names) {
            const auto path = folder(controller, name);
            while (fs::exists(path) && rmdir(path.c_str()) != 0) {
                if (monotonic_seconds() > deadline)
                    return fail(ErrorCode::io_failure, fmt::format("cannot remove {}", path));
                sleep_seconds(0.05);
            }
        }
    return {};
}

}  // namespace culprit::testbed
