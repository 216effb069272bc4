#include "culprit/testbed/recorder.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "culprit/testbed/access_log.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/recorded_series.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr const char* host = "testbed:10250";
constexpr const char* access_log = "logs/nginx-proxy.access.log";
constexpr const char* log_lines = "telemetry/logs.jsonl";
constexpr const char* span_lines = "telemetry/traces.jsonl";

std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char letter : text) {
        if (letter == '"') quoted += '"';
        quoted += letter;
    }
    return quoted + '"';
}

std::string csv_number(double value) {
    return std::isfinite(value) ? fmt::format("{:.7g}", value) : std::string();
}

// ---- columns of data.csv ----------------------------------------------------------------------

struct Column {
    std::string name;
    std::string unit;
    std::string definition;
    std::vector<double> values;
};

enum class Reading { gauge, rate, mean, p90, ratio };

struct ColumnRule {
    const char* suffix;  ///< after "<component>_"
    const char* metric;
    Reading reading;
    const char* unit;
};

// CPU and accelerator use come first, under the study's names. Its memory column is a counter rate
// of a gauge and its network column a square; here the plain values stand under their own names.
// Then come the signals of the engine, the accelerator, the proxy and the control group.
constexpr ColumnRule rules[] = {
    {"ctn_cpu", "container_cpu_usage_seconds_total", Reading::rate, "cores"},
    {"container_network_transmit_packets_total:rate", "container_network_transmit_packets_total",
     Reading::rate, "packets/s"},
    {"container_memory_working_set_bytes", "container_memory_working_set_bytes", Reading::gauge,
     "bytes"},
    {"ctn_gpu", "DCGM_FI_DEV_GPU_UTIL", Reading::gauge, "percent"},
    {"container_cpu_cfs_throttled_seconds_total:rate", "container_cpu_cfs_throttled_seconds_total",
     Reading::rate, "s/s"},
    {"container_network_receive_packets_total:rate", "container_network_receive_packets_total",
     Reading::rate, "packets/s"},
    {"container_network_transmit_bytes_total:rate", "container_network_transmit_bytes_total",
     Reading::rate, "bytes/s"},
    {"container_fs_writes_bytes_total:rate", "container_fs_writes_bytes_total", Reading::rate,
     "bytes/s"},
    {"container_memory_rss", "container_memory_rss", Reading::gauge, "bytes"},
    {"container_memory_failures_total:rate", "container_memory_failures_total", Reading::rate,
     "1/s"},
    {"container_spec_memory_limit_bytes", "container_spec_memory_limit_bytes", Reading::gauge,
     "bytes"},
    {"container_oom_events_total", "container_oom_events_total", Reading::gauge, "1"},
    {"container_processes", "container_processes", Reading::gauge, "1"},
    {"node_netstat_Tcp_RetransSegs:rate", "node_netstat_Tcp_RetransSegs", Reading::rate, "1/s"},
    {"DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_POWER_USAGE", Reading::gauge, "W"},
    {"DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_SM_CLOCK", Reading::gauge, "MHz"},
    {"DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP", Reading::gauge, "C"},
    {"DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "DCGM_FI_DEV_ENFORCED_POWER_LIMIT", Reading::gauge, "W"},
    {"DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", Reading::gauge,
     "bits"},
    {"DCGM_FI_DEV_POWER_VIOLATION:rate", "DCGM_FI_DEV_POWER_VIOLATION", Reading::rate, "ns/s"},
    {"DCGM_FI_DEV_THERMAL_VIOLATION:rate", "DCGM_FI_DEV_THERMAL_VIOLATION", Reading::rate, "ns/s"},
    {"DCGM_FI_PROF_DRAM_ACTIVE", "DCGM_FI_PROF_DRAM_ACTIVE", Reading::gauge, "ratio"},
    {"vllm:num_requests_running", "vllm:num_requests_running", Reading::gauge, "1"},
    {"vllm:num_requests_waiting", "vllm:num_requests_waiting", Reading::gauge, "1"},
    {"vllm:kv_cache_usage_perc", "vllm:kv_cache_usage_perc", Reading::gauge, "ratio"},
    {"vllm:num_preemptions_total:rate", "vllm:num_preemptions_total", Reading::rate, "1/s"},
    {"vllm:prompt_tokens_total:rate", "vllm:prompt_tokens_total", Reading::rate, "tokens/s"},
    {"vllm:generation_tokens_total:rate", "vllm:generation_tokens_total", Reading::rate,
     "tokens/s"},
    {"vllm:request_success_total:rate", "vllm:request_success_total", Reading::rate, "1/s"},
    {"vllm:prefix_cache_hits_total:ratio", "vllm:prefix_cache_hits_total", Reading::ratio, "ratio"},
    {"vllm:time_to_first_token_seconds:mean", "vllm:time_to_first_token_seconds", Reading::mean,
     "s"},
    {"vllm:time_to_first_token_seconds:p90", "vllm:time_to_first_token_seconds", Reading::p90, "s"},
    {"vllm:inter_token_latency_seconds:mean", "vllm:inter_token_latency_seconds", Reading::mean,
     "s"},
    {"vllm:inter_token_latency_seconds:p90", "vllm:inter_token_latency_seconds", Reading::p90, "s"},
    {"vllm:e2e_request_latency_seconds:mean", "vllm:e2e_request_latency_seconds", Reading::mean,
     "s"},
    {"vllm:request_queue_time_seconds:mean", "vllm:request_queue_time_seconds", Reading::mean, "s"},
    {"vllm:request_prefill_time_seconds:mean", "vllm:request_prefill_time_seconds", Reading::mean,
     "s"},
    {"vllm:request_decode_time_seconds:mean", "vllm:request_decode_time_seconds", Reading::mean,
     "s"},
    {"vllm:request_prompt_tokens:mean", "vllm:request_prompt_tokens", Reading::mean, "tokens"},
    {"vllm:request_generation_tokens:mean", "vllm:request_generation_tokens", Reading::mean,
     "tokens"},
    {"vllm:iteration_tokens_total:mean", "vllm:iteration_tokens_total", Reading::mean, "tokens"},
    {"ray_serve_num_ongoing_requests_at_replicas", "ray_serve_replica_processing_queries",
     Reading::gauge, "1"},
    {"nginx_connections_active", "nginx_connections_active", Reading::gauge, "1"},
    {"nginx_http_requests_total:rate", "nginx_http_requests_total", Reading::rate, "1/s"},
};

using Selection = std::map<std::string, std::vector<const RecordedSeries*>>;

void add_sum(std::vector<double>& sum, const std::vector<double>& values) {
    for (std::size_t i = 0; i < sum.size(); ++i)
        if (std::isfinite(values[i])) sum[i] = (std::isfinite(sum[i]) ? sum[i] : 0) + values[i];
}

std::vector<double> sum_of(const std::vector<const RecordedSeries*>& series, const Grid& grid,
                           double window, Reading reading) {
    std::vector<double> sum(grid.size, nan);
    for (const auto* one : series)
        add_sum(sum, reading == Reading::gauge ? last_values(*one, grid, window)
                                               : rates(*one, grid, window));
    return sum;
}

std::vector<double> quotient(const std::vector<double>& above, const std::vector<double>& below) {
    std::vector<double> result(above.size(), nan);
    for (std::size_t i = 0; i < result.size(); ++i)
        if (below[i] > 0) result[i] = above[i] / below[i];
    return result;
}

std::vector<double> evaluate(const ColumnRule& rule, const Selection& of_component,
                             const Grid& grid, double window) {
    const std::string metric = rule.metric;
    const auto named = [&](const std::string& name) -> std::vector<const RecordedSeries*> {
        const auto found = of_component.find(name);
        return found == of_component.end() ? std::vector<const RecordedSeries*>{} : found->second;
    };
    switch (rule.reading) {
        case Reading::gauge:
        case Reading::rate:
            return sum_of(named(metric), grid, window, rule.reading);
        case Reading::mean:
            return quotient(sum_of(named(metric + "_sum"), grid, window, Reading::rate),
                            sum_of(named(metric + "_count"), grid, window, Reading::rate));
        case Reading::ratio:
            return quotient(
                sum_of(named("vllm:prefix_cache_hits_total"), grid, window, Reading::rate),
                sum_of(named("vllm:prefix_cache_queries_total"), grid, window, Reading::rate));
        case Reading::p90:
            return histogram_quantiles(named(metric + "_bucket"), grid, window, 0.9);
    }
    return std::vector<double>(grid.size, nan);
}

std::vector<double> node_column(const std::vector<RecordedSeries>& series, const Grid& grid,
                                double window, const std::string& what) {
    std::vector<double> first(grid.size, nan);
    std::vector<double> second(grid.size, nan);
    std::vector<double> packets(grid.size, nan);
    for (const auto& one : series) {
        if (what == "node_cpu" && one.name() == "node_cpu_seconds_total") {
            const auto values = rates(one, grid, window);
            const auto& mode = one.label("mode");
            // Niced work is none of the stack's: its processes run at the usual priority.
            if (mode != "idle" && mode != "iowait" && mode != "nice") add_sum(first, values);
            add_sum(second, values);
        }
        if (what == "node_memory" && one.name() == "node_memory_MemAvailable_bytes")
            first = last_values(one, grid, window);
        if (what == "node_memory" && one.name() == "node_memory_MemTotal_bytes")
            second = last_values(one, grid, window);
        if (what == "node_network" && one.name() == "container_network_transmit_packets_total")
            add_sum(packets, rates(one, grid, window));
    }
    if (what == "node_network") return packets;
    auto share = quotient(first, second);
    if (what == "node_memory")
        for (auto& value : share) value = 1 - value;
    return share;
}

// ---- requests through the proxy ---------------------------------------------------------------

struct SpanRow {
    std::string trace, span, parent, service, operation, method;
    std::int64_t start_ns = 0;
    std::int64_t duration_ns = 0;
    int status = 0;
};

std::vector<std::string> lines_of(const std::string& path, std::uint64_t from_bytes) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    file.seekg(static_cast<std::streamoff>(from_bytes));
    std::string line;
    while (std::getline(file, line)) lines.push_back(line);
    return lines;
}

std::string attribute_text(const nlohmann::json& attributes, const std::string& key) {
    for (const auto& attribute : attributes)
        if (attribute.value("key", "") == key)
            for (const auto& [kind, value] : attribute.at("value").items())
                return value.is_string() ? value.get<std::string>() : value.dump();
    return {};
}

void add_otlp_line(const std::string& line, std::vector<SpanRow>& rows) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) return;
    for (const auto& resource : json.value("resourceSpans", nlohmann::json::array())) {
        const auto service = attribute_text(resource["resource"]["attributes"], "service.name");
        for (const auto& scope : resource["scopeSpans"])
            for (const auto& span : scope["spans"]) {
                SpanRow row{.trace = span.value("traceId", ""),
                            .span = span.value("spanId", ""),
                            .parent = span.value("parentSpanId", ""),
                            .service = service,
                            .operation = span.value("name", "")};
                row.method = row.operation;
                row.start_ns =
                    std::strtoll(span.value("startTimeUnixNano", "0").c_str(), nullptr, 10);
                row.duration_ns =
                    std::strtoll(span.value("endTimeUnixNano", "0").c_str(), nullptr, 10) -
                    row.start_ns;
                row.status = std::atoi(
                    attribute_text(span["attributes"], "http.response.status_code").c_str());
                rows.push_back(std::move(row));
            }
    }
}

/// Counts per column in bins of five seconds, as the study's preparation writes them.
class BinnedCounts {
public:
    void add_bin(std::int64_t time_ns) { rows_[bin_of(time_ns)]; }
    void add(std::int64_t time_ns, const std::string& column) {
        columns_.insert(column);
        ++rows_[bin_of(time_ns)][column];
    }
    void add_column(const std::string& column) { columns_.insert(column); }
    std::string csv() const {
        std::string text = "time";
        for (const auto& column : columns_) text += "," + csv_cell(column);
        for (const auto& [time, counts] : rows_) {
            text += fmt::format("\n{}", time);
            for (const auto& column : columns_) {
                const auto found = counts.find(column);
                text += fmt::format(",{}", found == counts.end() ? 0 : found->second);
            }
        }
        return text + '\n';
    }

private:
    static std::int64_t bin_of(std::int64_t time_ns) { return time_ns / 5'000'000'000 * 5; }
    std::set<std::string> columns_;
    std::map<std::int64_t, std::map<std::string, std::int64_t>> rows_;
};

class Recording {
public:
    Recording(const Settings& settings, const RecordingRequest& request)
        : settings_(settings), request_(request) {
        grid_.step_s = request.grid_seconds;
        grid_.begin_s =
            grid_.step_s * std::ceil(to_unix_seconds(request.range.begin) / grid_.step_s);
        grid_.size = static_cast<std::size_t>(
            std::max(0.0, (to_unix_seconds(request.range.end) - grid_.begin_s) / grid_.step_s));
    }

    Status run() {
        // Rates at the first row need what came before it.
        auto range = request_.range;
        range.begin -= Duration(static_cast<std::int64_t>(1.5e9 * request_.rate_window_seconds));
        CULPRIT_TRY(series_, fetch_series(settings_.prometheus_url(), range));
        if (series_.empty())
            return fail(ErrorCode::missing_input, "Prometheus holds no sample of the incident");
        const fs::path folder = request_.folder;
        temporary_ = folder.parent_path() / ("." + folder.filename().string() + ".partial");
        std::error_code error;
        fs::remove_all(temporary_, error);
        fs::create_directories(temporary_, error);
        if (error)
            return fail(ErrorCode::io_failure,
                        fmt::format("cannot create {}: {}", temporary_, error.message()));
        read_proxy_log();
        CULPRIT_TRY_STATUS(write_metrics());
        CULPRIT_TRY_STATUS(write_logs());
        CULPRIT_TRY_STATUS(write_spans());
        CULPRIT_TRY_STATUS(write_topology());
        CULPRIT_TRY_STATUS(write_file("series.jsonl", series_lines(series_)));
        CULPRIT_TRY_STATUS(write_file("clients.csv", load_csv(request_.clients)));
        CULPRIT_TRY_STATUS(write_labels());
        fs::remove_all(request_.folder, error);
        fs::rename(temporary_, request_.folder, error);
        if (error)
            return fail(ErrorCode::io_failure,
                        fmt::format("cannot rename {}: {}", temporary_, error.message()));
        return {};
    }

private:
    Status write_file(const std::string& name, const std::string& text, bool may_compress = true) {
        if (!request_.compress || !may_compress)
            return write_text_file(temporary_ + "/" + name, text);
        std::string packed(ZSTD_compressBound(text.size()), '\0');
        const auto size = ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 19);
        if (ZSTD_isError(size) != 0)
            return fail(ErrorCode::io_failure, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
        packed.resize(size);
        return write_text_file(temporary_ + "/" + name + ".zst", packed);
    }

    std::string component_at(const std::string& upstream) const {
        const auto address = upstream.substr(0, upstream.find(':'));
        for (const auto& component : settings_.components())
            if (settings_.network().address(component.host) == address) return component.name;
        return {};
    }

    void read_proxy_log() {
        for (const auto& line :
             lines_of(settings_.path(access_log), request_.from.access_log_bytes)) {
            auto record = parse_access_line(line);
            if (record && request_.range.contains(record->end)) requests_.push_back(*record);
        }
    }

    // 90th percentile in ms of the requests to `component` that ended in the window.
    std::vector<double> upstream_latency(const std::string& component) const {
        std::vector<double> result(grid_.size, nan);
        for (std::size_t row = 0; row < grid_.size; ++row) {
            std::vector<double> values;
            values.reserve(16);
            for (const auto& record : requests_) {
                const double end = to_unix_seconds(record.end);
                if (end > grid_.time(row) - request_.rate_window_seconds &&
                    end <= grid_.time(row) && component_at(record.upstream) == component)
                    values.push_back(1e3 * record.upstream_seconds);
            }
            if (values.empty()) continue;
            std::ranges::sort(values);
            result[row] = values[static_cast<std::size_t>(
                std::lround(0.9 * static_cast<double>(values.size() - 1)))];
        }
        return result;
    }

    Status write_metrics() {
        std::map<std::string, Selection> by_component;
        for (const auto& series : series_) {
            const auto& component = series.label("container");
            if (!component.empty()) by_component[component][series.name()].push_back(&series);
        }
        const double window = request_.rate_window_seconds;
        const auto node_cpu = node_column(series_, grid_, window, "node_cpu");
        const auto node_memory = node_column(series_, grid_, window, "node_memory");
        const auto node_network = node_column(series_, grid_, window, "node_network");
        for (const auto& component : settings_.components()) {
            for (const auto& rule : rules) {
                auto values = evaluate(rule, by_component[component.name], grid_, window);
                if (std::ranges::none_of(values, [](double v) { return std::isfinite(v); }))
                    continue;
                columns_.push_back({component.name + "_" + rule.suffix, rule.unit, rule.metric,
                                    std::move(values)});
            }
            columns_.push_back({component.name + "_node_cpu", "ratio",
                                "busy share of all cores, niced time left out", node_cpu});
            columns_.push_back({component.name + "_node_network", "packets/s",
                                "packets sent by all containers", node_network});
            columns_.push_back(
                {component.name + "_node_memory", "ratio", "1 - available / total", node_memory});
        }
        add_proxy_columns(window);
        std::string text = "time";
        for (const auto& column : columns_) text += "," + csv_cell(column.name);
        text += '\n';
        for (std::size_t row = 0; row < grid_.size; ++row) {
            text += fmt::format("{}", grid_.time(row));
            for (const auto& column : columns_) text += "," + csv_number(column.values[row]);
            text += '\n';
        }
        return write_file("data.csv", text);
    }

    void add_proxy_columns(double window) {
        std::vector<double> errors(grid_.size, 0);
        for (std::size_t row = 0; row < grid_.size; ++row)
            for (const auto& record : requests_) {
                const double end = to_unix_seconds(record.end);
                if (record.status >= 500 && end > grid_.time(row) - window &&
                    end <= grid_.time(row))
                    errors[row] += 1 / window;
            }
        columns_.push_back({"nginx-proxy_http_5xx:rate", "1/s", "access log", errors});
        std::vector<double> all(grid_.size, nan);
        std::string merged = "time";
        std::vector<std::vector<double>> edges;
        for (const auto& replica : settings_.replica_names()) {
            edges.push_back(upstream_latency(replica));
            merged += ",nginx-proxy_" + replica;
            for (std::size_t i = 0; i < all.size(); ++i)
                if (std::isfinite(edges.back()[i])) all[i] = std::fmax(all[i], edges.back()[i]);
            columns_.push_back({replica + "_latency-90", "ms",
                                "90th percentile of the proxy's upstream time, access log",
                                edges.back()});
        }
        columns_.push_back({"nginx-proxy_latency-90", "ms", "largest of the upstreams'", all});
        merged += '\n';
        for (std::size_t row = 0; row < grid_.size; ++row) {
            merged += format_time(time_from_seconds(grid_.time(row)), 0);
            for (const auto& edge : edges) merged += "," + csv_number(edge[row]);
            merged += '\n';
        }
        edge_latency_ = merged;
    }

    Status write_logs() {
        std::string text = "time,container_name,message,timestamp\n";
        BinnedCounts counts;
        for (const auto& line : lines_of(settings_.path(log_lines), request_.from.logs_bytes)) {
            const auto json = nlohmann::json::parse(line, nullptr, false);
            if (!json.is_object()) continue;
            const auto time = time_from_ns(json.value("time_ns", std::int64_t{0}));
            const auto container = json.value("container", "");
            if (!request_.range.contains(time) || container == "testbed") continue;
            text += fmt::format("{},{},{},{}\n", format_time(time, 3), container,
                                csv_cell(json.value("message", "")), to_ns(time));
            counts.add(to_ns(time), container);
            ++num_log_lines_;
        }
        CULPRIT_TRY_STATUS(write_file("logts.csv", counts.csv()));
        return write_file("logs.csv", text);
    }

    Status write_spans() {
        std::vector<SpanRow> rows;
        for (const auto& record : requests_) {
            SpanRow row{.trace = record.trace_id,
                        .span = record.span_id,
                        .service = "nginx-proxy",
                        .operation = record.method + " " + record.uri,
                        .method = record.uri};
            row.duration_ns = std::llround(1e9 * record.seconds);
            row.start_ns = to_ns(record.end) - row.duration_ns;
            row.status = record.status;
            rows.push_back(std::move(row));
        }
        for (const auto& line : lines_of(settings_.path(span_lines), request_.from.spans_bytes))
            add_otlp_line(line, rows);
        std::erase_if(rows, [&](const SpanRow& row) {
            return !request_.range.contains(time_from_ns(row.start_ns));
        });
        std::ranges::stable_sort(rows, {}, &SpanRow::start_ns);
        std::string text =
            "time,traceID,spanID,parentSpanID,serviceName,operationName,methodName,startTimeMillis,"
            "startTime,duration,statusCode\n";
        for (const auto& row : rows)
            text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n",
                                format_time(time_from_ns(row.start_ns), 3), row.trace, row.span,
                                row.parent, row.service, csv_cell(row.operation),
                                csv_cell(row.method), row.start_ns / 1'000'000, row.start_ns / 1000,
                                row.duration_ns / 1000, row.status);
        num_spans_ = rows.size();
        CULPRIT_TRY_STATUS(write_span_counts(rows));
        return write_file("traces.csv", text);
    }

    // Despite its name in the study, tracets_lat.csv counts the spans that went well.
    Status write_span_counts(const std::vector<SpanRow>& rows) {
        BinnedCounts good;
        BinnedCounts bad;
        for (const auto& row : rows) {
            const auto column = row.service + "_" + row.method;
            const bool well = row.status >= 200 && row.status < 300;
            for (auto* counts : {&good, &bad}) {
                counts->add_bin(row.start_ns);
                counts->add_column(column);
            }
            (well ? good : bad).add(row.start_ns, column);
        }
        CULPRIT_TRY_STATUS(write_file("tracets_lat.csv", good.csv()));
        return write_file("tracets_err.csv", bad.csv());
    }

    Status write_topology() {
        std::set<std::pair<std::string, std::string>> edges;
        for (const auto& record : requests_)
            if (const auto component = component_at(record.upstream); !component.empty())
                edges.emplace("nginx-proxy", component);
        for (const auto& component : settings_.components()) edges.emplace(component.name, host);
        std::string text = "source,destination\n";
        for (const auto& [from, to] : edges) text += fmt::format("{},{}\n", from, to);
        CULPRIT_TRY_STATUS(write_file("mpg.csv", text));
        return write_file("latency_merged_90.csv", edge_latency_);
    }

    static Json fault_json(const FaultRecord& record) {
        Json json{{"kind", record.fault.kind->name},
                  {"layer", to_string(record.fault.kind->layer)},
                  {"catalogue", record.fault.kind->catalogue},
                  {"target", record.fault.target},
                  {"breaks_component", record.fault.kind->breaks_component},
                  {"applied", format_rfc3339(record.applied)},
                  {"removed", format_rfc3339(record.removed)},
                  {"read_back_after_apply", record.effect},
                  {"read_back_after_removal", record.after}};
        for (const auto& [name, value] : record.fault.parameters) json["intensity"][name] = value;
        if (!record.problem.empty()) json["problem"] = record.problem;
        return json;
    }

    Status write_labels() {
        CULPRIT_TRY_STATUS(write_file(
            "inject_time.txt",
            fmt::format("{}\n", static_cast<std::int64_t>(to_unix_seconds(request_.alert))),
            false));
        const auto impact = user_impact(request_);
        auto services = Json::array();
        std::string fault = "none";
        auto faults = Json::array();
        for (const auto& record : request_.faults) {
            if (record.fault.kind->breaks_component) services.push_back(record.fault.target);
            if (fault == "none" || record.fault.kind->breaks_component)
                fault = record.fault.kind->name;
            faults.push_back(fault_json(record));
        }
        const Json label{{"dataset", request_.dataset},
                         {"root_cause_service", services},
                         {"root_cause_metric", nullptr},
                         {"fault", fault},
                         {"inject_time", to_unix_seconds(request_.alert)},
                         {"faults", faults},
                         {"user_impact",
                          {{"measurable", impact.measurable},
                           {"time_to_first_token_s_p95",
                            {{"before", impact.first_token_s_before},
                             {"during", impact.first_token_s_during},
                             {"p_value", impact.first_token_p_value}}},
                           {"token_gap_s_p95",
                            {{"before", impact.token_gap_s_before},
                             {"during", impact.token_gap_s_during},
                             {"p_value", impact.token_gap_p_value}}},
                           {"failed_share",
                            {{"before", impact.failed_share_before},
                             {"during", impact.failed_share_during},
                             {"p_value", impact.failed_p_value}}}}}};
        CULPRIT_TRY_STATUS(write_file("case.json", label.dump(1) + "\n", false));
        auto columns = Json::array();
        for (const auto& column : columns_)
            columns.push_back(
                {{"name", column.name}, {"unit", column.unit}, {"from", column.definition}});
        Json manifest{{"recorded_by", std::string("culprit ") + CULPRIT_VERSION},
                      {"environment",
                       "local testbed: nginx, Ray Serve, vLLM on the CPU with random weights, "
                       "emulated accelerators"},
                      {"begin", format_rfc3339(request_.range.begin)},
                      {"end", format_rfc3339(request_.range.end)},
                      {"scrape_seconds", settings_.scrape_seconds},
                      {"grid_seconds", request_.grid_seconds},
                      {"rate_window_seconds", request_.rate_window_seconds},
                      {"replicas", settings_.replicas},
                      {"series", series_.size()},
                      {"log_lines", num_log_lines_},
                      {"spans", num_spans_},
                      {"client_requests", request_.clients.size()}};
        for (const auto& [key, value] : request_.notes) manifest["notes"][key] = value;
        manifest["columns"] = columns;
        return write_file("manifest.json", manifest.dump(1) + "\n");
    }

    const Settings& settings_;
    const RecordingRequest& request_;
    Grid grid_;
    std::string temporary_;
    std::vector<RecordedSeries> series_;
    std::vector<AccessRecord> requests_;
    std::vector<Column> columns_;
    std::string edge_latency_;
    std::size_t num_log_lines_ = 0;
    std::size_t num_spans_ = 0;
};

}  // namespace

double more_frequent_p_value(std::int64_t hits, std::int64_t trials, std::int64_t usual_hits,
                             std::int64_t usual_trials) {
    const auto choose = [](std::int64_t n, std::int64_t k) {
        return std::lgamma(static_cast<double>(n + 1)) - std::lgamma(static_cast<double>(k + 1)) -
               std::lgamma(static_cast<double>(n - k + 1));
    };
    const auto all_hits = hits + usual_hits;
    double p = 0;
    for (auto k = hits; k <= std::min(all_hits, trials); ++k)
        if (all_hits - k <= usual_trials)
            p += std::exp(choose(trials, k) + choose(usual_trials, all_hits - k) -
                          choose(trials + usual_trials, all_hits));
    return std::min(1.0, p);
}

TelemetryPosition telemetry_position(const Settings& settings) {
    const auto size = [&](const char* path) -> std::uint64_t {
        std::error_code error;
        const auto bytes = fs::file_size(settings.path(path), error);
        return error ? 0 : bytes;
    };
    return {.access_log_bytes = size(access_log),
            .logs_bytes = size(log_lines),
            .spans_bytes = size(span_lines)};
}

UserImpact user_impact(const RecordingRequest& request) {
    TimePoint end = request.alert;
    for (const auto& record : request.faults) end = std::max(end, record.removed);
    std::vector<RequestRecord> before;
    std::vector<RequestRecord> during;
    for (const auto& record : request.clients) {
        if (record.sent < request.alert)
            before.push_back(record);
        else if (record.sent < end)
            during.push_back(record);
    }
    const auto b = summarise(before);
    const auto d = summarise(during);
    const auto share = [](const LoadSummary& summary) {
        return summary.requests == 0
                   ? 0.0
                   : static_cast<double>(summary.failed) / static_cast<double>(summary.requests);
    };
    UserImpact impact{.first_token_s_before = b.first_token_s_p95,
                      .first_token_s_during = d.first_token_s_p95,
                      .token_gap_s_before = b.token_gap_s_p95,
                      .token_gap_s_during = d.token_gap_s_p95,
                      .failed_share_before = share(b),
                      .failed_share_during = share(d)};
    // Slower than usual: 1.5 times the baseline's 95th percentile, and by `least` longer.
    const auto p_value = [&](double RequestRecord::*seconds, int tokens_min, double p95,
                             double least) {
        const double slow = std::max(1.5 * p95, p95 + least);
        const auto count = [&](const std::vector<RequestRecord>& records) {
            const auto all = std::ranges::count_if(
                records, [&](const auto& r) { return r.received_tokens >= tokens_min; });
            const auto some = std::ranges::count_if(records, [&](const auto& r) {
                return r.received_tokens >= tokens_min && r.*seconds > slow;
            });
            return std::pair{some, all};
        };
        const auto [slow_during, all_during] = count(during);
        const auto [slow_before, all_before] = count(before);
        return more_frequent_p_value(slow_during, all_during, slow_before, all_before);
    };
    impact.first_token_p_value =
        p_value(&RequestRecord::first_token_s, 1, impact.first_token_s_before, 0.02);
    impact.token_gap_p_value =
        p_value(&RequestRecord::token_gap_mean_s, 2, impact.token_gap_s_before, 0.005);
    const auto failed = [](const LoadSummary& summary) {
        return static_cast<std::int64_t>(summary.failed);
    };
    const auto all = [](const LoadSummary& summary) {
        return static_cast<std::int64_t>(summary.requests);
    };
    impact.failed_p_value = more_frequent_p_value(failed(d), all(d), failed(b), all(b));
    impact.measurable = std::min({impact.first_token_p_value, impact.token_gap_p_value,
                                  impact.failed_p_value}) < 0.01;
    return impact;
}

Status record_case(const Settings& settings, const RecordingRequest& request) {
    return Recording(settings, request).run();
}

}  // namespace culprit::testbed
