#pragma once

#include <string>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/rca/case.h"
#include "culprit/simulator/stack_config.h"

namespace culprit::simulator {

/// Simulates one LLM serving stack through warm-up, baseline, fault and the time after it, and
/// returns what its exporters would have shown, with the truth. Discrete events: arrivals, engine
/// steps, scrapes. Everything follows from the configuration and its seed.
///
/// Components: "nginx-proxy" (entry), "ray-head" (router and control plane), "ray-replicas-<i>"
/// (engine, container, GPU, host), topology edges proxy > head > replicas and replica > host.
/// Series carry the names that vLLM, DCGM exporter, cAdvisor, node exporter, Ray, nginx exporter
/// and Istio give them; counters are counters. The truth's services are empty when only the load
/// changed.
///
/// Assumes:  one engine per replica, no tensor parallelism across hosts, routing that sees queue
///           lengths without delay, independent hosts.
/// Cost:     O(steps * batch) time: about 0.1 s for the default configuration; memory O(series *
///           scrapes).
/// Refuses:  an unknown fault kind, sizes or rates that are not positive (invalid_input).
/// Source:   continuous batching as in Yu et al., Orca, OSDI 2022; paged KV blocks and preemption
/// by
///           recomputation as in Kwon et al., PagedAttention, SOSP 2023; roofline as in Williams et
///           al., CACM 52(4), 2009.
Result<Case> simulate(const StackConfig& config, const Stop& stop = {});

}  // namespace culprit::simulator
