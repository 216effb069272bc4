#include "culprit/testbed/recorded_series.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace culprit::testbed {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Index after the last sample up to `time`.
std::size_t samples_until(const RecordedSeries& series, double time) {
    return static_cast<std::size_t>(std::ranges::upper_bound(series.time_s, time + 1e-9) -
                                    series.time_s.begin());
}

struct Bucket {
    double bound;
    double count;
};

double bucket_quantile(std::vector<Bucket>& buckets, double quantile) {
    std::ranges::sort(buckets, {}, &Bucket::bound);
    const double total = buckets.empty() ? 0 : buckets.back().count;
    if (!(total > 0)) return nan;
    const double rank = quantile * total;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        if (buckets[i].count < rank) continue;
        const double below = i == 0 ? 0 : buckets[i - 1].count;
        const double low = i == 0 ? 0 : buckets[i - 1].bound;
        if (std::isinf(buckets[i].bound)) return low;
        const double within = buckets[i].count - below;
        return within > 0 ? low + (buckets[i].bound - low) * (rank - below) / within
                          : buckets[i].bound;
    }
    return nan;
}

}  // namespace

const std::string& RecordedSeries::label(const std::string& key) const {
    static const std::string none;
    const auto found = labels.find(key);
    return found == labels.end() ? none : found->second;
}

Result<std::vector<RecordedSeries>> parse_series(std::string_view text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || json.value("status", "") != "success")
        return fail(ErrorCode::malformed_data,
                    fmt::format("expected a successful answer of Prometheus, found {}",
                                text.substr(0, 200)));
    std::vector<RecordedSeries> result;
    try {
        for (const auto& entry : json.at("data").at("result")) {
            RecordedSeries series;
            entry.at("metric").get_to(series.labels);
            for (const auto& sample : entry.at("values")) {
                series.time_s.push_back(sample.at(0).get<double>());
                series.value.push_back(
                    std::strtod(sample.at(1).get<std::string>().c_str(), nullptr));
            }
            result.push_back(std::move(series));
        }
    } catch (const nlohmann::json::exception& error) {
        return fail(ErrorCode::malformed_data, error.what());
    }
    std::ranges::sort(result, {}, &RecordedSeries::labels);
    return result;
}

Result<std::vector<RecordedSeries>> fetch_series(const std::string& url, TimeRange range) {
    httplib::Client client(url.c_str());
    client.set_read_timeout(60);
    const auto seconds = static_cast<long>(std::ceil(to_seconds(range.length())));
    const httplib::Params parameters{{"query", fmt::format("{{job=~\".+\"}}[{}s]", seconds)},
                                     {"time", fmt::format("{:.3f}", to_unix_seconds(range.end))}};
    const auto response = client.Post("/api/v1/query", parameters);
    if (!response)
        return fail(ErrorCode::unavailable,
                    fmt::format("{}: {}", url, httplib::to_string(response.error())));
    return parse_series(response->body);
}

std::string series_lines(const std::vector<RecordedSeries>& all) {
    std::string text;
    for (const auto& series : all) {
        if (series.value.empty()) continue;
        const auto metric = nlohmann::json(series.labels).dump();
        const bool constant = std::ranges::all_of(
            series.value, [&](double value) { return value == series.value.front(); });
        if (constant) {
            text += fmt::format("{{\"metric\":{},\"constant\":{},\"samples\":{}}}\n", metric,
                                series.value.front(), series.value.size());
            continue;
        }
        text += fmt::format("{{\"metric\":{},\"begin_ms\":{:.0f},\"after_ms\":[", metric,
                            1e3 * series.time_s.front());
        for (std::size_t i = 0; i < series.time_s.size(); ++i)
            text += fmt::format("{}{:.0f}", i == 0 ? "" : ",",
                                1e3 * (series.time_s[i] - series.time_s.front()));
        text += "],\"values\":[";
        for (std::size_t i = 0; i < series.value.size(); ++i)
            text += std::isfinite(series.value[i])
                        ? fmt::format("{}{}", i == 0 ? "" : ",", series.value[i])
                        : fmt::format("{}null", i == 0 ? "" : ",");
        text += "]}\n";
    }
    return text;
}

std::vector<double> last_values(const RecordedSeries& series, const Grid& grid, double window_s) {
    std::vector<double> result(grid.size, nan);
    for (std::size_t row = 0; row < grid.size; ++row) {
        const auto end = samples_until(series, grid.time(row));
        if (end > 0 && series.time_s[end - 1] > grid.time(row) - window_s)
            result[row] = series.value[end - 1];
    }
    return result;
}

std::vector<double> rates(const RecordedSeries& series, const Grid& grid, double window_s) {
    std::vector<double> result(grid.size, nan);
    for (std::size_t row = 0; row < grid.size; ++row) {
        const auto end = samples_until(series, grid.time(row));
        auto begin = samples_until(series, grid.time(row) - window_s);
        if (begin > 0) --begin;
        if (end < begin + 2 || series.time_s[end - 1] < grid.time(row) - window_s) continue;
        double increase = 0;
        for (std::size_t i = begin + 1; i < end; ++i)
            increase += series.value[i] >= series.value[i - 1]
                            ? series.value[i] - series.value[i - 1]
                            : series.value[i];
        result[row] = increase / (series.time_s[end - 1] - series.time_s[begin]);
    }
    return result;
}

std::vector<double> histogram_quantiles(const std::vector<const RecordedSeries*>& buckets,
                                        const Grid& grid, double window_s, double quantile) {
    std::vector<std::pair<double, std::vector<double>>> increases;
    for (const auto* series : buckets) {
        const auto& bound = series->label("le");
        increases.emplace_back(bound == "+Inf" ? std::numeric_limits<double>::infinity()
                                               : std::strtod(bound.c_str(), nullptr),
                               rates(*series, grid, window_s));
    }
    std::vector<double> result(grid.size, nan);
    for (std::size_t row = 0; row < grid.size; ++row) {
        std::vector<Bucket> filled;
        for (const auto& [bound, increase] : increases)
            if (std::isfinite(increase[row])) filled.push_back({bound, increase[row]});
        result[row] = bucket_quantile(filled, quantile);
    }
    return result;
}

}  // namespace culprit::testbed
