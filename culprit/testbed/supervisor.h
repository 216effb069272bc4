#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>

#include "culprit/base/result.h"
#include "culprit/testbed/cgroup.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

/// What the supervisor tells the world, in `<run>/state.json`.
struct SupervisorState {
    std::string phase = "starting";
    std::string message = {};
    pid_t supervisor = 0;
    unsigned long long supervisor_start_tick = 0;
};
Status write_state(const Settings& settings, const SupervisorState& state);
std::optional<SupervisorState> read_state(const Settings& settings);
/// True while the process that wrote the state lives.
bool supervisor_lives(const SupervisorState& state);

/// The supervisor's whole life: starts every component in its place, waits until each answers,
/// watches until SIGTERM, takes everything down. Runs in a process of its own. Before it starts
/// anything it forks the reaper, which waits for its end and then removes what is left.
Status run_supervisor(const Settings& settings);

/// Kills and removes every process, control group and namespace of the testbed.
Status remove_remains(const Settings& settings);

}  // namespace culprit::testbed
