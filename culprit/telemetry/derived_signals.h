#pragma once

#include "culprit/base/result.h"
#include "culprit/frame/topology.h"
#include "culprit/telemetry/frame_builder.h"

namespace culprit {

/// Adds the derived signals of the catalogue ("derived:…") to the columns of a builder, per service
/// or GPU, wherever their inputs are there. Means are a histogram's ":mean" on the same grid point;
/// a point at which an input is missing has no value.
///
///   frontend_residual  ttft - queue_time - prefill_time          tokeniser, API server, IPC
///   path_residual      Ray Serve's HTTP latency - engine e2e     network, proxy, router
///   client_residual    client's first chunk - engines' ttft      ingress, network
///   queue_share        queue_time / e2e                          admission limits
///   kv_full            1 where at least 90 % of the KV cache is in use
///   kv_per_request     KV cache in use / running requests (at least one)
///   stalled            1 where requests run or wait and no token is made
///   repeated_starts    1 from the second restart of a container on
///   prefix_hit_ratio   prefix hits / queries
///   retransmit_share   TCP segments sent again / packets sent, of a host
///   prefill_miss_share tokens computed in prefill / prompt tokens
///   step_slowdown      inter-token latency / the latency that the batch size explains
///   tokens_per_dram_active  generated tokens per s / DRAM activity of the service's GPUs
///   tokens_per_joule   generated tokens per s / power of the service's GPUs
///   power_headroom     enforced limit - power
///   thermal_headroom   slowdown temperature - temperature
///   starvation         1 where utilisation < 20 % while requests run
///   spin               1 where utilisation > 90 %, DRAM activity < 0.05 and no token is generated
///   lost_requests      arrivals - completions - change of (running + waiting), per second
///   replica_skew       inter-token latency / median over the siblings serving the same model
///   clock_spread       highest - lowest SM clock among the GPUs of one host
///
/// Cost: O(columns log columns + derived columns * points).
Status add_derived_signals(FrameBuilder& builder);

/// A column per entity whose configuration or version changed: 1 at the grid point of the change.
Status add_change_columns(const std::vector<ChangeEvent>& changes, FrameBuilder& builder);

}  // namespace culprit
