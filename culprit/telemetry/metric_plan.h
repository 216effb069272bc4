#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "culprit/catalogue/catalogue.h"
#include "culprit/telemetry/frame_builder.h"
#include "culprit/telemetry/prometheus_reader.h"

namespace culprit {

/// How one stored metric becomes columns.
struct MetricPlan {
    std::string stored_name;         ///< as the backend has it; of a histogram: without _bucket
    const Signal* signal = nullptr;  ///< null = generic
    SignalType type = SignalType::gauge;
    std::string canonical_name;
    std::string unit;
};

/// One plan per metric among `names`, catalogued first, then generic, each by name. The type is the
/// exposition's (`metadata`), then the catalogue's, and only for unknown series the suffix's.
std::vector<MetricPlan> plan_metrics(const std::vector<std::string>& names,
                                     const std::map<std::string, MetricMetadata>& metadata,
                                     const Catalogue& catalogue);

/// Lists of matchers that together match exactly `series`, all of one metric, each at most
/// `series_per_request` of them as far as one label can tell them apart; "" matches all. Series
/// that differ only in `keep_together` (a histogram's "le") stay together.
std::vector<std::string> partition_matchers(const std::vector<Labels>& series,
                                            std::size_t series_per_request,
                                            const std::string& keep_together = "le");

/// `name{matchers}`; a name that PromQL would not take as it is becomes a matcher itself, which
/// every server understands.
std::string metric_selector(const std::string& name, std::string_view matchers);

/// A description with the entity that the labels name.
LiveColumn describe_live_column(const MetricPlan& plan, const Catalogue& catalogue,
                                const Labels& labels, std::string_view part = {});

}  // namespace culprit
