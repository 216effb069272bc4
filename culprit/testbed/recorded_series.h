#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/time.h"

namespace culprit::testbed {

/// One series as Prometheus stored it: raw samples, no step, no interpolation.
struct RecordedSeries {
    std::map<std::string, std::string> labels;  ///< with __name__
    std::vector<double> time_s;                 ///< Unix seconds
    std::vector<double> value;

    const std::string& name() const { return label("__name__"); }
    const std::string& label(const std::string& key) const;
};

/// Every sample that Prometheus at `url` ("http://127.0.0.1:19090") holds of [begin, end].
Result<std::vector<RecordedSeries>> fetch_series(const std::string& url, TimeRange range);
/// Reads the answer of Prometheus' query API to a range selector.
Result<std::vector<RecordedSeries>> parse_series(std::string_view json);
/// One JSON object per line: {"metric":{...},"start":t,"step":s,"values":[...]} with times relative
/// to the first in milliseconds; series that never changed as
/// {"metric":..,"constant":v,"samples":n}.
std::string series_lines(const std::vector<RecordedSeries>& series);

/// A grid of times, and series evaluated on it. Nothing is invented: NaN where no sample lies in
/// the window that ends at the time.
struct Grid {
    double begin_s = 0;
    double step_s = 5;
    std::size_t size = 0;
    double time(std::size_t row) const { return begin_s + step_s * static_cast<double>(row); }
};

/// The last sample of the window (t - window, t].
std::vector<double> last_values(const RecordedSeries& series, const Grid& grid, double window_s);
/// Increase per second between the last sample up to t - window (else the first in the window) and
/// the last up to t; a fall is a restart from zero. NaN with fewer than two samples.
std::vector<double> rates(const RecordedSeries& series, const Grid& grid, double window_s);
/// Quantile of a histogram's increase over the window, linear within buckets as PromQL computes it.
/// `buckets` are the series of one histogram, each with its label le.
std::vector<double> histogram_quantiles(const std::vector<const RecordedSeries*>& buckets,
                                        const Grid& grid, double window_s, double quantile);

}  // namespace culprit::testbed
