#pragma once

#include <string>
#include <vector>

#include "culprit/telemetry/http_client.h"

namespace culprit {

/// A monitoring system that could be at an address, and whether it answered there.
struct Probe {
    std::string kind;  ///< "prometheus", "loki", "tempo", "jaeger", "clickhouse"
    std::string url;   ///< base address
    bool answers = false;
    std::string detail;  ///< its version, or why not
};

/// Asks the usual ports of every host for the systems that Culprit reads, one short request each,
/// several at a time. Sorted by kind, then in the order of `hosts`.
std::vector<Probe> probe_hosts(const std::vector<std::string>& hosts, HttpTransport& transport,
                               const Stop& stop);

/// A commented configuration: what answered as it is, everything else as comments to fill in.
std::string format_config(const std::vector<Probe>& probes);

}  // namespace culprit
