#include "culprit/telemetry/prometheus_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "culprit/telemetry/json_elements.h"
#include "culprit/telemetry/json_fields.h"

namespace culprit {
namespace {

using nlohmann::json;

std::string rfc3339_ms(std::int64_t time_ms) {
    return fmt::format("{}.{:03}", time_ms / 1000, time_ms % 1000);
}

std::int64_t ms_of(TimePoint t) { return to_ns(t) / 1'000'000; }

Result<json> parse_envelope(std::string_view text) {
    json parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded() || !parsed.is_object())
        return fail(ErrorCode::malformed_data,
                    fmt::format("expected a JSON object, found \"{}\"", text.substr(0, 80)));
    if (text_field(parsed, "status") != "success")
        return fail(
            ErrorCode::invalid_input,
            fmt::format("the server answers {}: {}", text_field(parsed, "errorType", "error"),
                        text_field(parsed, "error", "no message")));
    return parsed;
}

// "15s", "1m", "1m30s", "500ms".
double parse_go_duration(std::string_view text) {
    double seconds = 0;
    while (!text.empty()) {
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{}) return 0;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.starts_with("ms")) {
            seconds += number / 1000;
            text.remove_prefix(2);
        } else if (text.starts_with('h') || text.starts_with('m') || text.starts_with('s')) {
            seconds += number * (text[0] == 'h' ? 3600 : text[0] == 'm' ? 60 : 1);
            text.remove_prefix(1);
        } else {
            return 0;
        }
    }
    return seconds;
}

Result<double> parse_sample_value(std::string_view text) {
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text == "+Inf" || text == "Inf") return std::numeric_limits<double>::infinity();
    if (text == "-Inf") return -std::numeric_limits<double>::infinity();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return fail(ErrorCode::malformed_data,
                    fmt::format("expected a sample value, found \"{}\"", text.substr(0, 40)));
    return value;
}

Status parse_values(simdjson::dom::array values, Series& series) {
    series.time_ms.reserve(values.size());
    series.value.reserve(values.size());
    for (simdjson::dom::element sample : values) {
        simdjson::dom::array pair;
        double seconds = 0;
        std::string_view text;
        if (sample.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
            pair.at(0).get(seconds) != simdjson::SUCCESS ||
            pair.at(1).get(text) != simdjson::SUCCESS)
            return fail(ErrorCode::malformed_data,
                        "expected a sample [seconds, \"value\"], found something else");
        if (!(std::abs(seconds) < 9.2e12))
            return fail(ErrorCode::malformed_data, fmt::format("a sample's time is {}", seconds));
        CULPRIT_TRY(const double value, parse_sample_value(text));
        const auto time_ms = static_cast<std::int64_t>(std::llround(seconds * 1000.0));
        if (!series.time_ms.empty() && time_ms <= series.time_ms.back()) {
            if (time_ms == series.time_ms.back()) continue;
            return fail(ErrorCode::malformed_data, "the samples of a series do not rise in time");
        }
        series.time_ms.push_back(time_ms);
        series.value.push_back(value);
    }
    return {};
}

std::string series_key(const Series& series) {
    std::string key = series.name;
    for (const auto& [label, value] : series.labels) {
        key += '\x1f';
        key += label;
        key += '\x1e';
        key += value;
    }
    return key;
}

// Joins the pieces of a series that was asked for in several requests.
class PieceJoiner {
public:
    void add(Series piece) {
        auto [entry, is_new] = series_.try_emplace(series_key(piece));
        Series& whole = entry->second;
        if (is_new) {
            whole = std::move(piece);
            return;
        }
        for (std::size_t k = 0; k < piece.size(); ++k) {
            if (!whole.time_ms.empty() && piece.time_ms[k] <= whole.time_ms.back()) continue;
            whole.time_ms.push_back(piece.time_ms[k]);
            whole.value.push_back(piece.value[k]);
        }
    }
    Status hand_over(const PrometheusReader::OnSeries& on_series) {
        for (auto& [key, series] : series_) CULPRIT_TRY_STATUS(on_series(std::move(series)));
        return {};
    }

private:
    std::map<std::string, Series> series_;
};

}  // namespace

Result<Series> parse_matrix_element(std::string_view text) {
    thread_local simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (const auto error = parser.parse(text.empty() ? "" : text.data(), text.size()).get(root);
        error != simdjson::SUCCESS)
        return fail(ErrorCode::malformed_data,
                    fmt::format("a series is no JSON: {}", simdjson::error_message(error)));
    Series series;
    simdjson::dom::object metric;
    simdjson::dom::array values;
    if (root["metric"].get(metric) != simdjson::SUCCESS)
        return fail(ErrorCode::malformed_data, "a series has no \"metric\"");
    for (const auto& [label, value] : metric) {
        std::string_view content;
        if (value.get(content) != simdjson::SUCCESS)
            return fail(ErrorCode::malformed_data, fmt::format("label \"{}\" is no text", label));
        if (label == "__name__")
            series.name = content;
        else
            series.labels.emplace(label, content);
    }
    if (root["values"].get(values) != simdjson::SUCCESS) {
        if (root["histograms"].error() == simdjson::SUCCESS)
            return fail(ErrorCode::unsupported,
                        fmt::format("{} is a native histogram", series.name));
        return fail(ErrorCode::malformed_data, "a series has no \"values\"");
    }
    CULPRIT_TRY_STATUS(parse_values(values, series));
    return series;
}

Result<std::string> PrometheusReader::buildinfo(const Stop& stop) const {
    CULPRIT_TRY(const auto body, client_.get("/api/v1/status/buildinfo", {}, stop));
    CULPRIT_TRY(const auto parsed, parse_envelope(body));
    const json data = object_field(parsed, "data");
    if (!data.is_object()) return fail(ErrorCode::malformed_data, "buildinfo has no data");
    return fmt::format("{} {}", text_field(data, "application", "prometheus"),
                       text_field(data, "version", "of unknown version"));
}

Result<std::map<std::string, MetricMetadata>> PrometheusReader::metadata(const Stop& stop) const {
    CULPRIT_TRY(const auto body, client_.get("/api/v1/metadata", {}, stop));
    CULPRIT_TRY(const auto parsed, parse_envelope(body));
    std::map<std::string, MetricMetadata> all;
    const auto data = parsed.find("data");
    if (data == parsed.end() || !data->is_object()) return all;
    for (const auto& [name, entries] : data->items()) {
        if (!entries.is_array() || entries.empty() || !entries[0].is_object()) continue;
        all[name] = {text_field(entries[0], "type"), text_field(entries[0], "help"),
                     text_field(entries[0], "unit")};
    }
    return all;
}

Result<std::vector<PrometheusTarget>> PrometheusReader::targets(const Stop& stop) const {
    CULPRIT_TRY(const auto body, client_.get("/api/v1/targets", {{"state", "active"}}, stop));
    CULPRIT_TRY(const auto parsed, parse_envelope(body));
    std::vector<PrometheusTarget> all;
    const json data = object_field(parsed, "data");
    if (!data.is_object() || !data.contains("activeTargets")) return all;
    for (const json& entry : data["activeTargets"]) {
        if (!entry.is_object()) continue;
        PrometheusTarget target;
        const json labels = object_field(entry, "labels");
        if (labels.is_object()) {
            target.job = text_field(labels, "job");
            target.instance = text_field(labels, "instance");
        }
        target.scrape_url = text_field(entry, "scrapeUrl");
        target.health = text_field(entry, "health", "unknown");
        target.last_error = text_field(entry, "lastError");
        target.scrape_interval_seconds = parse_go_duration(text_field(entry, "scrapeInterval"));
        all.push_back(std::move(target));
    }
    return all;
}

namespace {

// Elements of the array `data` that are texts, sorted.
Result<std::vector<std::string>> read_names(const HttpClient& client, std::string_view path,
                                            const HttpParameters& parameters, const Stop& stop) {
    std::vector<std::string> names;
    JsonElements elements(
        "data",
        [&names](std::string_view element) -> Status {
            const json parsed = json::parse(element, nullptr, false);
            if (!parsed.is_string())
                return fail(ErrorCode::malformed_data, "expected a list of names");
            names.push_back(parsed.get<std::string>());
            return {};
        },
        [&names] { names.clear(); });
    CULPRIT_TRY_STATUS(client.stream(path, parameters, elements, stop));
    CULPRIT_TRY_STATUS(elements.finish());
    CULPRIT_TRY(const auto envelope, parse_envelope(elements.envelope()));
    std::ranges::sort(names);
    return names;
}

HttpParameters range_parameters(TimeRange range) {
    return {{"start", rfc3339_ms(ms_of(range.begin))}, {"end", rfc3339_ms(ms_of(range.end))}};
}

}  // namespace

Result<std::vector<std::string>> PrometheusReader::metric_names(std::string_view selector,
                                                                TimeRange range,
                                                                const Stop& stop) const {
    HttpParameters parameters = range_parameters(range);
    if (!selector.empty()) parameters.emplace_back("match[]", selector);
    return read_names(client_, "/api/v1/label/__name__/values", parameters, stop);
}

Result<std::vector<std::string>> PrometheusReader::label_names(TimeRange range,
                                                               const Stop& stop) const {
    return read_names(client_, "/api/v1/labels", range_parameters(range), stop);
}

Result<std::vector<Labels>> PrometheusReader::series(std::string_view selector, TimeRange range,
                                                     const Stop& stop) const {
    std::vector<Labels> all;
    JsonElements elements(
        "data",
        [&all](std::string_view element) -> Status {
            const json parsed = json::parse(element, nullptr, false);
            if (!parsed.is_object())
                return fail(ErrorCode::malformed_data, "expected a list of label sets");
            Labels labels;
            for (const auto& [label, value] : parsed.items())
                if (value.is_string()) labels[label] = value.get<std::string>();
            all.push_back(std::move(labels));
            return {};
        },
        [&all] { all.clear(); });
    HttpParameters parameters = range_parameters(range);
    parameters.emplace_back("match[]", selector);
    CULPRIT_TRY_STATUS(client_.stream("/api/v1/series", parameters, elements, stop));
    CULPRIT_TRY_STATUS(elements.finish());
    CULPRIT_TRY(const auto envelope, parse_envelope(elements.envelope()));
    return all;
}

Status PrometheusReader::matrix(std::string_view path, const HttpParameters& parameters,
                                const OnSeries& on_series, const std::function<void()>& on_restart,
                                const Stop& stop) const {
    JsonElements elements(
        "result",
        [&on_series](std::string_view element) -> Status {
            CULPRIT_TRY(auto series, parse_matrix_element(element));
            return on_series(std::move(series));
        },
        on_restart);
    CULPRIT_TRY_STATUS(client_.stream(path, parameters, elements, stop));
    CULPRIT_TRY_STATUS(elements.finish());
    CULPRIT_TRY(const auto envelope, parse_envelope(elements.envelope()));
    const json data = object_field(envelope, "data");
    if (!data.is_object() || text_field(data, "resultType") != "matrix")
        return fail(ErrorCode::malformed_data, "expected a matrix");
    return {};
}

Status PrometheusReader::raw_samples(std::string_view selector, TimeRange range,
                                     std::int64_t scrape_interval_ms, const OnSeries& on_series,
                                     const std::function<void()>& on_restart,
                                     const Stop& stop) const {
    const std::int64_t piece_ms = std::max<std::int64_t>(scrape_interval_ms, 1) * points_max;
    const std::int64_t begin_ms = ms_of(range.begin);
    const std::int64_t end_ms = ms_of(range.end);
    const auto ask = [&](std::int64_t from_ms, std::int64_t to_ms, const OnSeries& take) {
        return matrix("/api/v1/query",
                      {{"query", fmt::format("{}[{}ms]", selector, to_ms - from_ms)},
                       {"time", rfc3339_ms(to_ms)}},
                      take, on_restart, stop);
    };
    if (end_ms <= begin_ms) return {};
    if (end_ms - begin_ms <= piece_ms) return ask(begin_ms, end_ms, on_series);
    PieceJoiner joiner;
    for (std::int64_t from_ms = begin_ms; from_ms < end_ms; from_ms += piece_ms)
        CULPRIT_TRY_STATUS(
            ask(from_ms, std::min(from_ms + piece_ms, end_ms), [&joiner](Series piece) -> Status {
                joiner.add(std::move(piece));
                return {};
            }));
    return joiner.hand_over(on_series);
}

Status PrometheusReader::query_range(std::string_view query, TimeRange range, std::int64_t step_ms,
                                     const OnSeries& on_series,
                                     const std::function<void()>& on_restart,
                                     const Stop& stop) const {
    const std::int64_t begin_ms = ms_of(range.begin);
    const std::int64_t end_ms = ms_of(range.end);
    const auto ask = [&](std::int64_t from_ms, std::int64_t to_ms, const OnSeries& take) {
        return matrix("/api/v1/query_range",
                      {{"query", std::string(query)},
                       {"start", rfc3339_ms(from_ms)},
                       {"end", rfc3339_ms(to_ms)},
                       {"step", rfc3339_ms(step_ms)}},
                      take, on_restart, stop);
    };
    if (step_ms <= 0 || end_ms < begin_ms)
        return fail(ErrorCode::invalid_input, "query_range needs a positive step and range");
    if ((end_ms - begin_ms) / step_ms < points_max) return ask(begin_ms, end_ms, on_series);
    PieceJoiner joiner;
    for (std::int64_t from_ms = begin_ms; from_ms <= end_ms; from_ms += points_max * step_ms)
        CULPRIT_TRY_STATUS(ask(from_ms, std::min(from_ms + (points_max - 1) * step_ms, end_ms),
                               [&joiner](Series piece) -> Status {
                                   joiner.add(std::move(piece));
                                   return {};
                               }));
    return joiner.hand_over(on_series);
}

}  // namespace culprit
