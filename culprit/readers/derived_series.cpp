#include "culprit/readers/derived_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "culprit/base/check.h"
#include "culprit/frame/pair_numbers.h"
#include "culprit/frame/span_series.h"
#include "culprit/readers/metric_table.h"

namespace culprit {
namespace {

constexpr std::int64_t bin_ns = 5'000'000'000;

std::int64_t bin_of(TimePoint time) {
    const std::int64_t ns = to_ns(time);
    return ns / bin_ns - (ns % bin_ns < 0 ? 1 : 0);
}

// The bins that occur, and for each record the row of its bin.
struct Bins {
    std::vector<TimePoint> times;
    std::vector<std::uint32_t> row;
};

Bins find_bins(const std::vector<TimePoint>& times) {
    Bins bins;
    std::vector<std::int64_t> distinct;
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    for (const TimePoint time : times) {
        const std::int64_t bin = bin_of(time);
        if (bin != last) distinct.push_back(bin);
        last = bin;
    }
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    bins.row.reserve(times.size());
    std::size_t row = 0;
    for (const TimePoint time : times) {
        const std::int64_t bin = bin_of(time);
        if (distinct[row] != bin)
            row = static_cast<std::size_t>(std::lower_bound(distinct.begin(), distinct.end(), bin) -
                                           distinct.begin());
        bins.row.push_back(static_cast<std::uint32_t>(row));
    }
    for (const std::int64_t bin : distinct) bins.times.push_back(time_from_ns(bin * bin_ns));
    return bins;
}

Status check_size(std::size_t num_rows, std::size_t num_columns, std::string_view what) {
    if (num_columns == 0 || num_rows <= derived_cells_max / num_columns) return {};
    return fail(ErrorCode::invalid_input,
                fmt::format("expected at most {} cells of derived {}, found {} bins of {} series",
                            derived_cells_max, what, num_rows, num_columns));
}

// Names in ascending order; `rank[i]` is the column of the name that was number i.
struct SortedNames {
    std::vector<Column> columns;
    std::vector<std::uint32_t> rank;
};

// `names` are distinct but may hold an empty one, which no column may be called.
SortedNames sort_names(const std::vector<std::string>& names) {
    std::vector<std::uint32_t> order(names.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return names[a] < names[b]; });
    SortedNames sorted;
    sorted.rank.resize(names.size());
    for (const std::uint32_t i : order) {
        sorted.rank[i] = static_cast<std::uint32_t>(sorted.columns.size());
        sorted.columns.push_back(describe_column(names[i].empty() ? "unknown" : names[i]));
    }
    return sorted;
}

}  // namespace

Result<Frame> count_logs(const LogTable& logs) {
    Bins bins = find_bins(logs.time);
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < logs.sources.size(); ++i) names.emplace_back(logs.sources[i]);
    SortedNames sorted = sort_names(names);
    CULPRIT_TRY_STATUS(check_size(bins.times.size(), names.size(), "log counts"));
    Matrix counts(bins.times.size(), names.size());
    for (std::size_t i = 0; i < logs.size(); ++i)
        counts(bins.row[i], sorted.rank[logs.source[i]]) += 1.0;
    return Frame::make(std::move(bins.times), std::move(sorted.columns), std::move(counts));
}

namespace {

// Two pairs may have one name ("a_b" + "c", "a" + "b_c"): they share a column then.
struct NamedSeries {
    std::vector<std::string> names;
    std::vector<std::uint32_t> series;  // pair -> name
};

NamedSeries name_pairs(const PairNumbers& numbers, const StringPool& first,
                       const StringPool& second) {
    NamedSeries named;
    std::unordered_map<std::string, std::uint32_t> seen;
    for (const auto& [a, b] : numbers.pairs()) {
        std::string name = fmt::format("{}_{}", first[a], second[b]);
        const auto [it, is_new] =
            seen.emplace(name, static_cast<std::uint32_t>(named.names.size()));
        if (is_new) named.names.push_back(std::move(name));
        named.series.push_back(it->second);
    }
    return named;
}

}  // namespace

Result<SpanCounts> count_spans(const SpanTable& spans) {
    Bins bins = find_bins(spans.start);
    PairNumbers numbers;
    std::vector<std::uint32_t> pair(spans.size());
    bool is_http = false;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        pair[i] = numbers.number(spans.service[i], spans.method[i]).first;
        is_http = is_http || spans.status[i] >= 100;
    }
    const NamedSeries named = name_pairs(numbers, spans.services, spans.operations);
    SortedNames sorted = sort_names(named.names);
    CULPRIT_TRY_STATUS(check_size(bins.times.size(), named.names.size(), "span counts"));
    Matrix successes(bins.times.size(), named.names.size());
    Matrix errors(bins.times.size(), named.names.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const std::int32_t status = spans.status[i];
        const bool success = is_http ? status >= 200 && status < 300 : status == 0;
        (success ? successes : errors)(bins.row[i], sorted.rank[named.series[pair[i]]]) += 1.0;
    }
    SpanCounts counts;
    CULPRIT_TRY(counts.successes, Frame::make(bins.times, sorted.columns, std::move(successes)));
    CULPRIT_TRY(counts.errors,
                Frame::make(std::move(bins.times), std::move(sorted.columns), std::move(errors)));
    return counts;
}

Result<Frame> edge_latency(const SpanTable& spans) {
    const std::vector<std::uint32_t> parents = parents_of(spans);
    Bins bins = find_bins(spans.start);
    PairNumbers numbers;
    struct Sample {
        std::uint32_t edge;
        std::uint32_t row;
        double duration_ms;
    };
    std::vector<Sample> samples;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const std::uint32_t parent = parents[i];
        if (parent == SpanTimes::no_parent || spans.service[parent] == spans.service[i]) continue;
        samples.push_back({numbers.number(spans.service[parent], spans.service[i]).first,
                           bins.row[i], static_cast<double>(spans.duration[i].count()) * 1e-6});
    }
    const NamedSeries named = name_pairs(numbers, spans.services, spans.services);
    SortedNames sorted = sort_names(named.names);
    for (Column& column : sorted.columns) column.unit = "ms";
    CULPRIT_TRY_STATUS(check_size(bins.times.size(), named.names.size(), "edge latencies"));
    for (Sample& sample : samples) sample.edge = sorted.rank[named.series[sample.edge]];
    std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
        return std::pair(a.edge, a.row) < std::pair(b.edge, b.row);
    });
    Matrix latency(bins.times.size(), named.names.size());
    std::size_t next = 0;
    std::vector<double> durations;
    for (std::uint32_t edge = 0; edge < sorted.columns.size(); ++edge) {
        double last = 0.0;
        for (std::uint32_t row = 0; row < bins.times.size(); ++row) {
            durations.clear();
            for (; next < samples.size() && samples[next].edge == edge && samples[next].row == row;
                 ++next)
                durations.push_back(samples[next].duration_ms);
            if (!durations.empty()) last = statistic_of(durations, SpanStatistic::p90);
            latency(row, edge) = last;
        }
    }
    return Frame::make(std::move(bins.times), std::move(sorted.columns), std::move(latency));
}

}  // namespace culprit
