#include "culprit/testbed/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "culprit/testbed/child_process.h"

namespace culprit::testbed {

std::vector<Component> Settings::components() const {
    std::vector<Component> result{{"nginx-proxy", 2}, {"ray-head", 10}};
    for (int replica = 0; replica < replicas; ++replica)
        result.push_back({fmt::format("ray-replicas-{}", replica), 11 + replica});
    return result;
}

std::vector<std::string> Settings::replica_names() const {
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(replicas));
    for (int replica = 0; replica < replicas; ++replica)
        names.push_back(fmt::format("ray-replicas-{}", replica));
    return names;
}

Result<Component> Settings::component(const std::string& wanted) const {
    std::vector<std::string> names;
    for (const auto& candidate : components()) {
        if (candidate.name == wanted) return candidate;
        names.push_back(candidate.name);
    }
    return fail(ErrorCode::invalid_input,
                fmt::format("no component \"{}\" in this testbed; it has {}", wanted,
                            fmt::join(names, ", ")));
}

std::string Settings::address_of(const std::string& component_name) const {
    const auto found = component(component_name);
    return found ? network().address(found->host) : std::string();
}

std::string Settings::prometheus_url() const {
    return fmt::format("http://127.0.0.1:{}", listening_port());
}
std::string Settings::proxy_url() const {
    return fmt::format("http://{}:{}", address_of("nginx-proxy"), proxy_port);
}

Status check_name(const std::string& name) {
    const bool good =
        !name.empty() && name.size() <= 24 &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
    if (good) return {};
    return fail(
        ErrorCode::invalid_input,
        fmt::format("a testbed's name has 1 to 24 of a-z, 0-9 and \"-\", found \"{}\"", name));
}

namespace {

void add_engine_limits(const Settings& settings, nlohmann::ordered_json& json) {
    json["max_model_len"] = settings.max_model_len;
    json["max_num_seqs"] = settings.max_num_seqs;
    json["max_num_batched_tokens"] = settings.max_num_batched_tokens;
    json["num_kv_blocks"] = settings.num_kv_blocks;
    json["block_size"] = settings.block_size;
    json["max_ongoing_requests"] = settings.max_ongoing_requests;
}

}  // namespace

Status write_settings(const Settings& settings) {
    nlohmann::ordered_json json{
        {"name", settings.name},
        {"index", settings.index},
        {"replicas", settings.replicas},
        {"scrape_seconds", settings.scrape_seconds},
        {"prometheus_port", settings.prometheus_port},
        {"assets", settings.assets},
        {"python", settings.python},
    };
    add_engine_limits(settings, json);
    return write_text_file_atomically(settings.path("settings.json"), json.dump(1) + "\n");
}

Result<Settings> read_settings(const std::string& name) {
    CULPRIT_TRY_STATUS(check_name(name));
    Settings settings;
    settings.name = name;
    const auto path = settings.path("settings.json");
    const auto text = read_text_file(path);
    if (!text)
        return fail(ErrorCode::missing_input,
                    fmt::format("no testbed \"{}\" is running (no {})", name, path));
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object())
        return fail(ErrorCode::malformed_data, fmt::format("{} is no JSON object", path));
    try {
        json.at("index").get_to(settings.index);
        json.at("replicas").get_to(settings.replicas);
        json.at("scrape_seconds").get_to(settings.scrape_seconds);
        json.at("prometheus_port").get_to(settings.prometheus_port);
        json.at("assets").get_to(settings.assets);
        json.at("python").get_to(settings.python);
        json.at("max_model_len").get_to(settings.max_model_len);
        json.at("max_num_seqs").get_to(settings.max_num_seqs);
        json.at("max_num_batched_tokens").get_to(settings.max_num_batched_tokens);
        json.at("num_kv_blocks").get_to(settings.num_kv_blocks);
        json.at("block_size").get_to(settings.block_size);
        json.at("max_ongoing_requests").get_to(settings.max_ongoing_requests);
    } catch (const nlohmann::json::exception& error) {
        return fail(ErrorCode::malformed_data, fmt::format("{}: {}", path, error.what()));
    }
    return settings;
}

namespace {

std::string filled(std::string text, const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
        const auto mark = "@" + name + "@";
        for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at))
            text.replace(at, mark.size(), value);
    }
    return text;
}

}  // namespace

Result<std::string> nginx_configuration(const Settings& settings) {
    CULPRIT_TRY(auto text, read_text_file(settings.assets + "/nginx.conf.in"));
    std::string upstreams;
    for (const auto& replica : settings.replica_names())
        upstreams += fmt::format("    server {}:{} max_fails=3 fail_timeout=5s;\n",
                                 settings.address_of(replica), Settings::serve_port);
    return filled(std::move(text), {{"RUN", settings.run_folder()},
                                    {"ADDRESS", settings.address_of("nginx-proxy")},
                                    {"WORKER_CONNECTIONS", "512"},
                                    {"UPSTREAMS", upstreams}});
}

Result<std::string> prometheus_configuration(const Settings& settings) {
    CULPRIT_TRY(auto text, read_text_file(settings.assets + "/prometheus.yml.in"));
    std::string engines;
    std::string nodes;
    for (const auto& component : settings.components()) {
        if (component.name == "nginx-proxy") continue;
        const auto target = [&](int port) {
            return fmt::format(
                "  - targets: ['{}:{}']\n    labels: {{namespace: ray, pod: {}, container: {}}}\n",
                settings.network().address(component.host), port, component.name, component.name);
        };
        nodes += target(Settings::ray_metrics_port);
        if (component.name != "ray-head") engines += target(Settings::engine_metrics_port);
    }
    return filled(
        std::move(text),
        {{"SCRAPE_SECONDS", fmt::format("{:.0f}", settings.scrape_seconds)},
         {"RAY_SCRAPE_SECONDS", fmt::format("{:.0f}", std::max(3.0, settings.scrape_seconds))},
         {"AGENT", fmt::format("{}:{}", settings.agent_address(), Settings::agent_port)},
         {"ENGINES", engines},
         {"NODES", nodes}});
}

std::string collect_configuration(const Settings& settings) {
    return fmt::format(
        "# Written by culprit testbed up.\n"
        "#   culprit diagnose --from {1}/culprit.yaml --at now\n"
        "#   culprit assess --from {1}/culprit.yaml\n"
        "prometheus: {{url: '{0}'}}\n"
        "otlp_files: {{name: logs and spans, paths: ['{1}/telemetry/otlp']}}\n"
        "window: {{baseline: 5m, suspect: 60s}}\n",
        settings.prometheus_url(), settings.run_folder());
}

std::string serve_settings_json(const Settings& settings) {
    nlohmann::ordered_json json{
        {"code", settings.assets},
        {"run", settings.run_folder()},
        {"model", settings.path("model")},
        {"model_name", Settings::model_name},
        {"ray_address", fmt::format("{}:{}", settings.address_of("ray-head"), Settings::gcs_port)},
        {"otlp", fmt::format("http://{}:{}", settings.agent_address(), Settings::agent_port)},
        {"replicas", settings.replicas},
        {"serve_port", Settings::serve_port},
        {"engine_metrics_port", Settings::engine_metrics_port},
    };
    add_engine_limits(settings, json);
    return json.dump(1) + "\n";
}

}  // namespace culprit::testbed
