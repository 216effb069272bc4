#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "culprit/telemetry/incident_facts.h"
#include "culprit/telemetry/metric_plan.h"

namespace culprit {

/// The columns of one request until it is complete.
struct PendingColumns {
    struct Histogram {
        Labels labels;
        std::vector<std::pair<double, std::vector<double>>> buckets;  ///< bound, cumulative rate
        std::vector<double> sum_rate;
        std::vector<double> count_rate;
    };
    std::vector<std::pair<LiveColumn, std::vector<double>>> columns;
    std::map<Labels, Histogram> histograms;
    std::uint64_t num_series = 0;
    std::uint64_t num_samples = 0;
};

/// Turns series into columns: gauges as they are, counters as rates, histograms as ":p50", ":p95",
/// ":mean" and ":rate", info series and start times as change events, labels as topology. Safe to
/// use from several threads, each with its own PendingColumns.
class SeriesColumns {
public:
    SeriesColumns(const Catalogue& catalogue, FrameBuilder& builder, IncidentFacts& facts,
                  TimeRange range);

    /// `part`: "bucket", "sum" or "count" where the plan is a histogram. malformed_data for a
    /// bucket without a bound.
    Status take(const MetricPlan& plan, const Series& series, std::string_view part,
                PendingColumns& pending);
    /// Hands the columns to the builder.
    Status commit(const MetricPlan& plan, PendingColumns& pending);
    /// After the last commit: change events that need all series.
    void finish() { changes_.finish(facts_); }

private:
    Status take_histogram(const Series& series, std::string_view part, PendingColumns& pending);
    Status commit_histogram(const MetricPlan& plan, PendingColumns::Histogram& parts);

    const Catalogue& catalogue_;
    FrameBuilder& builder_;
    IncidentFacts& facts_;
    ChangeDetector changes_;
};

}  // namespace culprit
