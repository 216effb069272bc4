#pragma once

#include "culprit/base/result.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

/// The node agent of a testbed, one process: exports the control groups under cAdvisor's names, the
/// machine under node exporter's, the emulated accelerators under DCGM exporter's (every series
/// with emulated="true") and nginx under those of its exporters; receives spans as OTLP/HTTP JSON;
/// follows every log file; advances the accelerator models. Writes `telemetry/logs.jsonl` and
/// `telemetry/traces.jsonl` below the run folder. Returns when SIGTERM comes.
Status run_agent(const Settings& settings);

}  // namespace culprit::testbed
