#pragma once

#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/faults/fault_plan.h"

namespace culprit {

/// Where a plan's components are found in a cluster.
struct ClusterOptions {
    std::string name_space = "ray";
    std::string label = "app";  ///< pods of a component carry `label: <component>`
    /// Container of the pod; "" = named like the component.
    std::string container;
    std::string volume = "/home/ray/.cache/huggingface";  ///< mount point that disk_io slows
    std::string upstream = "llm-serve-svc.ray*";          ///< name that upstream_unknown takes away
    int serve_port = 8000;
};

/// What a plan means on a Kubernetes cluster.
struct ChaosManifests {
    std::string yaml;  ///< documents of apiVersion chaos-mesh.org/v1alpha1, one per fault
    /// What no Chaos Mesh kind can do: commands for the node, with the one that undoes them.
    std::vector<std::string> node_commands;
};

/// Renders a plan for Chaos Mesh 2.7: StressChaos, NetworkChaos, PodChaos, IOChaos, DNSChaos and
/// HTTPChaos. Containers stand at spec level, where the API has them; every
/// fault has a duration, so that it ends without a second command; correlation is a percentage.
/// unsupported for faults that exist only in the local testbed (they change the engine or the proxy
/// from within) and for faults of the traffic, which the load generator makes.
Result<ChaosManifests> render_chaos_mesh(const FaultPlan& plan, const ClusterOptions& options = {});

}  // namespace culprit
