#include "culprit/telemetry/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "culprit/base/nearest_word.h"

namespace culprit {
namespace {

struct Context {
    std::string file;
    const Environment* environment = nullptr;
};

// A map of which every key must be asked for. Collects the first problem instead of throwing.
class Section {
public:
    Section(const YAML::Node& node, std::string where, Context& context,
            std::optional<Error>& error)
        : node_(node), where_(std::move(where)), context_(context), error_(error) {
        if (node_.IsDefined() && !node_.IsNull() && !node_.IsMap())
            refuse(node_, fmt::format("{} must be a map of settings", where_));
    }
    bool failed() const { return error_.has_value(); }

    void text(const char* key, std::string& out) {
        if (const auto value = scalar(key)) out = *value;
    }
    void number(const char* key, double& out, double minimum, double maximum) {
        const auto value = scalar(key);
        if (!value) return;
        char* end = nullptr;
        const double parsed = std::strtod(value->c_str(), &end);
        if (value->empty() || *end != '\0' || !(parsed >= minimum && parsed <= maximum))
            return refuse(node_[key],
                          fmt::format("{}.{} must be a number from {:g} to {:g}, not \"{}\"",
                                      where_, key, minimum, maximum, *value));
        out = parsed;
    }
    template <class Integer>
    void count(const char* key, Integer& out, double maximum) {
        double value = static_cast<double>(out);
        number(key, value, 1, maximum);
        out = static_cast<Integer>(value);
    }
    void boolean(const char* key, bool& out) {
        const auto value = scalar(key);
        if (!value) return;
        if (*value != "true" && *value != "false")
            return refuse(node_[key], fmt::format("{}.{} must be true or false, not \"{}\"", where_,
                                                  key, *value));
        out = *value == "true";
    }
    // "90", "90s", "10m", "2h".
    void seconds(const char* key, double& out, double maximum) {
        const auto value = scalar(key);
        if (!value) return;
        char* end = nullptr;
        double parsed = std::strtod(value->c_str(), &end);
        const std::string unit = end;
        if (unit == "m") parsed *= 60;
        if (unit == "h") parsed *= 3600;
        const bool is_unit = unit.empty() || unit == "s" || unit == "m" || unit == "h";
        if (value->empty() || !is_unit || !(parsed > 0 && parsed <= maximum))
            return refuse(node_[key],
                          fmt::format("{}.{} must be a duration such as 90s, 10m or 2h, not \"{}\"",
                                      where_, key, *value));
        out = parsed;
    }
    void texts(const char* key, std::vector<std::string>& out) {
        known_.insert(key);
        if (failed() || !node_.IsMap() || !node_[key]) return;
        const YAML::Node list = node_[key];
        if (!list.IsSequence())
            return refuse(list, fmt::format("{}.{} must be a list", where_, key));
        for (const YAML::Node& entry : list) out.push_back(resolve(entry));
    }
    void pairs(const char* key, std::vector<std::pair<std::string, std::string>>& out) {
        known_.insert(key);
        if (failed() || !node_.IsMap() || !node_[key]) return;
        const YAML::Node map = node_[key];
        if (!map.IsMap()) return refuse(map, fmt::format("{}.{} must be a map", where_, key));
        for (const auto& entry : map)
            out.emplace_back(entry.first.as<std::string>(), resolve(entry.second));
    }
    Section child(const char* key) {
        known_.insert(key);
        return {node_.IsMap() && node_[key] ? node_[key] : YAML::Node(), where_ + "." + key,
                context_, error_};
    }
    // Calls `body` for the one map under `key`, or for each of a list of them.
    template <class Body>
    void each(const char* key, Body body) {
        known_.insert(key);
        if (failed() || !node_.IsMap() || !node_[key]) return;
        const YAML::Node node = node_[key];
        if (!node.IsSequence()) {
            Section section(node, key, context_, error_);
            body(section);
            section.finish();
            return;
        }
        for (std::size_t i = 0; i < node.size() && !failed(); ++i) {
            Section section(node[i], fmt::format("{}[{}]", key, i), context_, error_);
            body(section);
            section.finish();
        }
    }
    void require(const char* key, bool given) {
        if (!failed() && !given) refuse(node_, fmt::format("{} needs \"{}\"", where_, key));
    }
    // Every key that nobody asked for is a mistake.
    void finish() {
        if (failed() || !node_.IsMap()) return;
        for (const auto& entry : node_) {
            const auto key = entry.first.as<std::string>();
            if (known_.contains(key)) continue;
            const std::vector<std::string> names(known_.begin(), known_.end());
            return refuse(entry.first, fmt::format("{} knows no \"{}\"{}", where_, key,
                                                   did_you_mean(key, names)));
        }
    }

private:
    std::optional<std::string> scalar(const char* key) {
        known_.insert(key);
        if (failed() || !node_.IsMap() || !node_[key]) return {};
        const YAML::Node value = node_[key];
        if (!value.IsScalar()) {
            refuse(value, fmt::format("{}.{} must be a single value", where_, key));
            return {};
        }
        return resolve(value);
    }
    void refuse(const YAML::Node& node, std::string message) {
        if (error_) return;
        const YAML::Mark mark = node.Mark();
        error_ = Error{
            ErrorCode::invalid_input,
            fmt::format("{}:{}:{}: {}", context_.file, mark.line + 1, mark.column + 1, message)};
    }
    std::string resolve(const YAML::Node& node) {
        const std::string raw = node.IsScalar() ? node.Scalar() : std::string{};
        std::string out;
        for (std::size_t i = 0; i < raw.size();) {
            if (raw.compare(i, 3, "$${") == 0) {
                out += "${";
                i += 3;
                continue;
            }
            const auto end = raw.compare(i, 2, "${") == 0 ? raw.find('}', i) : std::string::npos;
            if (end == std::string::npos) {
                out += raw[i++];
                continue;
            }
            const std::string inside = raw.substr(i + 2, end - i - 2);
            const auto separator = inside.find(":-");
            const std::string name = inside.substr(0, separator);
            const auto value = (*context_.environment)(name);
            if (value)
                out += *value;
            else if (separator != std::string::npos)
                out += inside.substr(separator + 2);
            else
                refuse(node, fmt::format("the environment variable {} is not set", name));
            i = end + 1;
        }
        return out;
    }

    YAML::Node node_;
    std::string where_;
    Context& context_;
    std::optional<Error>& error_;
    std::set<std::string> known_;
};

void read_endpoint(Section& section, HttpEndpoint& endpoint, bool is_required = true) {
    section.text("url", endpoint.url);
    if (is_required) section.require("url", !endpoint.url.empty());
    section.text("bearer_token", endpoint.bearer_token);
    section.text("bearer_token_file", endpoint.bearer_token_file);
    section.text("username", endpoint.username);
    section.text("password", endpoint.password);
    section.pairs("headers", endpoint.headers);
    section.seconds("timeout", endpoint.timeout_seconds, 3600);
    section.count("attempts", endpoint.attempts_max, 100);
    Section tls = section.child("tls");
    tls.text("ca_file", endpoint.tls.ca_file);
    tls.text("cert_file", endpoint.tls.cert_file);
    tls.text("key_file", endpoint.tls.key_file);
    tls.boolean("skip_verify", endpoint.tls.skip_verify);
    tls.finish();
}

void read_sources(Section& root, CollectConfig& config) {
    root.each("prometheus", [&](Section& section) {
        PrometheusConfig source;
        section.text("name", source.name);
        read_endpoint(section, source.endpoint);
        section.text("selector", source.selector);
        section.require("selector: '{label=\"value\"}'",
                        source.selector.empty() ||
                            (source.selector.starts_with('{') && source.selector.ends_with('}')));
        std::string step = "auto";
        section.text("step", step);
        if (step != "auto") section.seconds("step", source.step_seconds, 3600);
        section.boolean("generic", source.generic);
        std::string resolution = "samples";
        section.text("resolution", resolution);
        section.require("resolution: samples or grid",
                        resolution == "samples" || resolution == "grid");
        source.on_server_grid = resolution == "grid";
        config.prometheus.push_back(std::move(source));
    });
    root.each("loki", [&](Section& section) {
        LokiConfig source;
        section.text("name", source.name);
        read_endpoint(section, source.endpoint);
        section.text("query", source.query);
        section.text("source_label", source.source_label);
        section.count("lines_max", source.lines_max, 1e9);
        config.loki.push_back(std::move(source));
    });
    for (const TraceSystem system : {TraceSystem::tempo, TraceSystem::jaeger}) {
        const char* const key = system == TraceSystem::tempo ? "tempo" : "jaeger";
        root.each(key, [&](Section& section) {
            TraceConfig source{.name = key, .system = system};
            section.text("name", source.name);
            read_endpoint(section, source.endpoint);
            if (system == TraceSystem::tempo) section.text("query", source.query);
            if (system == TraceSystem::jaeger) section.texts("services", source.services);
            section.count("traces_max", source.traces_max, 1e9);
            config.traces.push_back(std::move(source));
        });
    }
    root.each("kubernetes", [&](Section& section) {
        KubernetesConfig source;
        section.text("name", source.name);
        read_endpoint(section, source.endpoint, false);
        section.text("snapshot", source.snapshot);
        section.text("namespace", source.namespace_name);
        section.require("url or snapshot", source.endpoint.url.empty() != source.snapshot.empty());
        config.kubernetes.push_back(std::move(source));
    });
    root.each("clickhouse", [&](Section& section) {
        ClickHouseConfig source;
        section.text("name", source.name);
        read_endpoint(section, source.endpoint);
        section.text("database", source.database);
        section.text("logs_table", source.logs_table);
        section.text("traces_table", source.traces_table);
        section.count("rows_max", source.rows_max, 1e9);
        config.clickhouse.push_back(std::move(source));
    });
    root.each("receiver", [&](Section& section) {
        ReceiverConfig source;
        section.text("name", source.name);
        read_endpoint(section, source.endpoint, false);
        section.text("journal", source.journal);
        section.require("url or journal", source.endpoint.url.empty() != source.journal.empty());
        config.receivers.push_back(std::move(source));
    });
    root.each("otlp_files", [&](Section& section) {
        OtlpFilesConfig source;
        section.text("name", source.name);
        section.texts("paths", source.paths);
        section.require("paths", !source.paths.empty());
        config.otlp_files.push_back(std::move(source));
    });
}

}  // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        // Read once, before any thread of ours runs.
        const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
        if (value == nullptr) return {};
        return std::string(value);
    };
}

Result<CollectConfig> parse_config(std::string_view yaml, const std::string& file_name,
                                   const Environment& environment) {
    CollectConfig config;
    std::optional<Error> error;
    Context context{file_name, &environment};
    try {
        const YAML::Node node = YAML::Load(std::string(yaml));
        Section root(node, file_name, context, error);
        read_sources(root, config);
        Section window = root.child("window");
        window.seconds("baseline", config.baseline_seconds, 86'400);
        window.seconds("suspect", config.suspect_seconds, 86'400);
        window.finish();
        Section limits = root.child("limits");
        limits.seconds("time", config.time_allowed_seconds, 86'400);
        limits.count("series", config.series_max, 1e8);
        limits.count("parallel", config.num_parallel, 256);
        limits.text("spool", config.spool_directory);
        limits.finish();
        root.finish();
    } catch (const YAML::Exception& problem) {
        return fail(ErrorCode::invalid_input,
                    fmt::format("{}:{}:{}: {}", file_name, problem.mark.line + 1,
                                problem.mark.column + 1, problem.msg));
    }
    if (error) return tl::unexpected<Error>(std::move(*error));
    if (!config.has_source())
        return fail(ErrorCode::invalid_input,
                    file_name +
                        ": expected at least one source (prometheus, loki, tempo, jaeger, "
                        "clickhouse, otlp_files, receiver), found none");
    return config;
}

Result<CollectConfig> read_config(const std::string& path) {
    std::ifstream in(path);
    if (constexpr std::string_view word = "receiver"; !in && path.starts_with(word)) {
        CollectConfig config;
        ReceiverConfig receiver;
        receiver.endpoint.url =
            path == word ? "http://localhost:4318" : path.substr(word.size() + 1);
        config.receivers.push_back(std::move(receiver));
        if (path == word || path[word.size()] == '=') return config;
    }
    if (!in)
        return fail(
            ErrorCode::missing_input,
            fmt::format("cannot read {}; expected a file from culprit init, or receiver, or "
                        "receiver=URL",
                        path));
    std::stringstream text;
    text << in.rdbuf();
    return parse_config(text.str(), path, process_environment());
}

}  // namespace culprit
