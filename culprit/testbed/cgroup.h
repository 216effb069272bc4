#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "culprit/base/result.h"

namespace culprit::testbed {

/// What the kernel accounts for one group, in the units of cAdvisor's metrics.
struct CgroupUsage {
    double cpu_seconds = 0;  ///< container_cpu_usage_seconds_total
    double cpu_user_seconds = 0;
    double cpu_system_seconds = 0;
    std::uint64_t periods = 0;  ///< container_cpu_cfs_periods_total
    std::uint64_t throttled_periods = 0;
    double throttled_seconds = 0;  ///< container_cpu_cfs_throttled_seconds_total
    std::uint64_t memory_bytes = 0;
    std::uint64_t rss_bytes = 0;
    std::uint64_t cache_bytes = 0;
    std::uint64_t inactive_file_bytes = 0;
    std::uint64_t memory_limit_bytes = 0;  ///< 0 = none
    std::uint64_t page_faults_major = 0;
    std::uint64_t oom_kills = 0;  ///< container_oom_events_total
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;

    /// What cAdvisor calls the working set: usage less inactive file pages.
    std::uint64_t working_set_bytes() const {
        return memory_bytes > inactive_file_bytes ? memory_bytes - inactive_file_bytes : 0;
    }
};

/// The control groups of one testbed: `<mount>/<controller>/<prefix>/<group>` where controllers are
/// mounted one by one (version 1), `<mount>/<prefix>/<group>` where they are unified (version 2).
/// Holds no state but paths: several processes may use the same tree.
class CgroupTree {
public:
    /// Looks at what is mounted below `mount`. unsupported when neither version offers cpu and
    /// memory control.
    static Result<CgroupTree> open(const std::string& mount, const std::string& prefix);

    bool is_unified() const { return unified_; }
    Status create(const std::string& group) const;
    /// The files into which a process writes "0" to enter the group.
    std::vector<std::string> entry_files(const std::string& group) const;
    std::vector<pid_t> processes(const std::string& group) const;
    std::vector<std::string> groups() const;
    Result<CgroupUsage> usage(const std::string& group) const;

    /// Time on the CPU that the group may have, in cores; nothing lifts the limit.
    Status set_cpu_cores(const std::string& group, std::optional<double> cores) const;
    Result<std::optional<double>> cpu_cores(const std::string& group) const;
    Status set_memory_limit(const std::string& group, std::optional<std::uint64_t> bytes) const;

    /// Where the settings live, so that a guard can restore them without this class.
    std::string cpu_quota_file(const std::string& group) const;
    std::string memory_limit_file(const std::string& group) const;
    std::string no_cpu_quota_text() const;
    std::string no_memory_limit_text() const;

    /// Kills everything in every group until nothing is left, then removes the groups.
    Status destroy(double seconds_max) const;

private:
    CgroupTree(std::string mount, std::string prefix, bool unified)
        : mount_(std::move(mount)), prefix_(std::move(prefix)), unified_(unified) {}
    std::string folder(const std::string& controller, const std::string& group) const;
    std::vector<std::string> controllers() const;

    std::string mount_;
    std::string prefix_;
    bool unified_;
};

}  // namespace culprit::testbed
