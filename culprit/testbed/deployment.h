#pragma once

#include <functional>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

using Progress = std::function<void(const std::string& line)>;

/// Makes sure that the Python environment with Ray and vLLM exists (pinned versions of
/// testbed/requirements.txt) and returns its interpreter. Minutes and some gigabytes the first
/// time.
Result<std::string> prepare_environment(const std::string& assets, const Progress& progress);

/// What must be there before anything is started: root, control groups, programs. One error that
/// lists everything that is missing.
Status check_machine();

/// Starts a testbed and returns when it is healthy. A supervisor process stays behind; when it
/// ends, for whatever reason (also kill -9), a reaper removes every process, control group and
/// namespace. `stop` is asked while waiting: true takes everything down again (cancelled).
Status start_testbed(const Settings& settings, const Progress& progress,
                     const std::function<bool()>& stop);

/// Stops a testbed; returns when nothing of it is left. `keep_files` leaves the run folder.
Status stop_testbed(const std::string& name, bool keep_files);

struct ComponentStatus {
    std::string name;
    std::string address;
    int processes = 0;
    double memory_bytes = 0;
    bool answers = false;
    std::string detail;
};
struct TestbedStatus {
    std::string phase;  ///< starting, healthy, failed, stopping, gone
    std::string message;
    std::vector<ComponentStatus> components;
};
Result<TestbedStatus> testbed_status(const std::string& name);

/// A free network index, so that a second testbed does not collide with the first.
int free_index();

}  // namespace culprit::testbed
