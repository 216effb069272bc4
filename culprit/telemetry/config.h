#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/telemetry/http_client.h"

namespace culprit {

struct PrometheusConfig {
    std::string name = "prometheus";
    HttpEndpoint endpoint;
    std::string selector;         ///< `{cluster="a"}`, put on everything that is asked for
    double step_seconds = 0.0;    ///< 0 = the scrape interval of most targets
    bool generic = true;          ///< series that the catalogue does not know, too
    bool on_server_grid = false;  ///< `resolution: grid`
};

struct LokiConfig {
    std::string name = "loki";
    HttpEndpoint endpoint;
    std::string query;  ///< "" = every stream
    std::string source_label;
    std::uint64_t lines_max = 1'000'000;
};

enum class TraceSystem : std::uint8_t { tempo, jaeger };

struct TraceConfig {
    std::string name;
    TraceSystem system = TraceSystem::tempo;
    HttpEndpoint endpoint;
    std::string query = "{}";
    std::vector<std::string> services;
    std::uint64_t traces_max = 20'000;
};

struct KubernetesConfig {
    std::string name = "kubernetes";
    HttpEndpoint endpoint;  ///< url empty = a snapshot
    std::string snapshot;   ///< folder with pods.json, nodes.json, events.json, …
    std::string namespace_name;
};

struct ClickHouseConfig {
    std::string name = "clickhouse";
    HttpEndpoint endpoint;
    std::string database = "otel";
    std::string logs_table = "otel_logs";
    std::string traces_table = "otel_traces";
    std::uint64_t rows_max = 1'000'000;
};

struct OtlpFilesConfig {
    std::string name = "otlp files";
    std::vector<std::string> paths;
};

struct ReceiverConfig {
    std::string name = "receiver";
    HttpEndpoint endpoint;  ///< of a running culprit receive; url empty = its journal
    std::string journal;
};

/// Where telemetry is and how much of it to take.
struct CollectConfig {
    std::vector<PrometheusConfig> prometheus;
    std::vector<LokiConfig> loki;
    std::vector<TraceConfig> traces;
    std::vector<KubernetesConfig> kubernetes;
    std::vector<ClickHouseConfig> clickhouse;
    std::vector<OtlpFilesConfig> otlp_files;
    std::vector<ReceiverConfig> receivers;
    double baseline_seconds = 1800.0;  ///< before the alert, which may be ten minutes late
    double suspect_seconds = 300.0;    ///< from the alert on
    double time_allowed_seconds = 60.0;
    std::uint64_t series_max = 200'000;
    unsigned num_parallel = 4;
    std::string spool_directory = "/var/tmp";

    bool has_source() const {
        return !prometheus.empty() || !loki.empty() || !traces.empty() || !clickhouse.empty() ||
               !otlp_files.empty() || !receivers.empty();
    }
};

/// Gives the value of an environment variable, or nothing.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

/// Reads a configuration in YAML. `${NAME}` in any value is replaced by the environment variable,
/// `${NAME:-otherwise}` by `otherwise` when it is not set; `$${` stands for `${`. Refuses
/// (invalid_input), with file, line and what was expected: unknown keys (with the nearest known
/// one), wrong types, unset variables, values out of range, a file without any source.
Result<CollectConfig> parse_config(std::string_view yaml, const std::string& file_name,
                                   const Environment& environment);
/// The file at `path`; `receiver` and `receiver=URL` stand for what a running `culprit receive` has
/// (http://localhost:4318 unless told otherwise), unless there is a file of that name.
Result<CollectConfig> read_config(const std::string& path);

}  // namespace culprit
