#pragma once

#include <functional>
#include <string>

#include "culprit/base/result.h"
#include "culprit/testbed/deployment.h"
#include "culprit/testbed/experiment_plan.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

struct ExperimentOptions {
    std::string folder;      ///< of the dataset: cases, split.json, checksums.txt
    double seconds_max = 0;  ///< starts no case that would end later; 0 = no limit
    std::string split;       ///< only the cases of this split; "" = all
    std::string plan_text;   ///< kept beside the cases
};

/// Runs an experiment on a healthy testbed: background load throughout; for each case settle,
/// baseline, faults, recovery, recording. Cases whose folder exists are skipped, so an interrupted
/// experiment resumes. `split.json` is written before the first case. Each baseline begins when the
/// stack has recovered and is taken again when clients fared badly in it; unavailable when the
/// stack stays ill. A case during which a fault could not be applied or undone is reported and not
/// recorded.
Status run_experiment(const Settings& settings, const ExperimentPlan& plan,
                      const ExperimentOptions& options, const Progress& progress,
                      const std::function<bool()>& stop);

/// Waits until every replica has an engine that answers and no request waiting, the proxy reaches
/// the service and the accelerators are cool and at their full clock; deadline_exceeded after
/// `seconds_max`. Tells what it waits for every 20 s.
Status wait_until_recovered(const Settings& settings, double seconds_max,
                            const std::function<bool()>& stop, const Progress& progress);

}  // namespace culprit::testbed
