#pragma once

#include <string_view>

#include "culprit/telemetry/config.h"
#include "culprit/telemetry/incident_facts.h"
#include "culprit/telemetry/source_report.h"

namespace culprit {

/// Topology and change events from the Kubernetes API, or from a folder with its answers:
/// pods.json, nodes.json, events.json, replicasets.json, deployments.json,
/// controllerrevisions.json, services.json, as `kubectl get <kind> -A -o json` prints them. A list
/// that is absent or refused costs only itself.
///
///   pod runs_on node; pod part_of its owner, through the ReplicaSet to the Deployment;
///   service calls the pods that its selector matches.
///   Events in the range, container restarts and pods that began in it, and the creation of a new
///   ReplicaSet of a Deployment (a rollout) are change events.
///
/// Lists are read in pages of 500 (`continue`). In a pod, the token and authority of its service
/// account are used when the endpoint names none.
SourceReport collect_kubernetes(const KubernetesConfig& config, TimeRange range,
                                HttpTransport& transport, IncidentFacts& facts, const Stop& stop);

/// Takes one list ("PodList", "EventList", …; a plain "List" goes by its items' kinds).
Status take_kubernetes_list(std::string_view json, TimeRange range, IncidentFacts& facts,
                            std::uint64_t& num_items);

}  // namespace culprit
