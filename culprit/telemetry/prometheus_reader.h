#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/time.h"
#include "culprit/telemetry/http_client.h"
#include "culprit/telemetry/series.h"

namespace culprit {

/// What `/api/v1/metadata` says of one metric.
struct MetricMetadata {
    std::string type;  ///< "counter", "gauge", "histogram", …
    std::string help;
    std::string unit;
};

struct PrometheusTarget {
    std::string job;
    std::string instance;
    std::string scrape_url;
    std::string health;  ///< "up", "down", "unknown"
    std::string last_error;
    double scrape_interval_seconds = 0.0;  ///< 0 = not said
    double last_scrape_age_seconds = -1.0;
};

/// The Prometheus HTTP API as Prometheus, Thanos, Mimir, Cortex and VictoriaMetrics answer it.
/// Stateless and safe to use from several threads. Every answer is read in pieces, series by
/// series.
class PrometheusReader {
public:
    using OnSeries = std::function<Status(Series series)>;

    explicit PrometheusReader(const HttpClient& client) : client_(client) {}

    /// Version and flavour ("prometheus 2.42.0"); unsupported where the server has no such page.
    Result<std::string> buildinfo(const Stop& stop) const;
    Result<std::map<std::string, MetricMetadata>> metadata(const Stop& stop) const;
    Result<std::vector<PrometheusTarget>> targets(const Stop& stop) const;
    /// Metric names with samples in the range, sorted. `selector`: "" or e.g. `{job="vllm"}`.
    Result<std::vector<std::string>> metric_names(std::string_view selector, TimeRange range,
                                                  const Stop& stop) const;
    Result<std::vector<std::string>> label_names(TimeRange range, const Stop& stop) const;
    /// Label sets (with __name__) that match.
    Result<std::vector<Labels>> series(std::string_view selector, TimeRange range,
                                       const Stop& stop) const;

    /// Every stored sample of `selector` in the range, with its own time stamp, by an instant query
    /// over a range selector. Split in time so that no piece holds more than 11,000 samples of a
    /// series scraped every `scrape_interval_ms`.
    /// `on_restart`: an attempt failed half way; forget what it gave.
    Status raw_samples(std::string_view selector, TimeRange range, std::int64_t scrape_interval_ms,
                       const OnSeries& on_series, const std::function<void()>& on_restart,
                       const Stop& stop) const;
    /// `query` evaluated at the steps of the range. Prometheus refuses more than 11,000 points per
    /// series, so the range is split; the pieces of one series are joined before it is handed over,
    /// which needs memory for the whole answer when there is more than one piece.
    Status query_range(std::string_view query, TimeRange range, std::int64_t step_ms,
                       const OnSeries& on_series, const std::function<void()>& on_restart,
                       const Stop& stop) const;

    static constexpr std::int64_t points_max = 11'000;

private:
    Status matrix(std::string_view path, const HttpParameters& parameters,
                  const OnSeries& on_series, const std::function<void()>& on_restart,
                  const Stop& stop) const;

    const HttpClient& client_;
};

/// Reads one element of a matrix: {"metric": {...}, "values": [[seconds, "value"], ...]}.
Result<Series> parse_matrix_element(std::string_view json);

}  // namespace culprit
