#pragma once

#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/testbed/network.h"

namespace culprit::testbed {

/// One part of the deployment: a "container" with its own control group, network namespace, address
/// and log.
struct Component {
    std::string name;
    int host = 0;  ///< last byte of its address
};

/// What a testbed is made of. Written to `<run>/settings.json` when it starts.
struct Settings {
    std::string name = "default";
    int index = 0;  ///< network and port offset; two testbeds need two
    int replicas = 3;
    double scrape_seconds = 5;
    int prometheus_port = 19090;  ///< on 127.0.0.1; the index is added
    std::string assets;           ///< folder of the Python sources
    std::string python;           ///< interpreter of the environment with Ray and vLLM
    // The engine.
    int max_model_len = 4096;
    int max_num_seqs = 16;
    int max_num_batched_tokens = 1024;
    int num_kv_blocks = 256;
    int block_size = 32;  ///< the CPU attention kernel needs multiples of 32
    int max_ongoing_requests = 64;

    std::string run_folder() const { return "/tmp/culprit-" + name; }
    std::string path(const std::string& below) const { return run_folder() + "/" + below; }
    NetworkNames network() const { return {.testbed = name, .index = index}; }
    std::string group_prefix() const { return "culprit-" + name; }
    std::vector<Component> components() const;
    std::vector<std::string> replica_names() const;
    Result<Component> component(const std::string& wanted) const;
    std::string address_of(const std::string& component_name) const;
    std::string accelerator_path(const std::string& component_name) const {
        return path("accelerators/" + component_name);
    }
    int listening_port() const { return prometheus_port + index; }
    std::string prometheus_url() const;
    std::string proxy_url() const;
    std::string agent_address() const { return network().outside(); }

    static constexpr double component_cores = 1;  ///< CPU limit of a component's control group
    static constexpr int proxy_port = 8080;
    static constexpr int serve_port = 8000;
    static constexpr int engine_metrics_port = 8001;
    static constexpr int ray_metrics_port = 8090;
    static constexpr int agent_port = 9400;
    static constexpr int gcs_port = 6379;
    static constexpr const char* model_name = "tiny-llama-random";
};

Status write_settings(const Settings& settings);
/// The settings of the testbed that runs (or ran) under `name`.
Result<Settings> read_settings(const std::string& name);
/// Names that are part of paths and namespaces: 1 to 24 of a-z, 0-9 and "-".
Status check_name(const std::string& name);

Result<std::string> nginx_configuration(const Settings& settings);
Result<std::string> prometheus_configuration(const Settings& settings);
/// Where `culprit diagnose --from` finds the testbed's telemetry: `<run>/culprit.yaml`.
std::string collect_configuration(const Settings& settings);
/// What testbed/serve_app.py reads.
std::string serve_settings_json(const Settings& settings);

}  // namespace culprit::testbed
