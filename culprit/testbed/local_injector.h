#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/time.h"
#include "culprit/faults/fault_plan.h"
#include "culprit/testbed/cgroup.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

/// What happened to one fault of a plan.
struct FaultRecord {
    FaultSpec fault;
    TimePoint applied;         ///< when it began to act
    TimePoint removed;         ///< when it had been undone
    std::string effect;        ///< what was read back after applying
    std::string after;         ///< what was read back after removing
    std::string problem = {};  ///< why it was not applied or not removed; "" = all well
};

/// Breaks a running testbed and mends it again. Every fault is read back after it is applied and
/// after it is removed. Should this process die, a guard process undoes what it left: each step is
/// written down before it is taken. Not for use from several threads.
class LocalInjector {
public:
    /// Forks the guard. Call before starting threads.
    static Result<std::unique_ptr<LocalInjector>> create(const Settings& settings);
    virtual ~LocalInjector() = default;

    /// Applies a fault; its place in the record list names it in `remove`. Faults of the traffic
    /// need nothing here: the load generator makes them.
    virtual Result<FaultRecord> apply(const FaultSpec& fault) = 0;
    /// Called now and then while faults are active: for those that act again and again.
    virtual Status keep(FaultRecord& record) = 0;
    virtual Status remove(FaultRecord& record) = 0;
};

/// What `apply` would do, one line per step.
std::vector<std::string> describe_fault(const Settings& settings, const FaultSpec& fault);

}  // namespace culprit::testbed
